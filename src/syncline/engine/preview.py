"""A look at what would come and what would become of it; writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from syncline import events
from syncline.destinations import Destination, Trial
from syncline.engine.opening import destination_of, opened_reader, opened_state, prepared
from syncline.engine.tokens import keeping
from syncline.engine.tombstones import Keys, Tombstones
from syncline.mapping import compile_mapping
from syncline.model import Checkpoint, Clock, Page, SystemClock, kind_of
from syncline.sources import Asks, Reader
from syncline.spec import Integration, Stream, key_columns


class PreviewedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it came, beside the row it becomes; or why it becomes none."""

    source: Any
    mapped: dict[str, Any] | None = None
    path: str | None = None
    reason: str | None = None


class StreamPreview(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    records: tuple[PreviewedRecord, ...]
    filtered: int = 0
    total: int | None = None


class StreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of one stream would do, judged by its first page."""

    name: str
    sync_mode: str
    cursor: str | None
    resumes: bool
    request: str
    total: int | None
    sampled: int
    trial: Trial
    rejected: int
    filtered: int
    deletes_missing: bool = False

    @property
    def changes(self) -> bool:
        return bool(self.trial.statements or self.trial.inserts or self.trial.updates or self.trial.deletes)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    integration: str
    destination: str
    streams: tuple[StreamPlan, ...]

    @property
    def exit_code(self) -> int:
        """3 where a run would change something, else 0."""
        return 3 if any(stream.changes for stream in self.streams) else 0


async def preview(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    records: int = 5,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
    through: Callable[[Asks], Asks] = lambda client: client,
) -> list[StreamPreview]:
    """The first records of each stream beside what the mapping makes of them. Asks the API; writes nothing anywhere.

    `through` may put something before the client, such as answers that were kept.
    """
    ready = await prepared(integration, environment, streams)
    found = []
    with events.listening(*listeners), events.within(integration=ready.integration.name):
        async with opened_reader(ready.integration, clock or SystemClock()) as reader:
            reader.client = through(reader.client)
            for stream in ready.streams:
                with events.within(stream=stream.name):
                    page = await first_page(reader, stream, Checkpoint())
                found.append(_previewed(stream, page, records))
    return found


def _previewed(stream: Stream, page: Page, most: int) -> StreamPreview:
    mapper = compile_mapping(stream.mapping, stream.where)
    shown: list[PreviewedRecord] = []
    filtered = 0
    for record in page.records:
        if len(shown) == most:
            break
        mapped = mapper.map([record])
        filtered += mapped.filtered
        for row in mapped.batch.rows:
            shown.append(PreviewedRecord(source=record, mapped=dict(zip(mapped.batch.columns, row, strict=True))))
        for rejected in mapped.rejected:
            shown.append(PreviewedRecord(source=record, path=rejected.path, reason=rejected.reason))
    return StreamPreview(name=stream.name, records=tuple(shown), filtered=filtered, total=page.total)


async def plan(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    full: bool = False,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
) -> Plan:
    """What a run would ask for and change. Asks the API for one page a stream; writes nothing anywhere."""
    clock = clock or SystemClock()
    ready = await prepared(integration, environment, streams)
    planned = []
    destination = destination_of(ready.integration)
    with events.listening(*listeners), events.within(integration=ready.integration.name):
        async with (
            opened_state(ready.integration) as state,
            opened_reader(ready.integration, clock) as reader,
        ):
            keep = keeping(ready.integration, clock, "destination")
            for stream in ready.streams:
                key = ready.integration.state_key(stream)
                checkpoint = Checkpoint() if full else (await state.load(key)).checkpoint
                known = {"key": key, "state": state, "clock": clock, **keep}
                with events.within(stream=stream.name):
                    planned.append(await _planned(stream, reader, destination, checkpoint, known))
    return Plan(integration=ready.integration.name, destination=kind_of(type(destination)), streams=tuple(planned))


async def _planned(
    stream: Stream, reader: Reader, destination: Destination, checkpoint: Checkpoint, known: dict[str, Any]
) -> StreamPlan:
    page = await first_page(reader, stream, checkpoint)
    records, gone = page.records, []
    if stream.deletes is not None and stream.deletes.when is not None:
        sifted = Tombstones(stream.deletes, Keys(stream)).sift(page.records)
        records, gone = sifted.alive, list(sifted.gone)
    mapped = compile_mapping(stream.mapping, stream.where).map(records)
    trial = await destination.trial(
        stream.name,
        stream.into,
        mapped.batch,
        primary_key=key_columns(stream),
        deletes=stream.deletes,
        gone=gone,
        **known,
    )
    incremental = stream.incremental is not None and checkpoint.cursor is not None
    return StreamPlan(
        name=stream.name,
        sync_mode="incremental" if incremental else "full_refresh",
        cursor=None if checkpoint.cursor is None else str(checkpoint.cursor),
        resumes=checkpoint.resume is not None,
        request=reader.asks(stream),
        total=page.total,
        sampled=len(page.records),
        trial=trial,
        rejected=len(mapped.rejected) + len(trial.rejected),
        filtered=mapped.filtered,
        deletes_missing=stream.deletes is not None and stream.deletes.missing,
    )


async def first_page(reader: Reader, stream: Stream, checkpoint: Checkpoint) -> Page:
    """The first page that has records, or the last one where none has."""
    pages = reader.pages(stream, checkpoint, ahead=False)
    try:
        async for page in pages:
            if page.records or page.last:
                return page
    finally:
        await pages.aclose()
    raise AssertionError("a pass ends with a last page")
