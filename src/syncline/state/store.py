"""The state in a database: asynchronous, one transaction a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from syncline.databases import Address, Database, Lane, sqlite_file
from syncline.databases.patience import PATIENCE, Patience
from syncline.errors import StateError
from syncline.events import Reached, emit
from syncline.model import Checkpoint, Clock, Rejected, SystemClock
from syncline.resilience import Outage
from syncline.state.circuits import Circuits
from syncline.state.journal import DeadLetters, Runs
from syncline.state.ledger import Ledger
from syncline.state.outbox import Links, Outbox
from syncline.state.owner import Owner
from syncline.state.records import (
    DeadLetter,
    Effect,
    Lease,
    Link,
    Outcome,
    RejectStatus,
    RunRecord,
    Status,
    StreamState,
)
from syncline.state.schema import exist, prepare

P = ParamSpec("P")
R = TypeVar("R")


class _Door:
    """Runs a blocking method on the lane, in a transaction of its own where it writes."""

    def __init__(self, database: Database, patience: Patience) -> None:
        self._database, self._patience = database, patience

    async def _read(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        def call() -> R:
            with self._database.explained():
                return method(*args, **kwargs)

        return await self._patience.call(call)

    async def _write(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        def call() -> R:
            with self._database.transaction():
                return method(*args, **kwargs)

        return await self._patience.call(call)


class SqlStateStore(_Door):
    """The state in a database, on a connection of its own or on that of an SQL destination."""

    def __init__(self, lane: Lane, database: Database, clock: Clock, patience: float = PATIENCE) -> None:
        super().__init__(database, Patience(database, lane, clock, patience))
        self.ledger = Ledger(database)
        self.patience = self._patience
        self.runs = SqlRunLog(database, self._patience)
        self.dead_letters = SqlDeadLetterBox(database, self._patience)
        self.outbox = SqlEffectBox(database, self._patience, self.ledger)

    def circuit(self, key: str) -> SqlCircuit:
        return SqlCircuit(self._database, self._patience, key)

    async def load(self, key: str) -> StreamState:
        return await self._read(self.ledger.load, key)

    async def all(self) -> list[StreamState]:
        return await self._read(self.ledger.all)

    async def acquire(self, key: str, owner: Owner, now: datetime, ttl: float) -> Lease:
        await self._read(self.ledger.refuse_held, key, now)  # without waiting for a writer: the loser leaves at once

        def take() -> Lease:
            with self._database.transaction():
                return self.ledger.acquire(key, owner, now, ttl)

        def taken() -> Lease | None:
            with self._database.explained():
                return self.ledger.acquired(key, owner)

        try:
            return await self._patience.call(take, taken)
        except StateError:
            await self._read(self.ledger.refuse_held, key, now)  # two wrote the stream's first line at once
            raise

    async def renew(self, lease: Lease, now: datetime, ttl: float) -> None:
        await self._write(self.ledger.renew, lease, now, ttl)

    async def refuse_fenced_out(self, lease: Lease) -> None:
        await self._write(self.ledger.refuse_fenced_out, lease)

    async def release(self, lease: Lease, status: Status, error: str | None = None) -> None:
        await self._write(self.ledger.release, lease, status, error)

    async def commit(
        self,
        lease: Lease,
        checkpoint: Checkpoint | None,
        *,
        now: datetime,
        written: int = 0,
        rejected: Sequence[Rejected] = (),
        resolved: Sequence[int] = (),
        passed: Sequence[str] = (),
    ) -> None:
        letters = DeadLetters(self._database)

        def all_or_none() -> bool:
            with self._database.transaction():
                self.ledger.commit(lease, checkpoint, now=now, written=written)
                letters.add(lease.key, lease.owner.run_id, rejected, now)
                letters.mark(resolved, "retried", attempted=True)
                Outbox(self._database).pass_by(passed)
                emit(Reached(station="checkpoint written"))
            self.ledger.committed(lease)
            emit(Reached(station="committed"))
            return True

        def landed() -> bool | None:
            with self._database.explained():
                return self.ledger.landed(lease) or None

        await self._patience.call(all_or_none, landed)

    async def reset(self, key: str, now: datetime) -> None:
        await self._write(self.ledger.reset, key, now)

    async def rewind(self, key: str, cursor: Any, now: datetime) -> None:
        await self._write(self.ledger.rewind, key, cursor, now)


class SqlRunLog(_Door):
    def __init__(self, database: Database, patience: Patience) -> None:
        super().__init__(database, patience)
        self._runs = Runs(database)

    async def start(self, run_id: str, integration: str, now: datetime) -> None:
        await self._write(self._runs.start, run_id, integration, now)

    async def finish(self, run_id: str, status: str, report: dict[str, Any] | None, now: datetime) -> None:
        await self._write(self._runs.finish, run_id, status, report, now)

    async def list(self, integration: str | None = None, limit: int = 50) -> list[RunRecord]:
        return await self._read(self._runs.list, integration, limit)


class SqlDeadLetterBox(_Door):
    def __init__(self, database: Database, patience: Patience) -> None:
        super().__init__(database, patience)
        self._letters = DeadLetters(database)

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

    async def amend(self, letter: int, record: Any) -> None:
        await self._write(self._letters.amend, letter, record)


class SqlEffectBox(_Door):
    """Each of its writes does no harm twice, so that one whose answer was lost is simply made again."""

    def __init__(self, database: Database, patience: Patience, ledger: Ledger) -> None:
        super().__init__(database, patience)
        self._effects, self._links, self._ledger = Outbox(database), Links(database), ledger

    async def keep(
        self,
        lease: Lease,
        effects: Sequence[Effect],
        *,
        links: Sequence[Link] = (),
        unlinked: Sequence[str] = (),
        removed: Sequence[str] = (),
        now: datetime,
    ) -> None:
        def all_or_none() -> None:
            self._ledger.refuse_fenced_out(lease)
            self._effects.remove(removed)
            self._effects.put(effects)
            self._links.remove(lease.key, unlinked)
            self._links.put(lease.key, links, now)

        await self._write(all_or_none)

    async def see(self, lease: Lease, source_keys: Sequence[str], mark: str) -> None:
        def all_or_none() -> None:
            self._ledger.refuse_fenced_out(lease)
            self._links.see(lease.key, source_keys, mark)

        await self._write(all_or_none)

    async def forget_digests(self, lease: Lease) -> int:
        def all_or_none() -> int:
            self._ledger.refuse_fenced_out(lease)
            return self._links.forget_digests(lease.key)

        return await self._write(all_or_none)

    async def effects(self, key: str, outcomes: Sequence[Outcome] = (), limit: int | None = None) -> list[Effect]:
        return await self._read(self._effects.select, key, outcomes, limit)

    async def count(self, key: str, outcome: Outcome) -> int:
        return await self._read(self._effects.count, key, outcome)

    async def links(self, key: str, source_keys: Sequence[str]) -> dict[str, Link]:
        return await self._read(self._links.load, key, source_keys)

    async def count_links(self, key: str, unseen: str | None = None) -> int:
        return await self._read(self._links.count, key, unseen)

    async def unseen(self, key: str, mark: str, limit: int) -> list[Link]:
        return await self._read(self._links.unseen, key, mark, limit)


class SqlCircuit(_Door):
    """The circuit of one API, kept under its key."""

    def __init__(self, database: Database, patience: Patience, key: str) -> None:
        super().__init__(database, patience)
        self._circuits, self._key = Circuits(database), key

    async def load(self) -> Outage | None:
        return await self._read(self._circuits.load, self._key)

    async def save(self, outage: Outage | None) -> None:
        await self._write(self._circuits.save, self._key, outage)


@asynccontextmanager
async def open_state(
    place: Path | Address, *, create: bool = True, clock: Clock | None = None
) -> AsyncIterator[SqlStateStore]:
    """The store at this place. With `create=False` a file or tables that are not there read as empty and stay absent."""
    lane = Lane("syncline-state")
    address = sqlite_file(place) if isinstance(place, Path) else place
    try:
        database = await lane.run(_open, address, create)
        try:
            yield SqlStateStore(lane, database, clock or SystemClock())
        finally:
            await lane.run(database.close)
    finally:
        lane.close()


def _open(address: Address, create: bool) -> Database:
    if not create:
        return prepared(address.open_to_look()) if _has_state(address) else _empty()
    if not address.missing or address.path is None:
        return prepared(address.open())
    with _private(address.path, touch=address.kind == "sqlite"):
        return prepared(address.open())


def prepared(database: Database) -> Database:
    """The database with the state's tables in it, closed where that fails."""
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _has_state(address: Address) -> bool:
    """Whether there is a state at this place; only reads."""
    if address.missing:
        return False
    database = address.open_to_read()
    try:
        return exist(database)
    finally:
        database.close()


def _empty() -> Database:
    from syncline.databases.sqlite import MEMORY, SqliteDatabase  # late: sqlite3 is needed by runs only

    return prepared(SqliteDatabase.open(MEMORY))


@contextmanager
def _private(path: Path, *, touch: bool) -> Iterator[None]:
    """For a file that is created in here: dead letters are people's records. DuckDB does not open one that is there and empty."""
    from syncline.databases.sqlite import explain  # late: as above

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if touch:
            path.touch(mode=0o600)
        yield
        path.chmod(0o600)
    except OSError as problem:
        raise explain(problem, path) from problem
