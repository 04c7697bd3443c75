"""Dead letters, tried again with today's mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from syncline import events
from syncline.destinations import Destination, Sink, Target
from syncline.engine.opening import destination_of, opened_sink, prepared
from syncline.engine.run import LEASE_SECONDS
from syncline.errors import PlanError
from syncline.mapping import Mapper, compile_mapping
from syncline.model import Batch, Clock, Row, SystemClock
from syncline.spec import Integration, Stream, key_columns
from syncline.state import DeadLetter, Owner

BATCH = 500


class Retried(msgspec.Struct, kw_only=True):
    """What became of a stream's dead letters. `landed` are rows now; `rejected` stay, with the reason of today.

    `in_doubt` were sent to another API that gave no answer; they are in the outbox now.
    """

    stream: str
    landed: int = 0
    rejected: int = 0
    in_doubt: int = 0


async def retry_rejects(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    letters: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
) -> list[Retried]:
    """Map and write the open dead letters (or those with the given ids) once more. Each that lands, lands once (R28)."""
    clock = clock or SystemClock()
    ready = await prepared(integration, environment, streams)
    results = []
    with events.listening(*listeners), events.within(integration=ready.integration.name):
        async with opened_sink(ready.integration, clock) as sink:
            for stream in ready.streams:
                key = ready.integration.state_key(stream)
                found = await sink.state.dead_letters.list(key, "open", limit=1_000_000)
                chosen = [letter for letter in found if letters is None or letter.id in letters]
                results.append(await _retry(sink, ready.integration, stream, chosen, clock))
    return results


async def _retry(
    sink: Sink, integration: Integration, stream: Stream, letters: list[DeadLetter], clock: Clock
) -> Retried:
    key = integration.state_key(stream)
    result = Retried(stream=stream.name)
    if not letters:
        return result
    owner = Owner.current()
    lease = await sink.state.acquire(key, owner, clock.now(), LEASE_SECONDS)
    try:
        checkpoint = (await sink.state.load(key)).checkpoint
        writer = await sink.begin(
            key,
            stream.name,
            _target(stream, destination_of(integration)),
            primary_key=key_columns(stream),
            lease=lease,
            checkpoint=checkpoint,
            schema=stream.schema_,
        )
        refused: list[int] = []
        for columns, group in _mapped(compile_mapping(stream.mapping, stream.where), letters, refused):
            for start in range(0, len(group), BATCH):
                part = group[start : start + BATCH]
                written = await writer.write(
                    Batch(columns=columns, rows=[row for _, row in part]),
                    [],
                    None,
                    lease,
                    records=[letter.record for letter, _ in part],
                    resolved=[letter.id for letter, _ in part],
                )
                result.landed += len(part) - len(written.rejected) - written.in_doubt
                result.in_doubt += written.in_doubt
                result.rejected += len(written.rejected)
        if checkpoint.resume is None:
            await writer.finish(checkpoint, lease)
        await sink.state.dead_letters.mark(refused, "open", attempted=True)
        result.rejected += len(refused)
        return result
    finally:
        await sink.state.release(lease, "idle")


def _target(stream: Stream, destination: Destination) -> Target:
    """Single records join what a pass put there as a whole. Raises PlanError where they cannot."""
    if stream.into.write != "replace":
        return stream.into
    target = stream.into.model_copy(update={"write": "upsert" if stream.primary_key else "append"})
    if misfit := destination.misfit(target):
        raise PlanError(
            f"single records cannot be added to what a pass replaces as a whole: {misfit}",
            hint="run the stream again with --full; it reads them anew",
            stream=stream.name,
        )
    return target


def _mapped(
    mapper: Mapper, letters: list[DeadLetter], refused: list[int]
) -> Iterator[tuple[tuple[str, ...], list[tuple[DeadLetter, Row]]]]:
    """The letters that map now, grouped by the columns of their rows; the others' ids go to `refused`."""
    groups: dict[tuple[str, ...], list[tuple[DeadLetter, Row]]] = {}
    for letter in letters:
        batch = mapper.map([letter.record]).batch
        if batch.rows:
            groups.setdefault(batch.columns, []).append((letter, batch.rows[0]))
        else:
            refused.append(letter.id)
    yield from groups.items()
