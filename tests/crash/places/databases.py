"""Databases, read by their drivers."""

from __future__ import annotations

import json
from abc import abstractmethod
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.crash.api import Api
from tests.crash.oracle import Found, Raw
from tests.crash.places.place import LINES, THINGS, Place, sqlite_rows
from tests.support.services import need_mariadb, need_postgresql


class SqlPlace(Place):
    modes = ("upsert", "missing", "append", "replace")
    stations = (
        "before schema change",
        "schema changed",
        "parents written",
        "rows written",
        "dead letters written",
        "checkpoint written",
        "committed",
        "rows exchanged",
        "pass written",
        "pass committed",
    )

    def into(self, write: str) -> dict[str, Any]:
        return {**super().into(write), "children": {"lines": {"table": LINES}}}

    @abstractmethod
    def query(self, statement: str) -> list[Raw]: ...

    @abstractmethod
    def change(self, statement: str) -> None: ...

    @abstractmethod
    def tables(self) -> set[str]: ...

    def found(self) -> Found:
        tables = self.tables()

        def rows(table: str) -> list[Raw]:
            return self.query(f"SELECT * FROM {table}") if table in tables else []

        return Found(
            rows=rows(THINGS),
            lines=rows(LINES),
            letters=[row["record"] for row in rows("syncline_rejects")],
            state=self.state(),
            leftovers=sorted(t for t in tables if t.startswith(("syncline_staging_", "syncline_stage_"))),
        )

    def state(self) -> Raw | None:
        rows = self.query("SELECT * FROM sync_state") if "sync_state" in self.tables() else []
        return rows[0] if rows else None

    def expire(self) -> None:
        self.change("UPDATE sync_state SET lease_until = '2024-01-01T00:00:00+00:00'")


class Sqlite(SqlPlace):
    name = "sqlite"
    batch = 1_000

    def destination(self) -> dict[str, Any]:
        return {"kind": "sql", "url": "sqlite:///things.db"}

    def query(self, statement: str) -> list[Raw]:
        return sqlite_rows(self.folder / "things.db", statement)

    def change(self, statement: str) -> None:
        sqlite_rows(self.folder / "things.db", statement)

    def tables(self) -> set[str]:
        if not (self.folder / "things.db").exists():
            return set()
        return {row["name"] for row in self.query("SELECT name FROM sqlite_master WHERE type = 'table'")}


ALCHEMY = ("sqlalchemy", "syncline.databases.alchemy", "syncline.destinations.sql.alchemy")


class Pysqlite(Sqlite):
    """SQLite through SQLAlchemy."""

    name = "pysqlite"
    driver = ALCHEMY

    def destination(self) -> dict[str, Any]:
        return {"kind": "sql", "url": "sqlite+pysqlite:///things.db"}


class Duckdb(SqlPlace):
    name = "duckdb"
    batch = 20_000
    driver = ("duckdb", "syncline.databases.duckdb", "syncline.destinations.sql.duckdb")

    def destination(self) -> dict[str, Any]:
        return {"kind": "duckdb", "path": "things.duckdb"}

    def query(self, statement: str) -> list[Raw]:
        """Values as text: Python's own would lose what they cannot hold."""
        return self._do(f"SELECT COLUMNS(*)::VARCHAR FROM ({statement})")

    def change(self, statement: str) -> None:
        self._do(statement)

    def tables(self) -> set[str]:
        if not self._file.exists():
            return set()
        return {row["name"] for row in self._do("SELECT table_name AS name FROM duckdb_tables()")}

    def state(self) -> Raw | None:
        state = super().state()
        return state and {**state, **{name: int(state[name]) for name in ("fence", "commits", "items_synced")}}

    @property
    def _file(self) -> Path:
        return self.folder / "things.duckdb"

    def _do(self, statement: str) -> list[Raw]:
        import duckdb

        with duckdb.connect(str(self._file)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            cursor = connection.execute(statement)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Postgresql(SqlPlace):
    name = "postgresql"
    driver = ("psycopg", "syncline.databases.postgres", "syncline.destinations.sql.postgres")

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, api)
        self.base, self.schema = need_postgresql(), f"syncline_crash_{folder.name}"
        self._do(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')
        self._do(f'CREATE SCHEMA "{self.schema}"')

    @classmethod
    def need(cls) -> None:
        need_postgresql()

    def destination(self) -> dict[str, Any]:
        return {"kind": "sql", "url": f"{self.base}?options=-csearch_path%3D{self.schema}"}

    def query(self, statement: str) -> list[Raw]:
        import psycopg

        url = f"{self.base}?options=-csearch_path%3D{self.schema}"
        with psycopg.connect(url, row_factory=psycopg.rows.dict_row, autocommit=True) as connection:
            psycopg.types.json.set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)
            return list(connection.execute(statement))

    def tables(self) -> set[str]:
        return {row["relname"] for row in self.query(
            f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = '{self.schema}'::regnamespace"
        )}  # fmt: skip

    def drop(self) -> None:
        self._do(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')

    def change(self, statement: str) -> None:
        self._do(f'SET search_path = "{self.schema}"; {statement}')

    def _do(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(statement)


class Psycopg(Postgresql):
    """PostgreSQL through SQLAlchemy."""

    name = "psycopg"
    driver = ("psycopg", *ALCHEMY)

    def destination(self) -> dict[str, Any]:
        native = str(super().destination()["url"])
        return {"kind": "sql", "url": native.replace("postgresql://", "postgresql+psycopg://", 1)}


class Mariadb(SqlPlace):
    name = "mariadb"
    driver = ("pymysql", "pymysql.cursors", "syncline.databases.mysql", "syncline.destinations.sql.mysql")

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, api)
        self.base, self.database = need_mariadb(), f"syncline_crash_{folder.name}"
        self._do(f"DROP DATABASE IF EXISTS `{self.database}`", database=None)
        self._do(f"CREATE DATABASE `{self.database}`", database=None)

    @classmethod
    def need(cls) -> None:
        need_mariadb()

    def destination(self) -> dict[str, Any]:
        return {"kind": "sql", "url": f"{self.base}/{self.database}"}

    def query(self, statement: str) -> list[Raw]:
        return self._do(statement, database=self.database)

    def change(self, statement: str) -> None:
        self._do(statement.replace("+00:00", ""), database=self.database)

    def tables(self) -> set[str]:
        return {name for row in self.query("SHOW TABLES") for name in row.values()}

    def drop(self) -> None:
        self._do(f"DROP DATABASE IF EXISTS `{self.database}`", database=None)

    def _do(self, statement: str, *, database: str | None) -> list[Raw]:
        import pymysql.cursors

        parts = urlsplit(self.base)
        with closing(pymysql.connect(
            host=parts.hostname, port=parts.port or 3306, user=parts.username or "root", password=parts.password or "",
            database=database, charset="utf8mb4", autocommit=True, cursorclass=pymysql.cursors.DictCursor,
        )) as connection:  # fmt: skip
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
