"""SQL destinations at work: rows, dead letters and checkpoint in one transaction, on one connection and thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any

from syncline.databases import Address, Database, Lane
from syncline.destinations.destination import Finished, note_of, with_note
from syncline.destinations.sql.dialects import tables_of
from syncline.destinations.sql.family import Again, Family
from syncline.destinations.sql.gone import Gone
from syncline.destinations.sql.identifiers import checked_table
from syncline.destinations.sql.rows import Put, Refusal, Unfit
from syncline.destinations.sql.tables import Tables
from syncline.destinations.target import Deletes, SchemaPolicy, Target
from syncline.errors import PlanError, StateError, SynclineError, WriteError
from syncline.events import Reached, SchemaChanged, emit
from syncline.model import Batch, Checkpoint, Clock, Rejected, Row, Written
from syncline.state import Lease
from syncline.state.journal import DeadLetters
from syncline.state.store import SqlStateStore, prepared

AT_ONCE = 1_000
"""Rows that are written within a few milliseconds."""
STAGED = "syncline_staging_"
STAGING, SEEING, DOUBTFUL = "staging", "seeing", "doubtful"
"""What the checkpoint of an unfinished pass notes: the table laid aside, the one whose keys are remembered, how many have none."""

Done = tuple[Written, list[str]]
"""What became of a batch, and the statements that changed the schema."""


class SqlSink:
    """An open database."""

    def __init__(self, lane: Lane, database: Database, tables: Tables, clock: Clock, patience: float) -> None:
        self.state = SqlStateStore(lane, database, clock, patience)
        self.batch_rows = tables.batch_rows
        self._lane, self._database, self._tables, self._clock = lane, database, tables, clock

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
    ) -> SqlWriter:
        table = checked_target(self._tables, stream, target, primary_key)
        note = {} if fresh else note_of(checkpoint)
        prefix = STAGED if target.write == "replace" else ""
        family = Family(self._tables, prefix + table, primary_key, target, schema=schema, prefix=prefix)
        gone = None
        if deletes is not None and target.write == "upsert":
            going_on = note.get(SEEING) == table
            gone = Gone(family, deletes, table, going_on=going_on, doubtful=int(note.get(DOUBTFUL, 0)))
            gone.unlimited = allow_deletes
            gone.seeing = deletes.missing and (going_on or fresh or checkpoint.resume is None)
        writer = SqlWriter(self._lane, self._database, self._clock, self.state, family=family, prefix=prefix, gone=gone)
        going_on = note.get(STAGING) == prefix + table
        await self.state.patience.call(lambda: writer.begin(lease, going_on=going_on, overwrite=allow_deletes))
        return writer

    async def close(self) -> None:
        await self._lane.run(self._database.close)
        self._lane.close()


class SqlWriter:
    """One stream's way into one table and those of its lists.

    With a `prefix`, rows are laid aside in tables named so, which take the place of the others in the end.
    """

    interruptible = False

    def __init__(
        self,
        lane: Lane,
        database: Database,
        clock: Clock,
        state: SqlStateStore,
        *,
        family: Family,
        prefix: str,
        gone: Gone | None,
    ) -> None:
        self._lane, self._database, self._tables, self._clock = lane, database, family.tables, clock
        self._state, self._ledger, self._letters = state, state.ledger, DeadLetters(database)
        self._family, self._prefix, self._gone = family, prefix, gone
        self._table = family.rows.name.removeprefix(prefix)

    def begin(self, lease: Lease, *, going_on: bool, overwrite: bool = False) -> None:
        """Look at the tables; lay them aside for the pass, in the shape of those they will replace. Raises PlanError."""
        with self._alone(lease):
            if not overwrite:
                self._refuse_to_overwrite(lease)
            if (self._prefix and not going_on) or (self._gone is not None and self._gone.begins):
                self._ledger.forget_pass(lease)  # killed behind this, nobody goes on where rows or keys are missing
            for rows in self._family.all if self._prefix else ():
                before = self._tables.load(rows.name.removeprefix(self._prefix))
                if not going_on:
                    self._tables.drop(rows.name)
                if before.exists and not self._tables.load(rows.name).exists:
                    self._tables.apply(self._tables.laid_aside(rows.name, before, rows.key))
            if self._gone is not None:
                self._gone.begin()
            self._tables.load(self._table)

    def _refuse_to_overwrite(self, lease: Lease) -> None:
        """The first pass of a stream must not throw away what somebody else put there."""
        if not self._prefix or self._ledger.load(lease.key).last_sync_at is not None:
            return
        for rows in self._family.all:
            before = self._tables.load(rows.name.removeprefix(self._prefix))
            if not before.exists or before.ours:
                continue
            name = self._tables.quoted(before.name)
            count = int(self._database.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608 – quoted
            if count:
                raise PlanError(
                    f"write: replace would throw away the {count} rows of {before.name!r}, a table that Syncline did not make",
                    hint="name another table (`into: {table: …}`), or run once with --allow-deletes",
                    stream=lease.key,
                )

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
        done: list[Done] = []
        doubtful += self._gone.doubtful if self._gone else 0

        def attempt(put_rows: Callable[[Batch], Put], *, begun: bool = False) -> Done:
            now = self._clock.now()
            with self._forgetful(), self._database.transaction(WriteError, begun=begun):
                changes, deleted = [], 0
                if self._gone is not None:
                    self._gone.doubtful = doubtful
                    changes = self._gone.ready() if gone else []
                    self._gone.see(batch, present)
                put = put_rows(self._gone.alive(batch) if self._gone else batch) if batch.rows else Put()
                if self._gone is not None:
                    deleted = self._gone.delete(gone, now)
                refused = refusals_of(put, batch, records)
                emit(Reached(station="rows written"))
                self._ledger.commit(lease, self._noted(checkpoint), now=now, written=put.written + deleted)
                if rejected or refused:
                    self._letters.add(lease.key, lease.owner.run_id, [*rejected, *refused], now)
                if resolved:
                    self._letters.mark(resolved, "retried", attempted=True)
                written = Written(
                    written=put.written + deleted,
                    unchanged=put.unchanged + len(gone) - deleted,
                    deleted=deleted,
                    rejected=refused,
                )
                done[:] = [(written, [*changes, *put.changes])]  # what stands if the commit comes through
                emit(Reached(station="checkpoint written"))
            self._ledger.committed(lease)
            emit(Reached(station="committed"))
            return done[0]

        def both(*, begun: bool = False) -> Done:
            try:
                return attempt(self._family.put, begun=begun)
            except Unfit:
                excluded: dict[int, Refusal] = {}
            while True:
                try:
                    return attempt(lambda rows: self._family.put_carefully(rows, excluded))
                except Again:
                    continue

        def landed() -> Done | None:
            with self._database.explained(WriteError):
                return done[0] if done and self._ledger.landed(lease) else None

        # a small batch is written right here: handing it to a thread costs more than it takes, as each of its rows would hand
        # the interpreter's lock over; whoever might have to wait for another writer, waits on the lane
        if len(batch.rows) <= AT_ONCE and self._lane.idle and self._begun():
            written, changes = both(begun=True)
        else:
            written, changes = await self._state.patience.call(both, landed)
        for change in changes:
            emit(SchemaChanged(table=self._table, change=change))
        return written

    def _noted(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """With what has to be known to go on with this pass."""
        note: dict[str, Any] = {}
        if self._prefix:
            note[STAGING] = self._prefix + self._table
        if self._gone is not None and self._gone.seeing:
            note |= {SEEING: self._table, DOUBTFUL: self._gone.doubtful}
        return checkpoint if checkpoint is None or not note else with_note(checkpoint, note)

    def _begun(self) -> bool:
        with self._database.explained(WriteError):
            return self._database.begun_at_once()

    async def finish(self, checkpoint: Checkpoint, lease: Lease, *, complete: bool = False) -> Finished:
        done: list[Finished] = []

        def commit() -> Finished:
            now = self._clock.now()
            with self._forgetful(), self._database.transaction(WriteError):
                if self._prefix:
                    for rows in self._family.all:
                        self._swap(rows.name)
                    emit(Reached(station="rows exchanged"))
                deleted, notice = self._missing(complete, now)
                self._ledger.commit(lease, with_note(checkpoint, None), now=now, written=deleted)
                done[:] = [Finished(deleted=deleted, notice=notice)]
                emit(Reached(station="pass written"))
            self._ledger.committed(lease)
            emit(Reached(station="pass committed"))
            return done[0]

        def clear() -> None:
            with self._alone(lease):
                for rows in self._family.all:
                    self._tables.drop(rows.name)

        def landed() -> Finished | None:
            with self._database.explained(WriteError):
                return done[0] if done and self._ledger.landed(lease) else None

        finished = await self._state.patience.call(commit, landed)
        if self._prefix and self._tables.definitive:
            with suppress(SynclineError):  # the pass is done; what is left over goes when the next one begins
                await self._state.patience.call(clear)
        return finished

    @contextmanager
    def _alone(self, lease: Lease) -> Iterator[None]:
        """A transaction that may drop tables: no old holder is in one beside us, or drops ours later."""
        with (
            self._forgetful(),
            self._database.explained(WriteError),
            self._database.alone(self._table),
            self._database.transaction(WriteError),
        ):
            self._ledger.refuse_fenced_out(lease)
            yield

    def _missing(self, complete: bool, now: datetime) -> tuple[int, str | None]:
        """How many rows were deleted because their records are missing, and why none were looked for."""
        if self._gone is None or not self._gone.deletes.missing or not complete:
            return 0, None
        if not self._gone.seeing:
            return 0, "no missing records were looked for: this pass began before that was asked for"
        if self._gone.doubtful:
            count = self._gone.doubtful
            return 0, f"no missing records were looked for: {count} records of this pass have no key that is known"
        return self._gone.delete_missing(now), None

    def _swap(self, name: str) -> None:
        """Put what was staged in the table's place."""
        staged, before = self._tables.load(name), self._tables.load(name.removeprefix(self._prefix))
        if not staged.exists:
            return
        if not before.exists or not before.ours or not self._tables.exchanges:
            key = staged.key if not before.exists else ()
            self._tables.apply(self._tables.changes(before, list(staged.columns.values()), key))
            before = self._tables.load(before.name)
        self._tables.take_place(staged, before)

    @contextmanager
    def _forgetful(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._family.forget()
            if self._gone is not None:
                self._gone.forget()
            raise


def checked_target(tables: Tables, stream: str, target: Target, primary_key: tuple[str, ...]) -> str:
    """The table's name, where the target can be written like that. Raises PlanError."""
    if target.write == "upsert" and not primary_key:
        raise PlanError(
            f"{stream}: write: upsert needs a primary key",
            hint="name it (`primary_key: id`), or set `into: {write: append}` or `replace`",
            stream=stream,
        )
    name = target.table or stream
    return checked_table(name, tables.fault_of(name) or tables.fault_of(STAGED + name))


def refusals_of(put: Put, batch: Batch, records: Sequence[Any] | None) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(
            path=refusal.path,
            reason=refusal.reason,
            record=records[refusal.row]
            if records is not None
            else dict(zip(batch.columns, batch.rows[refusal.row], strict=True)),
        )
        for refusal in put.refusals
    )


@asynccontextmanager
async def open_sql(address: Address, clock: Clock, patience: float) -> AsyncIterator[SqlSink]:
    """Open the database (a file is created), with the state's tables in it. Raises WriteError, StateError, PlanError."""
    lane = Lane("syncline-sql")
    try:
        database = await lane.run(lambda: prepared(_opened(address)))
        sink = SqlSink(lane, database, tables_of(database), clock, patience)
    except BaseException:
        lane.close()
        raise
    try:
        yield sink
    finally:
        await sink.close()


def _opened(address: Address) -> Database:
    try:
        return address.open()
    except StateError as problem:  # here it is the destination that cannot be opened
        raise WriteError(problem.what, hint=problem.hint, evidence=problem.evidence) from problem.__cause__
