"""From a URL to an open database: the scheme decides."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import msgspec

from syncline.databases.database import Database
from syncline.errors import PlanError
from syncline.model import Secret, format_size
from syncline.model.names import did_you_mean
from syncline.model.units import read_size

Kind = Literal["sqlite", "duckdb", "postgresql", "mysql", "sqlalchemy"]

LEAST_MEMORY = 64_000_000
"""Bytes: with less, DuckDB can read no rows."""
SCHEMES: dict[str, Kind] = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is: a file's path, or a URL, which may hold a password and is never shown."""

    kind: Kind
    path: Path | None = None
    url: Secret | None = None
    memory_limit: int | None = None
    """Bytes, of DuckDB."""

    @property
    def missing(self) -> bool:
        """Whether it is a file that is not there yet; a server's database is always taken to be there."""
        return self.path is not None and not self.path.exists()

    def open(self) -> Database:
        """Connect; a file that is not there is created. Raises PlanError for a missing driver, LeaseError where another process
        has the file to itself, StateError."""
        if self.kind == "sqlalchemy":
            return _generic("alchemy").AlchemyDatabase.open(self.url)  # type: ignore[no-any-return]
        if self.kind == "sqlite":
            from syncline.databases.sqlite import SqliteDatabase  # late: sqlite3 is needed by runs only

            return SqliteDatabase.open(self._place)
        if self.kind == "duckdb":
            from syncline.databases.duckdb import DuckdbDatabase  # late: an optional extra, and slow to import

            return DuckdbDatabase.open(self._place, self.memory_limit)
        assert self.url is not None
        if self.kind == "mysql":
            from syncline.databases.mysql import MysqlDatabase  # late: an optional extra

            return MysqlDatabase.open(self.url)
        from syncline.databases.postgres import PostgresDatabase  # late: an optional extra

        return PostgresDatabase.open(self.url)

    def open_to_read(self) -> Database:
        """Connect without changing anything; a file must be there. Raises as `open`."""
        if self.kind == "sqlite":
            from syncline.databases.sqlite import SqliteDatabase  # late: as above

            return SqliteDatabase.open_to_read(self._place)
        if self.kind == "duckdb":
            from syncline.databases.duckdb import DuckdbDatabase  # late: as above

            return DuckdbDatabase.open_to_read(self._place, self.memory_limit)
        if self.kind == "sqlalchemy":
            return _generic("alchemy").AlchemyDatabase(self.url)  # type: ignore[no-any-return]
        return self.open()

    def open_to_look(self) -> Database:
        """Connect to what is there, to read and perhaps to repair; nobody else is kept out before something is written.

        Raises as `open`.
        """
        if self.kind == "duckdb":
            from syncline.databases.duckdb import DuckdbDatabase  # late: as above

            return DuckdbDatabase.open_to_look(self._place, self.memory_limit)
        return self.open()

    def open_empty(self) -> Database:
        """One of the same kind with nothing in it, in memory; for trying out what is not there yet."""
        if self.kind == "duckdb":
            from syncline.databases.duckdb import MEMORY as IN_MEMORY, DuckdbDatabase  # late: as above

            return DuckdbDatabase.open(IN_MEMORY)
        from syncline.databases.sqlite import MEMORY, SqliteDatabase  # late: as above

        return SqliteDatabase.open(MEMORY)

    @property
    def _place(self) -> Path:
        assert self.path is not None
        return self.path


def sqlite_file(path: Path) -> Address:
    return Address(kind="sqlite", path=path)


def duckdb_file(path: str, memory_limit: int | None = None) -> Address:
    """Raises PlanError for what is no file, and for a limit in bytes that is too low to work with."""
    if memory_limit is not None and memory_limit < LEAST_MEMORY:
        raise PlanError(
            f"memory_limit: {format_size(memory_limit)} is too little for DuckDB, which reads rows through a buffer of 32 MiB",
            hint=f"write {format_size(LEAST_MEMORY)} or more, or leave it out",
        )
    return Address(kind="duckdb", path=_file("duckdb", f"/{path}"), memory_limit=memory_limit)


def parse_address(url: str) -> Address:
    """Read a database's URL. Raises PlanError; the URL itself is never shown."""
    scheme, found, rest = url.partition("://")
    if not found:
        raise PlanError(
            "the url of the database is not a URL", hint="write sqlite:///shop.db, postgresql://… or mysql://…"
        )
    kind = SCHEMES.get(scheme)
    if kind == "duckdb" and rest.startswith("/"):
        path, _, query = rest[1:].partition("?")
        return duckdb_file(path, _memory_limit(query) if query else None)
    if kind in ("sqlite", "duckdb"):
        return Address(kind=kind, path=_file(scheme, rest))
    if kind is not None:
        return Address(kind=kind, url=Secret(url))
    return _alchemy_address(scheme, rest, Secret(url))


def _alchemy_address(scheme: str, rest: str, url: Secret) -> Address:
    """A scheme that has no way of its own: SQLAlchemy may have a dialect for it."""
    try:
        drivers = _generic("drivers")
    except PlanError as missing:
        if "+" in scheme:
            raise
        raise PlanError(
            f"there is no database behind {scheme[:40]!r} URLs",
            hint=f"{did_you_mean(scheme, SCHEMES)}; for databases that SQLAlchemy knows: {missing.hint}",
        ) from None
    if drivers.dialect_of(scheme, SCHEMES).name != "sqlite":
        return Address(kind="sqlalchemy", url=url)
    path = None if rest.startswith("/file:") else _file(scheme, rest.partition("?")[0])
    return Address(kind="sqlalchemy", url=url, path=path)


def _generic(module: str) -> Any:
    """A module of the way through SQLAlchemy. Raises PlanError where that is not installed."""
    try:
        return import_module(f"syncline.databases.{module}")  # late: an optional extra, and slow to import
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "sqlalchemy":
            raise
        raise PlanError("this URL needs SQLAlchemy", hint="pip install 'syncline[sqlalchemy]'") from None


def _memory_limit(query: str) -> int:
    """The one option that a duckdb URL may have, in bytes."""
    name, _, value = query.partition("=")
    try:
        if name != "memory_limit":
            raise ValueError("a duckdb URL takes no options here but memory_limit")
        return read_size(value)
    except ValueError as problem:
        raise PlanError(str(problem), hint="write duckdb:///shop.duckdb?memory_limit=512MB") from None


def _file(scheme: str, rest: str) -> Path:
    name = rest.removeprefix("/")
    if name in ("", ":memory:"):
        raise PlanError(
            "a database in memory would lose every row and the checkpoint at the end of the run",
            hint=f"name a file: {scheme}:///shop.db",
        )
    if not rest.startswith("/"):
        raise PlanError(
            f"a {scheme} URL has three slashes before a relative path, four before an absolute one",
            hint=f"write {scheme}:///shop.db or {scheme}:////var/lib/shop.db",
        )
    if "?" in name or "#" in name or "\0" in name:
        raise PlanError(
            f"a {scheme} URL takes no options here", hint=f"write the file's path alone: {scheme}:///shop.db"
        )
    return Path(name)
