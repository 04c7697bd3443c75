"""What every destination must do, whatever it is made of. A new destination passes by adding itself to `MAKERS`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import duckdb

from syncline.destinations import Destination, DuckDb, File, Sink, Sql, Target, Writer
from syncline.model import Batch, Checkpoint, Secret, decode_json
from syncline.state import Lease, Owner
from tests.support import s3, strange
from tests.support.clock import SimulatedClock
from tests.support.services import need_mariadb, need_postgresql

KEY = "shop.orders"


class Bench:
    """One destination under test: how to open it, and what is visible in it."""

    def __init__(
        self,
        folder: Path,
        destination: Destination,
        read: Callable[..., list[dict[str, Any]]],
        drop: Callable[[], None] = lambda: None,
        *,
        holds_nul: bool = True,
        execute: Callable[[str], None] | None = None,
        widens: Literal["anything", "numbers", "nothing"] = "anything",
    ) -> None:
        """`execute` runs a statement of somebody else's, where the destination is a database.

        One that cannot widen its columns to hold anything refuses values instead.
        """
        self.holds_nul, self.execute, self.widens = holds_nul, execute or _cannot, widens
        self.folder, self.destination, self.read, self.drop = folder, destination, read, drop
        self.clock = SimulatedClock()

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[Sink]:
        state = self.folder / ".syncline" / "state.db"
        async with self.destination.open(integration="shop", default_state=state, clock=self.clock) as sink:
            yield sink

    async def lease(self, sink: Sink, run_id: str = "r1") -> Lease:
        """Also from a holder that 'crashed': its lease is over."""
        self.clock.advance(61)
        return await sink.state.acquire(KEY, Owner.current(run_id), self.clock.now(), 60)

    async def begin(self, sink: Sink, write: str, *, lease: Lease, **options: Any) -> Writer:
        state = await sink.state.load(KEY)
        target = Target(table="orders", write=write)
        return await sink.begin(KEY, "orders", target, lease=lease, checkpoint=state.checkpoint, **options)


def _cannot(statement: str) -> None:
    raise AssertionError(f"this destination has no statements: {statement}")


def sqlite_bench(folder: Path, name: str = "shop.db") -> Bench:
    path = folder / name

    def read(table: str = "orders") -> list[dict[str, Any]]:
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    return Bench(folder, Sql(url=f"sqlite:///{path}"), read, execute=execute)


def duckdb_bench(folder: Path) -> Bench:
    import duckdb

    path = folder / "shop.duckdb"

    def read(table: str = "orders") -> list[dict[str, Any]]:
        if not path.exists():
            return []
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            try:
                found = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
            except duckdb.CatalogException:
                return []
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def execute(statement: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(statement)

    return Bench(folder, DuckDb(path=str(path)), read, execute=execute)


def jsonl_bench(folder: Path) -> Bench:
    def read() -> list[dict[str, Any]]:
        files = sorted((folder / "out").glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
        return [
            json.loads(line, parse_float=Decimal)
            for file in files
            if not file.name.startswith(".")
            for line in file.read_bytes().splitlines()
        ]

    return Bench(folder, File(path=str(folder / "out")), read)


def csv_bench(folder: Path) -> Bench:
    def read() -> list[dict[str, Any]]:
        found = []
        for file in sorted((folder / "out").glob("*.csv"), key=lambda file: file.stat().st_mtime_ns):
            with file.open(encoding="utf-8", newline="") as lines:
                found += [{**row, "id": int(row["id"])} for row in csv.DictReader(lines)]
        return found

    return Bench(folder, File(path=str(folder / "out"), format="csv"), read)


def parquet_bench(folder: Path) -> Bench:
    def read() -> list[dict[str, Any]]:
        files = sorted((folder / "out").glob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
        return [row for file in files for row in parquet_rows(file)]

    return Bench(folder, File(path=str(folder / "out"), format="parquet"), read)


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(file)])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def s3_bench(folder: Path) -> Bench:
    """A bucket of its own, named after the folder, with partitions; what is current is what the manifests name."""
    bucket = s3.bucket(schema_of(folder).replace("_", "-"))
    options = {name: Secret(value) if name in ("key", "secret") else value for name, value in s3.options().items()}

    def read() -> list[dict[str, Any]]:
        fs = s3.file_system()
        manifests = [decode_json(fs.cat_file(path)) for path in sorted(fs.find(f"{bucket}/shop/_manifest"))]
        rows = []
        for manifest in sorted(manifests, key=lambda one: one["finished"]):
            for file in manifest["files"]:
                content = fs.cat_file(f"{bucket}/shop/{file['path']}")
                assert len(content) == file["bytes"]
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
                rows += [decode_json(line) for line in gzip.decompress(content).splitlines()]
        return rows

    path = f"s3://{bucket}/shop/{{stream}}/{{date}}/{{run}}.jsonl.gz"
    return Bench(folder, File(path=path, storage=options, spool=str(folder / "spool")), read)


def postgresql_bench(folder: Path) -> Bench:
    """A schema of its own, named after the folder."""
    import psycopg

    name = schema_of(folder)
    base = need_postgresql()
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    url = f"{base}?options=-csearch_path%3D{name}"

    def read(table: str = "orders") -> list[dict[str, Any]]:
        with psycopg.connect(url, row_factory=psycopg.rows.dict_row, autocommit=True) as connection:
            psycopg.types.json.set_json_loads(decode_json, connection)
            try:
                rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY ctid').fetchall()
            except psycopg.errors.UndefinedTable:
                return []
        return rows

    def drop() -> None:
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')

    def execute(statement: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)

    return Bench(folder, Sql(url=url), read, drop, holds_nul=False, execute=execute)


def mariadb_bench(folder: Path) -> Bench:
    """A database of its own, named after the folder."""
    name = schema_of(folder)
    with mariadb_connection() as connection:
        connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")

    def read(table: str = "orders") -> list[dict[str, Any]]:
        """In the order of their keys: InnoDB knows no other."""
        import pymysql

        with mariadb_connection(name) as connection:
            cursor = connection.cursor(pymysql.cursors.DictCursor)
            try:
                cursor.execute(f"SELECT * FROM `{table}`")
            except pymysql.err.ProgrammingError:
                return []
            return list(cursor.fetchall())

    def drop() -> None:
        with mariadb_connection() as connection:
            connection.cursor().execute(f"DROP DATABASE IF EXISTS `{name}`")

    def execute(statement: str) -> None:
        with mariadb_connection(name) as connection:
            connection.cursor().execute(statement)

    return Bench(folder, Sql(url=f"{need_mariadb()}/{name}"), read, drop, execute=execute)


def mariadb_connection(database: str | None = None) -> Any:
    import pymysql

    parts = urlsplit(need_mariadb())
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=database,
        charset="utf8mb4",
        autocommit=True,
    )


def alchemy_sqlite_bench(folder: Path) -> Bench:
    made = sqlite_bench(folder)
    made.destination = Sql(url=f"sqlite+pysqlite:///{folder}/shop.db")
    return made


def alchemy_postgresql_bench(folder: Path) -> Bench:
    made = postgresql_bench(folder)
    assert isinstance(made.destination, Sql)
    url = str(made.destination.url).replace("postgresql://", "postgresql+psycopg://", 1)
    made.destination, made.widens = Sql(url=url), "numbers"
    return made


def alchemy_mariadb_bench(folder: Path) -> Bench:
    made = mariadb_bench(folder)
    url = f"{need_mariadb()}/{schema_of(folder)}".replace("mysql://", "mysql+pymysql://", 1)
    made.destination, made.widens = Sql(url=url), "numbers"
    return made


def strange_bench(folder: Path) -> Bench:
    """A database that is not known: see tests/support/strange.py."""
    made = sqlite_bench(folder, "shop")
    strange.register()
    made.destination, made.widens = Sql(url=f"strange:///{folder}/shop"), "nothing"
    return made


def schema_of(folder: Path) -> str:
    """A name that no other test uses at the same time, the same in every process that works on the folder."""
    return "syncline_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


GENERIC = {
    "sqlite+pysqlite": alchemy_sqlite_bench,
    "postgresql+psycopg": alchemy_postgresql_bench,
    "mysql+pymysql": alchemy_mariadb_bench,
    "strange": strange_bench,
}
MAKERS = {"sqlite": sqlite_bench, "duckdb": duckdb_bench, "postgresql": postgresql_bench, "mariadb": mariadb_bench}
MAKERS |= GENERIC
DATABASES = list(MAKERS)
MAKERS |= {"jsonl": jsonl_bench, "csv": csv_bench, "parquet": parquet_bench, "s3": s3_bench}


def batch(*ids: int, text: str = "t") -> Batch:
    return Batch(columns=("id", "text"), rows=[(number, text) for number in ids])


def at(page: int) -> Checkpoint:
    """Mid-pass, after this page."""
    return Checkpoint(resume={"page": page})


def done(cursor: Any) -> Checkpoint:
    return Checkpoint(cursor=cursor)
