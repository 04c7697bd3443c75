"""The state in an SQLite database: asynchronous, one transaction a call."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from syncline.model import Checkpoint, Rejected
from syncline.state.journal import DeadLetters, Runs
from syncline.state.lane import Lane
from syncline.state.ledger import Ledger
from syncline.state.owner import Owner
from syncline.state.records import DeadLetter, Lease, RejectStatus, RunRecord, Status, StreamState
from syncline.state.schema import prepare
from syncline.state.sqlite import MEMORY, connect, explained, transaction

P = ParamSpec("P")
R = TypeVar("R")


class _Door:
    """Runs a blocking method on the lane, in a transaction of its own where it writes."""

    def __init__(self, lane: Lane, connection: sqlite3.Connection) -> None:
        self._lane, self._connection = lane, connection

    async def _read(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        def call() -> R:
            with explained("the state store"):
                return method(*args, **kwargs)

        return await self._lane.run(call)

    async def _write(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        def call() -> R:
            with transaction(self._connection):
                return method(*args, **kwargs)

        return await self._lane.run(call)


class SqliteStateStore(_Door):
    """The state in an SQLite database, on its own connection or on that of an SQL destination."""

    def __init__(self, lane: Lane, connection: sqlite3.Connection) -> None:
        super().__init__(lane, connection)
        self._ledger = Ledger(connection)
        self.runs = SqliteRunLog(lane, connection)
        self.dead_letters = SqliteDeadLetterBox(lane, connection)

    async def load(self, key: str) -> StreamState:
        return await self._read(self._ledger.load, key)

    async def all(self) -> list[StreamState]:
        return await self._read(self._ledger.all)

    async def acquire(self, key: str, owner: Owner, now: datetime, ttl: float) -> Lease:
        await self._read(self._ledger.refuse_held, key, now)  # without waiting for a writer: the loser leaves at once
        return await self._write(self._ledger.acquire, key, owner, now, ttl)

    async def renew(self, lease: Lease, now: datetime, ttl: float) -> None:
        await self._write(self._ledger.renew, lease, now, ttl)

    async def release(self, lease: Lease, status: Status, error: str | None = None) -> None:
        await self._write(self._ledger.release, lease, status, error)

    async def commit(
        self,
        lease: Lease,
        checkpoint: Checkpoint | None,
        *,
        now: datetime,
        written: int = 0,
        rejected: Sequence[Rejected] = (),
        resolved: Sequence[int] = (),
    ) -> None:
        def all_or_none() -> None:
            self._ledger.commit(lease, checkpoint, now=now, written=written)
            letters = DeadLetters(self._connection)
            letters.add(lease.key, lease.owner.run_id, rejected, now)
            letters.mark(resolved, "retried", attempted=True)

        await self._write(all_or_none)

    async def reset(self, key: str, now: datetime) -> None:
        await self._write(self._ledger.reset, key, now)

    async def rewind(self, key: str, cursor: Any, now: datetime) -> None:
        await self._write(self._ledger.rewind, key, cursor, now)


class SqliteRunLog(_Door):
    def __init__(self, lane: Lane, connection: sqlite3.Connection) -> None:
        super().__init__(lane, connection)
        self._runs = Runs(connection)

    async def start(self, run_id: str, integration: str, now: datetime) -> None:
        await self._write(self._runs.start, run_id, integration, now)

    async def finish(self, run_id: str, status: str, report: dict[str, Any] | None, now: datetime) -> None:
        await self._write(self._runs.finish, run_id, status, report, now)

    async def list(self, integration: str | None = None, limit: int = 50) -> list[RunRecord]:
        return await self._read(self._runs.list, integration, limit)


class SqliteDeadLetterBox(_Door):
    def __init__(self, lane: Lane, connection: sqlite3.Connection) -> None:
        super().__init__(lane, connection)
        self._letters = DeadLetters(connection)

    async def add(self, key: str, run_id: str, rejected: Sequence[Rejected], now: datetime) -> None:
        await self._write(self._letters.add, key, run_id, rejected, now)

    async def list(
        self, key: str | None = None, status: RejectStatus | None = "open", limit: int = 1000
    ) -> list[DeadLetter]:
        return await self._read(self._letters.list, key, status, limit)

    async def get(self, letter: int) -> DeadLetter:
        return await self._read(self._letters.get, letter)

    async def mark(self, letters: Sequence[int], status: RejectStatus, *, attempted: bool = False) -> None:
        await self._write(self._letters.mark, letters, status, attempted=attempted)


@asynccontextmanager
async def open_state(path: Path, *, create: bool = True) -> AsyncIterator[SqliteStateStore]:
    """The store in this file. With `create=False` a file or tables that are not there read as empty and stay absent."""
    lane = Lane("syncline-state")
    try:
        connection = await lane.run(_open, path, create)
        try:
            yield SqliteStateStore(lane, connection)
        finally:
            await lane.run(connection.close)
    finally:
        lane.close()


def _open(path: Path, create: bool) -> sqlite3.Connection:
    with explained(path):
        if not create and not has_state(path):
            return prepared(connect(MEMORY))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # dead letters are people's records
        return prepared(connect(path))


def prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection with the state's tables in it, closed where that fails."""
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def has_state(path: Path) -> bool:
    """Whether the file holds a state; reads only."""
    if not path.exists():
        return False
    with explained(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_state'").fetchone() is not None
        finally:
            connection.close()
