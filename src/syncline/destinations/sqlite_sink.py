"""The SQLite destination at work: rows, dead letters and checkpoint in one transaction, on one connection and thread."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from syncline.destinations.destination import SchemaPolicy, Target, Trial, note_of, with_note
from syncline.destinations.identifiers import checked_table, fold, quoted
from syncline.destinations.sqlite_rows import Put, Rows, Unfit
from syncline.destinations.sqlite_table import (
    KEY_INDEX,
    Column,
    Table,
    column_of,
    evolve,
    indexes_of,
    load_table,
    take_place,
)
from syncline.errors import PlanError, WriteError
from syncline.events import SchemaChanged, emit
from syncline.model import Batch, Checkpoint, Clock, Rejected, Written
from syncline.state import Lane, Lease, StateStore
from syncline.state.journal import DeadLetters
from syncline.state.ledger import Ledger
from syncline.state.sqlite import MEMORY, begun_at_once, connect, explained, transaction
from syncline.state.store import SqliteStateStore, prepared

R = TypeVar("R")

AT_ONCE = 1_000
"""Rows that are written within a few milliseconds."""
STAGED = "syncline_staging_"
STAGING = "staging"


class SqliteSink:
    """An open SQLite database."""

    def __init__(self, lane: Lane, connection: sqlite3.Connection, clock: Clock) -> None:
        self.state: StateStore = SqliteStateStore(lane, connection)
        self._lane, self._connection, self._clock = lane, connection, clock

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
    ) -> SqliteWriter:
        table = checked_target(stream, target, primary_key)
        name = table
        if target.write == "replace":
            name = STAGED + table
            going_on = not fresh and note_of(checkpoint).get(STAGING) == name
            await self._lane.run(self._stage, table, name, primary_key, lease, going_on=going_on)
        else:
            await self._lane.run(self._look, table)
        key_columns = () if target.write == "append" else primary_key
        rows = Rows(self._connection, name, key_columns, schema)
        return SqliteWriter(self._lane, self._connection, self._clock, key=key, rows=rows, table=table, staged=name)

    async def close(self) -> None:
        await self._lane.run(self._connection.close)
        self._lane.close()

    def _look(self, table: str) -> None:
        with explained(table, WriteError):
            load_table(self._connection, table)

    def _stage(self, table: str, name: str, key: tuple[str, ...], lease: Lease, *, going_on: bool) -> None:
        """Lay a table aside for the pass, in the shape of the one it will replace."""
        with transaction(self._connection, WriteError):
            Ledger(self._connection).commit(lease, None, now=self._clock.now())  # an old holder must not drop our rows
            before = load_table(self._connection, table)
            if not going_on:
                self._connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            if before.exists and not load_table(self._connection, name).exists:
                columns = {fold(column): column_of(column, "unknown") for column in key} | before.columns
                shape = Table(name, columns, key if before.ours else before.key)
                self._connection.execute(shape.create(name))


class SqliteWriter:
    """One stream's way into one table. `staged` is the table written to; it takes the place of `table` in the end."""

    def __init__(
        self, lane: Lane, connection: sqlite3.Connection, clock: Clock, *, key: str, rows: Rows, table: str, staged: str
    ) -> None:
        self._lane, self._connection, self._clock = lane, connection, clock
        self._key, self._rows, self._table, self._staged = key, rows, table, staged
        self._ledger, self._letters = Ledger(connection), DeadLetters(connection)

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

        def attempt(put_rows: Callable[[Batch], Put], *, begun: bool = False) -> tuple[Written, list[str]]:
            with self._forgetful(), transaction(self._connection, WriteError, begun=begun):
                put = put_rows(batch) if batch.rows else Put()
                refused = refusals_of(put, batch, records)
                self._ledger.commit(lease, checkpoint, now=self._clock.now(), written=put.written)
                if rejected or refused:
                    self._letters.add(self._key, lease.owner.run_id, [*rejected, *refused], self._clock.now())
                if resolved:
                    self._letters.mark(resolved, "retried", attempted=True)
            return Written(written=put.written, unchanged=put.unchanged, rejected=refused), put.changes

        def both(*, begun: bool = False) -> tuple[Written, list[str]]:
            try:
                return attempt(self._rows.put, begun=begun)
            except Unfit:
                return attempt(self._rows.put_carefully)

        # a small batch is written right here: handing it to a thread costs more than it takes, as each of its rows would hand
        # the interpreter's lock over; whoever might have to wait for another writer, waits on the lane
        if len(batch.rows) <= AT_ONCE and self._lane.idle and self._begun():
            written, changes = both(begun=True)
        else:
            written, changes = await self._lane.run(both)
        for change in changes:
            emit(SchemaChanged(table=self._table, change=change))
        return written

    def _begun(self) -> bool:
        with explained(self._table, WriteError):
            return begun_at_once(self._connection)

    async def finish(self, checkpoint: Checkpoint, lease: Lease) -> None:
        def commit() -> None:
            with self._forgetful(), transaction(self._connection, WriteError):
                self._ledger.commit(lease, with_note(checkpoint, None), now=self._clock.now())
                if self._staged != self._table:
                    self._swap()

        await self._lane.run(commit)

    def _swap(self) -> None:
        """Put what was staged in the table's place. A table of somebody else's making keeps its definition."""
        staged, before = load_table(self._connection, self._staged), load_table(self._connection, self._table)
        if not staged.exists:
            return
        if not before.exists or before.ours:
            for name in indexes_of(self._connection, self._table):
                if name.startswith(KEY_INDEX):  # the staged table has a key of its own
                    self._connection.execute(f"DROP INDEX {quoted(name)}")
            take_place(self._connection, self._staged, self._table)
            return
        evolve(self._connection, before, {c.name: c.logical for c in _missing(staged, before)}, ())
        names = ", ".join(quoted(column.name) for column in staged.columns.values())
        self._connection.execute(f"DELETE FROM {quoted(self._table)}")  # noqa: S608
        self._connection.execute(
            f"INSERT INTO {quoted(self._table)} ({names}) SELECT {names} FROM {quoted(self._staged)}"  # noqa: S608
        )
        self._connection.execute(f"DROP TABLE {quoted(self._staged)}")

    @contextmanager
    def _forgetful(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._rows.forget()
            raise


def _missing(staged: Table, before: Table) -> list[Column]:
    return [column for folded, column in staged.columns.items() if folded not in before.columns]


def checked_target(stream: str, target: Target, primary_key: tuple[str, ...]) -> str:
    """The table's name, where the target can be written like that. Raises PlanError."""
    if target.write == "upsert" and not primary_key:
        raise PlanError(
            f"{stream}: write: upsert needs a primary key",
            hint="name it (`primary_key: id`), or set `into: {write: append}` or `replace`",
            stream=stream,
        )
    return checked_table(target.table or stream)


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
async def open_sqlite(path: Path, clock: Clock) -> AsyncIterator[SqliteSink]:
    """Open or create the database, with the state's tables in it. Raises WriteError, StateError."""
    lane = Lane("syncline-sqlite")

    def open_() -> sqlite3.Connection:
        with explained(path, WriteError):
            return prepared(connect(path, synchronous="NORMAL"))

    try:
        sink = SqliteSink(lane, await lane.run(open_), clock)
    except BaseException:
        lane.close()
        raise
    try:
        yield sink
    finally:
        await sink.close()


async def try_sqlite(path: Path, stream: str, target: Target, batch: Batch, primary_key: tuple[str, ...]) -> Trial:
    """Write the batch in a transaction that is rolled back, and say what it did."""
    table = checked_target(stream, target, primary_key)
    lane = Lane("syncline-trial")
    try:
        return await lane.run(_try, path, table, target, batch, primary_key)
    finally:
        lane.close()


def _try(path: Path, table: str, target: Target, batch: Batch, primary_key: tuple[str, ...]) -> Trial:
    with explained(path, WriteError):
        place = f"{path.absolute().as_uri()}?mode=rw" if path.exists() else MEMORY
        connection = sqlite3.connect(place, uri=place != MEMORY, isolation_level=None)
        try:
            rows = Rows(connection, table, () if target.write == "append" else primary_key)
            try:
                return _tried(connection, table, target, batch, rows.put)
            except Unfit:
                rows.forget()
                return _tried(connection, table, target, batch, rows.put_carefully)
        finally:
            connection.close()


def _tried(
    connection: sqlite3.Connection, table: str, target: Target, batch: Batch, put_rows: Callable[[Batch], Put]
) -> Trial:
    connection.execute("BEGIN IMMEDIATE")
    try:
        exists = load_table(connection, table).exists
        if exists and target.write == "replace":
            connection.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608
        before = _count(connection, table) if exists else 0
        put = put_rows(batch) if batch.rows else Put()
        inserts = (_count(connection, table) if load_table(connection, table).exists else 0) - before
    finally:
        connection.execute("ROLLBACK")
    return Trial(
        exists=exists,
        statements=tuple(put.changes),
        inserts=inserts,
        updates=put.written - inserts,
        unchanged=put.unchanged,
        rejected=refusals_of(put, batch, None),
    )


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])  # noqa: S608
