"""Database servers that can give a rehearsal a room of its own: which statements that takes, and how it is named in a URL.

They are spoken to by their drivers. A lock that lives as long as the rehearsal's connection says whose scratch is in use.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from syncline.databases import Database, parse_address
from syncline.databases.mysql_address import arguments
from syncline.databases.shown import without_password
from syncline.errors import StateError, UsageError
from syncline.model import Secret
from syncline.rehearsal.scratch.away import Connect, Way

NAME = re.compile(r"syncline_rehearsal_([0-9a-f]{12})_\d+")
"""What scratch is called: no name that anybody else gives, so that it can be dropped without asking."""
AT_ONCE = 1_000
"""Rows that are read together."""
LOCK_SECONDS = 10


class Server(ABC):
    """A server, by the URL of a database in it."""

    word: ClassVar[str]
    """What it gives: a schema, a database."""
    here: ClassVar[str]
    """An expression for the one that tables are made in."""
    names: ClassVar[str]
    """A query for the names of all of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown = without_password(url)

    @abstractmethod
    def native(self) -> str:
        """The URL as the server's own driver reads it."""

    @abstractmethod
    def at(self, name: str, way: Way | None = None) -> str:
        """The URL that leads into the scratch of this name and nowhere else, perhaps by a way that can be cut."""

    @abstractmethod
    def lock(self, token: str) -> str:
        """A query that is true where the lock of this rehearsal was free, and is ours now until the connection ends."""

    @abstractmethod
    def drop(self, name: str) -> tuple[str, ...]: ...

    @abstractmethod
    def right(self) -> str:
        """The statement that lets a user make scratch."""

    @abstractmethod
    def route(self, database: Database) -> Connect | None:
        """How to connect as this session did; None where the way there cannot be led over another host."""

    @abstractmethod
    def rows(self, query: str, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
        """The rows of a query, a thousand at a time, by a connection of their own. Raises what the driver does."""

    @property
    @abstractmethod
    def errors(self) -> type[Exception]:
        """What the driver raises."""

    def read(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[dict[str, Any]]:
        """The rows of a query. Raises StateError."""
        try:
            yield from self.rows(query, values)
        except self.errors as problem:
            raise StateError(
                f"what was written to {self.shown} cannot be read",
                hint="see that the server is up and lets a few more connections in, then run it again",
                evidence=type(problem).__name__,  # its text may hold the password
            ) from None

    def open(self) -> Database:
        """Connect. Raises PlanError for a missing driver, StateError where the server cannot be reached."""
        return parse_address(self.native()).open()

    def tables(self) -> list[str]:
        query = f"SELECT table_name AS name FROM information_schema.tables WHERE table_schema = {self.here}"  # noqa: S608
        return [row["name"] for row in self.read(query)]

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'


class PostgresServer(Server):
    word = "schema"
    here = "current_schema()"
    names = "SELECT nspname FROM pg_namespace"

    def native(self) -> str:
        return f"postgresql://{self.url.partition('://')[2]}"

    def at(self, name: str, way: Way | None = None) -> str:
        base, _, query = self.url.partition("?")
        pairs = [pair for pair in query.split("&") if pair]
        options = [pair.partition("=")[2] for pair in pairs if pair.startswith("options=")]
        pairs = [pair for pair in pairs if not pair.startswith("options=")]
        pairs.append("options=" + quote(" ".join([*map(unquote, options), f"-csearch_path={name}"])))
        if way is not None:
            pairs = [pair for pair in pairs if pair.partition("=")[0] not in ("hostaddr", "port")]
            pairs += ["hostaddr=127.0.0.1", f"port={way.port}"]
        return f"{base}?{'&'.join(pairs)}"

    def lock(self, token: str) -> str:
        return f"SELECT pg_try_advisory_lock({int(token, 16)})"

    def drop(self, name: str) -> tuple[str, ...]:
        return (f"SET lock_timeout = '{LOCK_SECONDS}s'", f"DROP SCHEMA IF EXISTS {name} CASCADE")

    def right(self) -> str:
        return f"GRANT CREATE ON DATABASE {urlsplit(self.url).path.lstrip('/') or '…'} TO the user"

    def route(self, database: Database) -> Connect | None:
        import asyncio  # late, with the driver: only an act that takes the destination away needs a way to it

        info = database.connection.info  # type: ignore[attr-defined]
        if info.host.startswith("/"):
            return partial(asyncio.open_unix_connection, f"{info.host}/.s.PGSQL.{info.port}")
        return partial(asyncio.open_connection, info.hostaddr or info.host, info.port)

    @property
    def errors(self) -> type[Exception]:
        import psycopg  # late, as below

        return psycopg.Error

    def rows(self, query: str, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
        import psycopg  # late: an optional extra, there because the run has written with it
        from psycopg.types.json import set_json_loads

        with closing(psycopg.connect(self.native())) as connection:
            set_json_loads(partial(json.loads, parse_float=Decimal), connection)
            connection.execute("SET TIME ZONE 'UTC'")
            with connection.cursor("rows") as cursor:
                cursor.itersize = AT_ONCE
                cursor.execute(query.encode(), values or None)
                columns = [column.name for column in cursor.description or ()]
                yield from (dict(zip(columns, row, strict=True)) for row in cursor)


class MysqlServer(Server):
    word = "database"
    here = "DATABASE()"
    names = "SELECT schema_name FROM information_schema.schemata"

    def native(self) -> str:
        return f"mysql://{self.url.partition('://')[2]}"

    def at(self, name: str, way: Way | None = None) -> str:
        base, mark, query = self.url.partition("?")
        before = base.rpartition("/")[0]
        if way is not None:
            scheme, _, place = before.partition("://")
            user, at, _ = place.rpartition("@")
            before = f"{scheme}://{user}{at}127.0.0.1:{way.port}"
            query = "&".join(pair for pair in query.split("&") if "socket=" not in pair)
        return f"{before}/{name}{mark if query else ''}{query}"

    def lock(self, token: str) -> str:
        return f"SELECT GET_LOCK('syncline_rehearsal_{token}', 0) = 1"

    def drop(self, name: str) -> tuple[str, ...]:
        return (f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}", f"DROP DATABASE IF EXISTS {name}")

    def right(self) -> str:
        return r"GRANT ALL ON `syncline\_rehearsal\_%`.* TO the user"

    def route(self, database: Database) -> Connect | None:
        import asyncio  # late, as above

        given = arguments(Secret(self.native()))
        if getattr(given.get("ssl"), "check_hostname", False):
            return None  # the certificate names another host
        if "unix_socket" in given:
            return partial(asyncio.open_unix_connection, given["unix_socket"])
        return partial(asyncio.open_connection, given["host"], given["port"])

    @property
    def errors(self) -> type[Exception]:
        import pymysql  # late, as above

        return pymysql.Error

    def rows(self, query: str, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
        import pymysql.cursors  # late, as above

        given = arguments(Secret(self.native()))
        with closing(pymysql.connect(**given, charset="utf8mb4")) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET time_zone = '+00:00'")
            with connection.cursor(pymysql.cursors.SSDictCursor) as cursor:
                cursor.execute(query, values or None)
                while some := cursor.fetchmany(AT_ONCE):
                    yield from some

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"


SERVERS: dict[str, type[Server]] = {
    "postgresql": PostgresServer,
    "postgres": PostgresServer,
    "mysql": MysqlServer,
    "mariadb": MysqlServer,
}


def server_at(url: str) -> Server:
    """The server behind a URL, with SQLAlchemy's drivers or without. Raises UsageError where none is known that gives scratch."""
    scheme = url.partition("://")[0]
    kind = SERVERS.get(scheme.partition("+")[0])
    if kind is None:
        raise UsageError(
            f"scratch cannot be made at {scheme[:40] or 'such'} URLs",
            hint="name a PostgreSQL, MySQL or MariaDB server, or leave --scratch out: SQLite stands in",
        )
    return kind(url)


def refused(server: Server, problem: StateError) -> StateError:
    """The error of a user who may not make scratch, with what would let them."""
    return StateError(
        f"no {server.word} for the rehearsal can be made at {server.shown}",
        hint=f"{server.right()}, or name another server: --scratch URL",
        evidence=problem.evidence or problem.what,
    )
