"""Where a stream is written, and how it is read back with nothing but the database's own driver, or with none.

A new destination is one class here, named in `PLACES`.
"""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.crash.api import Api
from tests.crash.oracle import Found, Raw
from tests.crash.recipient import Recipient
from tests.support.services import need_mariadb, need_postgresql

THINGS, LINES = "things", "things_lines"


class Place(ABC):
    """One life's own: a folder, and a schema or database named after it. `drop` takes away what is outside of the folder."""

    name: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    stations: ClassVar[tuple[str, ...]] = ("dead letters written", "checkpoint written", "committed")
    batch: ClassVar[int] = 2_000
    """Rows that it writes at once; the sources of its lives are a few times as large."""
    driver: ClassVar[tuple[str, ...]] = ()
    """Modules that its victims are going to need."""
    soft: ClassVar[bool] = True
    """Whether rows can be deleted softly."""
    counted: ClassVar[bool] = True

    def __init__(self, folder: Path, api: Api) -> None:
        self.folder, self.api = folder, api

    @abstractmethod
    def destination(self) -> dict[str, Any]:
        """As the integration file has it."""

    def into(self, write: str) -> dict[str, Any]:
        return {"table": THINGS, "write": write}

    @abstractmethod
    def found(self) -> Found: ...

    @abstractmethod
    def state(self) -> Raw | None:
        """The stream's row of `sync_state`."""

    @classmethod
    def need(cls) -> None:
        """Skips where this machine does not have what it takes."""
        return

    @abstractmethod
    def expire(self) -> None:
        """Let the lease on the stream be over, as if a minute had passed."""

    def drop(self) -> None:
        """Take away what is outside of the folder."""
        return


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


class Files(Place):
    """Files in a folder; the state is beside it."""

    modes = ("append", "replace")

    @abstractmethod
    def read(self, path: Path) -> list[Raw]:
        """Every row of a visible file; raises where a line or the file is torn."""

    def found(self) -> Found:
        out = self.folder / "out"
        visible = [p for p in sorted(out.rglob("*")) if p.is_file() and not p.name.startswith((".", "_"))]
        return Found(
            rows=[row for path in visible for row in self.read(path)],
            lines=None,
            letters=StateFile(self.folder).letters(),
            state=self.state(),
            leftovers=[str(p.relative_to(out)) for p in sorted(out.rglob("*")) if p.name.endswith((".part", ".tmp"))],
        )

    def state(self) -> Raw | None:
        return StateFile(self.folder).state()

    def expire(self) -> None:
        StateFile(self.folder).expire()


class Jsonl(Files):
    name = "jsonl"

    def destination(self) -> dict[str, Any]:
        return {"kind": "file", "path": "out"}

    def read(self, path: Path) -> list[Raw]:
        data = path.read_bytes()
        assert not data or data.endswith(b"\n"), f"{path} ends in the middle of a line"
        return [json.loads(line, parse_float=Decimal) for line in data.splitlines()]


class StateFile:
    """The state of a destination that is no database."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".syncline" / "state.db"

    def letters(self) -> list[str]:
        return [row["record"] for row in self._rows("syncline_rejects")]

    def state(self) -> Raw | None:
        rows = self._rows("sync_state")
        return rows[0] if rows else None

    def expire(self) -> None:
        sqlite_rows(self.path, "UPDATE sync_state SET lease_until = '2024-01-01T00:00:00+00:00'")

    def _rows(self, table: str) -> list[Raw]:
        if not self.path.exists():
            return []
        named = f"SELECT 1 AS one FROM sqlite_master WHERE name = '{table}'"
        return sqlite_rows(self.path, f"SELECT * FROM {table}") if sqlite_rows(self.path, named) else []


def sqlite_rows(path: Path, statement: str) -> list[Raw]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(statement)]
        connection.commit()
        return rows


class OtherApi(Place):
    """Another API, which knows idempotency keys."""

    name = "api"
    modes = ("upsert", "missing", "append")
    stations = (
        "outbox stored",
        "request sent",
        "answer received",
        "outcome stored",
        "dead letters written",
        "checkpoint written",
        "committed",
        "checkpoint committed",
    )
    batch = 100
    driver = ("syncline.destinations.api.sink",)
    soft = False
    counted = False  # what a killed run had sent is found to be there, and is no write of the next one
    idempotent: ClassVar[bool] = True

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, api)
        self.recipient = Recipient(folder.name, idempotent=self.idempotent, drops=0.03)
        api.recipients[folder.name] = self.recipient

    def destination(self) -> dict[str, Any]:
        return {
            "kind": "rest",
            "base_url": f"{self.api.url}/{self.folder.name}",
            "retry": {"base": "10ms", "budget": "100%"},
        }

    def into(self, write: str) -> dict[str, Any]:
        into = {"write": write, "create": "POST /records", "id": "key"}
        return {**into, **self._safety(), **({} if write == "append" else {
            "update": "PATCH /records/{id}",
            "delete": "DELETE /records/{id}",
        })}  # fmt: skip

    def _safety(self) -> dict[str, Any]:
        return {"idempotency_header": "Idempotency-Key"}

    def found(self) -> Found:
        return Found(
            rows=list(self.recipient.records.values()),
            lines=None,
            letters=StateFile(self.folder).letters(),
            state=self.state(),
            doubled=[effect for effect, count in self.recipient.effects.items() if count > 1],
        )

    def state(self) -> Raw | None:
        return StateFile(self.folder).state()

    def expire(self) -> None:
        StateFile(self.folder).expire()

    def drop(self) -> None:
        del self.api.recipients[self.folder.name]


class SearchableApi(OtherApi):
    """Another API, which knows no idempotency: what is there is looked up before anything is sent again."""

    name = "api-lookup"
    modes = ("upsert",)
    idempotent = False

    def _safety(self) -> dict[str, Any]:
        return {"match": "id", "lookup": "GET /records?external={id}"}


PLACES: dict[str, type[Place]] = {
    place.name: place for place in (Sqlite, Postgresql, Mariadb, Jsonl, OtherApi, SearchableApi)
}
