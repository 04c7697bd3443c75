"""Tokens in PostgreSQL, for many machines: one sealed row each, an advisory lock, and the database's clock."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeVar

from syncline.errors import PlanError, StateError
from syncline.http.tokens.kept import OvertakenError
from syncline.http.tokens.waiting import until_locked
from syncline.model import Clock, Secret

T = TypeVar("T")

CONNECT_SECONDS = 10
TABLE = """\
CREATE TABLE IF NOT EXISTS syncline_tokens (
    name text PRIMARY KEY,
    revision bigint NOT NULL,
    sealed bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
)"""
TABLE_LOCK = 7_382_501
PROBES = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
"""So that the lock of a machine that lost its power is given back after a minute, not after the system's two hours."""


class Postgres:
    """A place for one token. Each step has a connection of its own: tokens are asked for rarely."""

    def __init__(self, url: Secret, name: str) -> None:
        self.shown = "PostgreSQL, table syncline_tokens"
        self._url, self._name = url, name
        self._lock = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        self._psycopg = _psycopg()

    async def now(self, clock: Clock) -> datetime:
        """The database's: machines may disagree (R11)."""
        return await _in_thread(lambda: self._one("SELECT clock_timestamp()")[0])

    async def read(self) -> tuple[int, bytes] | None:
        return await _in_thread(self._read)

    async def swap(self, revision: int, sealed: bytes) -> int:
        """Replace that revision (0: nothing) and return the new one. Raises OvertakenError."""
        if revision == 0:
            statement = (
                "INSERT INTO syncline_tokens (name, revision, sealed) VALUES (%s, 1, %s) ON CONFLICT DO NOTHING"
                " RETURNING revision"
            )
            values: tuple[Any, ...] = (self._name, sealed)
        else:
            statement = (
                "UPDATE syncline_tokens SET revision = revision + 1, sealed = %s, changed_at = now()"
                " WHERE name = %s AND revision = %s RETURNING revision"
            )
            values = (sealed, self._name, revision)
        row = await _in_thread(lambda: self._one(statement, values))
        if row is None:
            raise OvertakenError
        return int(row[0])

    async def delete(self) -> bool:
        statement = "DELETE FROM syncline_tokens WHERE name = %s RETURNING name"
        return await _in_thread(lambda: self._one(statement, (self._name,))) is not None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        connection = await _in_thread(self._connect)
        try:
            # the lock belongs to the session: it ends with this process, however it comes
            await until_locked(lambda: _in_thread(lambda: self._try_lock(connection)), self.shown)
            yield
        finally:
            connection.close()

    def _try_lock(self, connection: Any) -> bool:
        with self._explained():
            return bool(connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,)).fetchone()[0])

    def _read(self) -> tuple[int, bytes] | None:
        row = self._one("SELECT revision, sealed FROM syncline_tokens WHERE name = %s", (self._name,))
        return None if row is None else (int(row[0]), bytes(row[1]))

    def _one(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        connection = self._connect()
        try:
            with self._explained():
                try:
                    return connection.execute(statement, values).fetchone()
                except self._psycopg.errors.UndefinedTable:
                    self._create_table(connection)
                    return connection.execute(statement, values).fetchone()
        finally:
            connection.close()

    def _create_table(self, connection: Any) -> None:
        with connection.transaction():  # IF NOT EXISTS alone fails where two do it at once
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (TABLE_LOCK,))
            connection.execute(TABLE)

    def _connect(self) -> Any:
        with self._explained():
            connection = self._psycopg.connect(
                self._url.reveal(), autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="syncline tokens"
            )
            connection.execute(PROBES)
            return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            # the driver's own text may hold the address with its password
            diagnosis = error.diag.message_primary if error.diag else None
            raise StateError(
                "the token store in PostgreSQL cannot be used",
                evidence=diagnosis or type(error).__name__,
                hint="check the address in `tokens`, and that its user may create and write the table syncline_tokens",
            ) from None


def _psycopg() -> Any:
    try:
        import psycopg  # late: an optional extra, and slow to import
    except ImportError:
        raise PlanError("tokens in PostgreSQL need a package", hint="pip install 'syncline[postgres]'") from None
    return psycopg


async def _in_thread(function: Callable[[], T]) -> T:
    """Run it to its end, even where the caller is cancelled meanwhile: nobody closes a connection under it."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
