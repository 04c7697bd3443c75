"""Effects in doubt, settled by somebody who has looked: they arrived, they did not and are sent again, or they are given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from syncline import events
from syncline.destinations.api import ApiDestination
from syncline.destinations.api.belonging import belong
from syncline.destinations.api.settling import confirm
from syncline.engine.opening import destination_of, opened_sink, prepared
from syncline.engine.run import LEASE_SECONDS
from syncline.errors import UsageError
from syncline.model import Clock, SystemClock, origin_of, reveal
from syncline.spec import Integration, Stream, key_columns
from syncline.state import Effect, Lease, Owner, StateStore

SHORTEST = 4
"""Of the beginning of an effect's id that stands for it."""


class Resent(msgspec.Struct, kw_only=True):
    """What became of a stream's effects in doubt. `rejected` are among the dead letters now."""

    stream: str
    confirmed: int = 0
    rejected: int = 0
    in_doubt: int = 0


async def in_doubt(
    integration: Integration, state: StateStore, streams: Sequence[Stream], ids: Sequence[str] | None = None
) -> list[tuple[Stream, Effect]]:
    """The effects in doubt of these streams, oldest first; of `ids`, which may be shortened, all must be there.

    Raises UsageError.
    """
    found = [
        (stream, effect)
        for stream in streams
        for effect in await state.outbox.effects(integration.state_key(stream), ("in_doubt",))
    ]
    if ids is None:
        return found
    chosen = []
    for wanted in ids:
        fits = [pair for pair in found if pair[1].id.startswith(wanted.lower())]
        if len(fits) != 1 or len(wanted) < SHORTEST:
            what = (
                f"there are {len(fits)} effects in doubt whose id begins with"
                if fits
                else "there is no effect in doubt"
            )
            raise UsageError(f"{what} {wanted!r}", hint="syncline outbox list FILE shows them")
        chosen += fits
    return chosen


async def confirm_effects(
    integration: Integration,
    state: StateStore,
    chosen: Sequence[tuple[Stream, Effect]],
    remote_id: Any = None,
    *,
    clock: Clock | None = None,
) -> None:
    """They are at the destination: what was created there has `remote_id`, where there is one of them.

    Raises UsageError where the id has to be known, and LeaseError while a run holds the stream.
    """
    clock = clock or SystemClock()
    destination = destination_of(integration)
    if remote_id is not None and len(chosen) != 1:
        raise UsageError("an id belongs to one record", hint="name one effect: --id ID --remote-id …")
    for stream, effect in chosen:
        created = effect.operation == "create" and stream.into.write != "append"
        needed = isinstance(destination, ApiDestination) and destination.needs_id(stream.into)
        if created and needed and remote_id is None:
            raise UsageError(
                f"{effect.id[:8]} created a record, which can be changed later only by its id there",
                hint=f"look it up and say it: --id {effect.id[:8]} --remote-id ID",
            )
        async with held(integration, stream, state, clock) as lease:
            linking = stream.into.write != "append"
            await confirm(state, lease, clock.now(), effect, remote_id, linking=linking)


async def drop_effects(
    integration: Integration,
    state: StateStore,
    chosen: Sequence[tuple[Stream, Effect]],
    *,
    clock: Clock | None = None,
) -> None:
    """Nobody wants to know any more. Raises LeaseError while a run holds the stream."""
    clock = clock or SystemClock()
    for stream, effect in chosen:
        async with held(integration, stream, state, clock) as lease:
            await state.outbox.keep(lease, [], removed=[effect.id], now=clock.now())


async def move_links(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> list[str]:
    """The API has moved to where base_url points now, and its ids with it. Gives the streams; raises LeaseError."""
    clock = clock or SystemClock()
    ready = await prepared(integration, environment, streams)
    destination = destination_of(ready.integration)
    if not isinstance(destination, ApiDestination):
        raise UsageError("only another API can have moved", hint="this destination is none")
    home = origin_of(reveal(destination.base_url))
    async with opened_sink(ready.integration, clock) as sink:
        for stream in ready.streams:
            async with held(ready.integration, stream, sink.state, clock) as lease:
                await belong(sink.state, lease, home, clock.now())
    return [stream.name for stream in ready.streams]


async def forget_sent(
    integration: Integration, state: StateStore, streams: Sequence[Stream], *, clock: Clock | None = None
) -> dict[str, int]:
    """Somebody changed records at the destination: the next pass that meets them sends them again. Gives counts by stream."""
    clock = clock or SystemClock()
    counts = {}
    for stream in streams:
        async with held(integration, stream, state, clock) as lease:
            counts[stream.name] = await state.outbox.forget_digests(lease)
    return counts


async def retry_effects(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
) -> list[Resent]:
    """They never arrived: send them (or those with the given ids) once more. Raises UsageError, and what a run raises."""
    clock = clock or SystemClock()
    ready = await prepared(integration, environment, streams)
    results = []
    with events.listening(*listeners), events.within(integration=ready.integration.name):
        async with opened_sink(ready.integration, clock) as sink:
            chosen = await in_doubt(ready.integration, sink.state, ready.streams, ids)
            for stream in ready.streams:
                mine = [effect for owner, effect in chosen if owner.name == stream.name]
                if not mine:
                    continue
                async with held(ready.integration, stream, sink.state, clock) as lease:
                    key = ready.integration.state_key(stream)
                    writer: Any = await sink.begin(
                        key,
                        stream.name,
                        stream.into,
                        primary_key=key_columns(stream) if stream.primary_key else (),
                        lease=lease,
                        checkpoint=(await sink.state.load(key)).checkpoint,
                    )
                    results.append(await _resent(writer, stream, sink.state, mine, lease))
    return results


async def _resent(writer: Any, stream: Stream, state: StateStore, effects: Sequence[Effect], lease: Lease) -> Resent:
    """`begin` may have found out about some of them already."""
    still = {effect.id: effect for effect in await state.outbox.effects(lease.key, ("in_doubt",))}
    sending = [still[effect.id] for effect in effects if effect.id in still]
    settled = await writer.aftermath.resend(sending, lease) if sending else []
    result = Resent(stream=stream.name, confirmed=len(effects) - len(sending))
    for effect in settled:
        result.confirmed += effect.outcome == "confirmed"
        result.rejected += effect.outcome == "rejected"
        result.in_doubt += effect.outcome == "in_doubt"
    return result


@asynccontextmanager
async def held(integration: Integration, stream: Stream, state: StateStore, clock: Clock) -> AsyncIterator[Lease]:
    """The stream's lease, for as long as this takes."""
    lease = await state.acquire(integration.state_key(stream), Owner.current(), clock.now(), LEASE_SECONDS)
    try:
        yield lease
    finally:
        await state.release(lease, "idle")
