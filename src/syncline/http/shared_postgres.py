"""Shared limits in the PostgreSQL that is already there, for many machines. Needs the extra `postgres`."""

from __future__ import annotations

from typing import Any

from syncline.errors import PlanError
from syncline.http.shared_store import STORE_SECONDS, Kept

TABLE = (
    "CREATE UNLOGGED TABLE IF NOT EXISTS syncline_limits "
    "(name text PRIMARY KEY, version bigint NOT NULL, value bytea NOT NULL) WITH (fillfactor = 50)"
)
PUT_FIRST = (
    "INSERT INTO syncline_limits VALUES (%s, 1, %s) ON CONFLICT DO NOTHING "
    "RETURNING extract(epoch FROM clock_timestamp())::float8"
)
PUT = (
    "UPDATE syncline_limits SET version = version + 1, value = %s WHERE name = %s AND version = %s "
    "RETURNING extract(epoch FROM clock_timestamp())::float8"
)
LOOK = (
    "SELECT kept.version, CASE WHEN kept.version <> %s THEN kept.value END, here.now "
    "FROM (SELECT extract(epoch FROM clock_timestamp())::float8) here(now) "
    "LEFT JOIN syncline_limits kept ON kept.name = %s"
)


class PostgresStore:
    """One row of an unlogged table, changed by one UPDATE … RETURNING, with the server's clock."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # late: an extra
        except ImportError:
            raise PlanError(
                "rate_limit.shared at postgresql:// needs a package that is not installed",
                hint="pip install 'syncline[postgres]'",
            ) from None
        self._psycopg, self._url = psycopg, url
        self._connection: Any = None

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        try:
            connection = self._connection or await self._open()
            if value is not None:
                how = (PUT, (value, key, known)) if known else (PUT_FIRST, (key, value))
                if row := await (await connection.execute(*how, binary=True)).fetchone():
                    return Kept(True, known + 1, value, row[0])
            row = await (await connection.execute(LOOK, (known, key), binary=True)).fetchone()
            return Kept(False, row[0] or 0, row[1], row[2])
        except BaseException:  # the connection's state is unknown: the next call opens another
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> Any:
        connection = await self._psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=max(int(STORE_SECONDS), 2), application_name="syncline limits"
        )
        self._connection = connection
        try:
            await connection.execute(TABLE)
        except self._psycopg.errors.UniqueViolation:  # another process made it in the same moment
            pass
        return connection
