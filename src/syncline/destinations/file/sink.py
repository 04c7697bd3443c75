"""Files at work: an open file destination, and one stream's way into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from syncline.databases import Address, Lane
from syncline.destinations.destination import Finished, note_of, with_note
from syncline.destinations.file.encoding import Encoded
from syncline.destinations.file.file_pass import FilePass, Setting, read_note
from syncline.destinations.target import Deletes, SchemaPolicy, Target
from syncline.errors import StateError, WriteError
from syncline.events import Reached, SchemaChanged, emit
from syncline.model import Batch, Checkpoint, Clock, Rejected, Row, Written
from syncline.state import Lease, StateStore
from syncline.state.store import open_state

AT_ONCE = 10_000
"""Rows that are encoded within some milliseconds."""
Settle = Callable[[str, str, Target, SchemaPolicy], Setting]
"""The setting of a stream: of its key, its name, where it goes and what its schema may become. Raises PlanError."""


class FileSink:
    """An open file destination, and the state beside it."""

    def __init__(self, settle: Settle, state: StateStore, lane: Lane, clock: Clock, batch_rows: int) -> None:
        self.state, self.batch_rows = state, batch_rows
        self._settle, self._lane, self._clock = settle, lane, clock
        self._writers: list[FileWriter] = []

    async def begin(
        self,
        key: str,
        stream: str,
        target: Target,
        *,
        primary_key: tuple[str, ...] = (),
        fresh: bool = False,
        lease: Lease,
        checkpoint: Checkpoint,
        schema: SchemaPolicy = "evolve",
        deletes: Deletes | None = None,
        allow_deletes: bool = False,
    ) -> FileWriter:
        setting = self._settle(key, stream, target, schema)
        run = lease.owner.run_id or f"run-{lease.fence}"
        file_pass = FilePass(setting, lease.fence, run, self._clock.now().date())
        # a full run begins without a checkpoint, but what a crash left to publish is to be published all the same
        noted = note_of(checkpoint) or note_of((await self.state.load(key)).checkpoint)
        await self._lane.run(file_pass.begin, read_note(noted, key), checkpoint, fresh=fresh)
        writer = FileWriter(file_pass, setting.table, self.state, self._lane, self._clock)
        self._writers.append(writer)
        return writer

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()
        self._lane.close()


class FileWriter:
    """One stream's way into its files."""

    interruptible = False

    def __init__(self, file_pass: FilePass, table: str, state: StateStore, lane: Lane, clock: Clock) -> None:
        self._pass, self._table, self.portion = file_pass, table, file_pass.portion
        self._state, self._lane, self._clock = state, lane, clock

    def take(self, batch: Batch) -> bool:
        return self._lane.idle and self._pass.take(batch)

    async def write(
        self,
        batch: Batch,
        rejected: Sequence[Rejected],
        checkpoint: Checkpoint | None,
        lease: Lease,
        *,
        records: Sequence[Any] | None = None,
        resolved: Sequence[int] = (),
        gone: Sequence[Row] = (),
        present: Sequence[Row] = (),
        doubtful: int = 0,
    ) -> Written:
        if checkpoint is None:  # what was appended would be committed with nothing
            checkpoint = (await self._state.load(lease.key)).checkpoint
        # the interpreter encodes a batch at a time, whoever asks it to: a second thread would only wrestle with the loop for it
        at_once = len(batch.rows) <= AT_ONCE and self._lane.idle
        encoded = self._pass.encode(batch) if at_once else await self._lane.run(self._pass.encode, batch)
        try:
            put = await self._lane.run(self._pass.put, encoded)
        except WriteError:
            with suppress(StateError):
                await self._state.refuse_fenced_out(lease)  # who took over has cleared away what was being written here
            raise
        refused = rejections(encoded, batch, records)
        await self._state.commit(
            lease,
            with_note(checkpoint, self._pass.note(put)),
            now=self._clock.now(),
            written=put.rows,
            rejected=[*rejected, *refused],
            resolved=resolved,
        )
        for change in self._pass.committed(put):
            emit(SchemaChanged(table=self._table, change=change))
        return Written(written=put.rows, rejected=tuple(refused))

    async def finish(self, checkpoint: Checkpoint, lease: Lease, *, complete: bool = False) -> Finished:
        now = self._clock.now()
        note = await self._lane.run(self._pass.complete, now)
        await self._state.commit(lease, with_note(checkpoint, note), now=now)
        emit(Reached(station="pass committed"))
        left = await self._lane.run(self._pass.publish)
        if left != note:  # from here on the files belong to those who read them, and who may take them away
            await self._state.commit(lease, with_note(checkpoint, left), now=now)
        return Finished()

    async def close(self) -> None:
        await self._lane.run(self._pass.close)


def rejections(encoded: Encoded, batch: Batch, records: Sequence[Any] | None) -> list[Rejected]:
    """The refused rows, each with its record; with the row itself where there is none."""
    return [
        Rejected(
            path=one.path,
            reason=one.reason,
            record=dict(zip(batch.columns, batch.rows[one.row], strict=True)) if records is None else records[one.row],
        )
        for one in encoded.refused
    ]


@asynccontextmanager
async def open_files(
    settle: Settle, state_at: Path | Address, clock: Clock, batch_rows: int
) -> AsyncIterator[FileSink]:
    async with open_state(state_at, clock=clock) as state:
        sink = FileSink(settle, state, Lane("syncline-files"), clock, batch_rows)
        try:
            yield sink
        finally:
            await sink.close()
