"""Effects that are settled: what is kept of them, and what people say about those in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from syncline.model import Rejected, decode_json
from syncline.state import Effect, Lease, Link, StateStore


def is_over(effect: Effect, *, linking: bool) -> bool:
    """Whether nothing of it has to be remembered once it is settled: with links, or because it will not be brought again."""
    return linking or effect.passed or effect.letter is not None


def record_of(effect: Effect) -> Any:
    """The source's record, or the row where only that is known."""
    return effect.record if effect.record is not None else decode_json(effect.content)


async def close(state: StateStore, lease: Lease, now: datetime, effects: Sequence[Effect]) -> None:
    """Nothing more is to come of these: refusals that the source will not bring again are kept as dead letters."""
    if not effects:
        return
    confirmed = [effect for effect in effects if effect.outcome == "confirmed"]
    refused = [effect for effect in effects if effect.outcome == "rejected" and effect.passed]
    await state.commit(
        lease,
        None,
        now=now,
        written=len(confirmed),
        rejected=[
            Rejected(path=effect.path or "", reason=effect.reason or "", record=record_of(effect)) for effect in refused
        ],
        resolved=[effect.letter for effect in confirmed if effect.letter is not None],
        passed=[effect.id for effect in effects],
    )


async def confirm(
    state: StateStore, lease: Lease, now: datetime, effect: Effect, remote_id: Any, *, linking: bool
) -> None:
    """Somebody knows that it arrived, as the record of this id where it made one. Raises LeaseError."""
    known = remote_id if remote_id is not None else effect.remote_id
    arrived = msgspec.structs.replace(effect, outcome="confirmed", remote_id=known)
    gone = effect.operation == "delete"
    link = Link(source_key=effect.source_key, remote_id=known, digest=effect.digest)
    await state.outbox.keep(
        lease,
        [arrived],
        links=[link] if linking and not gone else [],
        unlinked=[effect.source_key] if gone else [],
        now=now,
    )
    if is_over(effect, linking=linking):
        await close(state, lease, now, [arrived])
