"""SQL destinations at work: rows, dead letters and checkpoint in one transaction, on one connection and thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from syncline.databases import Address, Database, Lane
from syncline.destinations.destination import SchemaPolicy, Target, note_of, with_note
from syncline.destinations.sql.dialects import tables_of
from syncline.destinations.sql.identifiers import checked_table
from syncline.destinations.sql.rows import Put, Rows, Unfit
from syncline.destinations.sql.tables import Tables
from syncline.errors import PlanError, StateError, WriteError
from syncline.events import Reached, SchemaChanged, emit
from syncline.model import Batch, Checkpoint, Clock, Rejected, Written
from syncline.state import Lease
from syncline.state.journal import DeadLetters
from syncline.state.store import SqlStateStore, prepared

AT_ONCE = 1_000
"""Rows that are written within a few milliseconds."""
STAGED = "syncline_staging_"
STAGING = "staging"

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
    ) -> SqlWriter:
        table = checked_target(self._tables, stream, target, primary_key)
        name = table
        if target.write == "replace":
            name = STAGED + table
            going_on = not fresh and note_of(checkpoint).get(STAGING) == name
            await self.state.patience.call(lambda: self._stage(table, name, primary_key, lease, going_on=going_on))
        else:
            await self.state.patience.call(lambda: self._look(table))
        key_columns = () if target.write == "append" else primary_key
        rows = Rows(self._tables, name, key_columns, schema)
        return SqlWriter(
            self._lane, self._database, self._tables, self._clock, state=self.state, rows=rows, table=table, staged=name
        )

    async def close(self) -> None:
        await self._lane.run(self._database.close)
        self._lane.close()

    def _look(self, table: str) -> None:
        with self._database.explained(WriteError):
            self._tables.load(table)

    def _stage(self, table: str, name: str, key: tuple[str, ...], lease: Lease, *, going_on: bool) -> None:
        """Lay a table aside for the pass, in the shape of the one it will replace."""
        with self._database.transaction(WriteError):
            self.state.ledger.refuse_fenced_out(lease)  # an old holder must not drop our rows
            before = self._tables.load(table)
            if not going_on:
                self._tables.drop(name)
            if before.exists and not self._tables.load(name).exists:
                self._tables.apply(self._tables.laid_aside(name, before, key))


class SqlWriter:
    """One stream's way into one table. `staged` is the table written to; it takes the place of `table` in the end."""

    def __init__(
        self,
        lane: Lane,
        database: Database,
        tables: Tables,
        clock: Clock,
        *,
        state: SqlStateStore,
        rows: Rows,
        table: str,
        staged: str,
    ) -> None:
        self._lane, self._database, self._tables, self._clock = lane, database, tables, clock
        self._state, self._ledger, self._letters = state, state.ledger, DeadLetters(database)
        self._rows, self._table, self._staged = rows, table, staged

    async def write(
        self,
        batch: Batch,
        rejected: Sequence[Rejected],
        checkpoint: Checkpoint | None,
        lease: Lease,
        *,
        records: Sequence[Any] | None = None,
        resolved: Sequence[int] = (),
    ) -> Written:
        if checkpoint is not None and self._staged != self._table:
            checkpoint = with_note(checkpoint, {STAGING: self._staged})
        done: list[Done] = []

        def attempt(put_rows: Callable[[Batch], Put], *, begun: bool = False) -> Done:
            done.clear()
            with self._forgetful(), self._database.transaction(WriteError, begun=begun):
                put = put_rows(batch) if batch.rows else Put()
                refused = refusals_of(put, batch, records)
                emit(Reached(station="rows written"))
                self._ledger.commit(lease, checkpoint, now=self._clock.now(), written=put.written)
                if rejected or refused:
                    self._letters.add(lease.key, lease.owner.run_id, [*rejected, *refused], self._clock.now())
                if resolved:
                    self._letters.mark(resolved, "retried", attempted=True)
                done.append((Written(written=put.written, unchanged=put.unchanged, rejected=refused), put.changes))
                emit(Reached(station="checkpoint written"))
            self._ledger.committed(lease)
            emit(Reached(station="committed"))
            return done[0]

        def both(*, begun: bool = False) -> Done:
            try:
                return attempt(self._put, begun=begun)
            except Unfit:
                return attempt(self._put_carefully)

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

    def _put(self, batch: Batch) -> Put:
        return self._rows.put(self._rows.ready(batch))

    def _put_carefully(self, batch: Batch) -> Put:
        return self._rows.put_carefully(self._rows.ready_carefully(batch))

    def _begun(self) -> bool:
        with self._database.explained(WriteError):
            return self._database.begun_at_once()

    async def finish(self, checkpoint: Checkpoint, lease: Lease) -> None:
        def commit() -> bool:
            with self._forgetful(), self._database.transaction(WriteError):
                if self._staged != self._table:
                    self._swap()
                    emit(Reached(station="rows exchanged"))
                self._ledger.commit(lease, with_note(checkpoint, None), now=self._clock.now())
                emit(Reached(station="pass written"))
            self._ledger.committed(lease)
            emit(Reached(station="pass committed"))
            return True

        def landed() -> bool | None:
            with self._database.explained(WriteError):
                return self._ledger.landed(lease) or None

        await self._state.patience.call(commit, landed)

    def _swap(self) -> None:
        """Put what was staged in the table's place."""
        staged, before = self._tables.load(self._staged), self._tables.load(self._table)
        if not staged.exists:
            return
        if not before.exists or not before.ours or not self._tables.exchanges:
            key = staged.key if not before.exists else ()
            self._tables.apply(self._tables.changes(before, list(staged.columns.values()), key))
            before = self._tables.load(self._table)
        self._tables.take_place(staged, before)

    @contextmanager
    def _forgetful(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._rows.forget()
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
