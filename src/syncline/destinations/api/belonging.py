"""Whose ids the links hold: those of a sandbox mean other records in production."""

from __future__ import annotations

from datetime import datetime

from syncline.errors import PlanError
from syncline.http.origins import is_loopback
from syncline.state import ORIGIN, Lease, Link, StateStore


async def refuse_strange_ids(state: StateStore, lease: Lease, home: str, now: datetime) -> None:
    """Remember the API of a stream at its first run. Raises PlanError where it is another one now."""
    place = place_of(home)
    known = (await state.outbox.links(lease.key, [ORIGIN])).get(ORIGIN)
    if known is None:
        await belong(state, lease, home, now)
        return
    if known.remote_id != place and (
        await state.outbox.count_links(lease.key) or await state.outbox.effects(lease.key, limit=1)
    ):
        raise PlanError(
            f"the records of this stream are linked to ids at {known.remote_id}, and base_url is {place} now",
            hint="another account: give the integration another name, or another state; the same one, moved: "
            "syncline outbox moved FILE",
            stream=lease.key,
        )
    if known.remote_id != place:
        await belong(state, lease, home, now)


async def belong(state: StateStore, lease: Lease, home: str, now: datetime) -> None:
    """The ids are those of this API from now on."""
    await state.outbox.keep(lease, [], links=[Link(source_key=ORIGIN, remote_id=place_of(home))], now=now)


def place_of(home: str) -> str:
    """Scheme, host and port; on this machine, where servers of tests get a port of their own, without the port."""
    return home.rpartition(":")[0] if is_loopback(home) else home
