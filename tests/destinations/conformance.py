"""Our own destinations, as the conformance suite sees them. A new one passes by adding itself to `MAKERS`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import duckdb
import psycopg
import pymysql.cursors

import syncline.databases.alchemy
import syncline.databases.duckdb
import syncline.databases.mysql
import syncline.databases.postgres
import syncline.destinations.api.sink
import syncline.destinations.file.opening
import syncline.destinations.file.sink
import syncline.destinations.sql.alchemy
import syncline.destinations.sql.duckdb
import syncline.destinations.sql.mysql
import syncline.destinations.sql.postgres
import syncline.destinations.sql.sink
import syncline.destinations.sql.sqlite  # noqa: F401 – the processes that are killed find them imported
from syncline.destinations import Destination, DuckDb, File, Sql
from syncline.model import Secret, decode_json
from syncline.testing import Abilities, Bench, at, batch, done
from syncline.testing.bench import KEY, TABLE
from tests.support import s3, strange
from tests.support.services import need_mariadb, need_postgresql

__all__ = ["DATABASES", "GENERIC", "KEY", "MAKERS", "Bench", "at", "batch", "done"]


class Given(Bench):
    """A destination that a test made itself, and reads by its own means."""

    def __init__(self, folder: Path, destination: Destination) -> None:
        self.given = destination
        super().__init__(folder)

    def make(self) -> Destination:
        return self.given

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        raise NotImplementedError


class DatabaseBench(Bench):
    """`execute` runs a statement of somebody else's."""

    def execute(self, statement: str) -> None:
        raise NotImplementedError


class SqliteBench(DatabaseBench):
    @property
    def path(self) -> Path:
        return self.folder / "shop.db"

    def make(self) -> Destination:
        return Sql(url=f"sqlite:///{self.path}")

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')]
            except sqlite3.OperationalError:
                return []

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)


class DuckDbBench(DatabaseBench):
    @property
    def path(self) -> Path:
        return self.folder / "shop.duckdb"

    def make(self) -> Destination:
        return DuckDb(path=str(self.path))

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            try:
                found = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
            except duckdb.CatalogException:
                return []
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def execute(self, statement: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(statement)


FILES = Abilities(modes=frozenset({"append", "replace"}), deletes=False, lists=False, schema=False)


class FilesBench(Bench):
    """Files in a folder, in the order of their writing."""

    abilities = FILES
    format: ClassVar[Literal["jsonl", "csv", "parquet"]] = "jsonl"

    def make(self) -> Destination:
        return File(path=str(self.folder / "out"), format=self.format)

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        files = sorted((self.folder / "out").glob(f"*.{self.format}"), key=lambda file: file.stat().st_mtime_ns)
        return [row for file in files if not file.name.startswith(".") for row in self.rows(file)]

    def rows(self, file: Path) -> list[dict[str, Any]]:
        return [decode_json(line) for line in file.read_bytes().splitlines()]


class CsvBench(FilesBench):
    format = "csv"

    def rows(self, file: Path) -> list[dict[str, Any]]:
        with file.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


class ParquetBench(FilesBench):
    format = "parquet"

    def rows(self, file: Path) -> list[dict[str, Any]]:
        return parquet_rows(file)


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(file)])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class S3Bench(Bench):
    """A bucket of its own, named after the folder, with partitions; what is current is what the manifests name."""

    abilities = FILES

    def make(self) -> Destination:
        self.bucket = s3.bucket(schema_of(self.folder).replace("_", "-"))
        options = {name: Secret(value) if name in ("key", "secret") else value for name, value in s3.options().items()}
        path = f"s3://{self.bucket}/shop/{{stream}}/{{date}}/{{run}}.jsonl.gz"
        return File(path=path, storage=options, spool=str(self.folder / "spool"))

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        fs = s3.file_system()
        manifests = [decode_json(fs.cat_file(path)) for path in sorted(fs.find(f"{self.bucket}/shop/_manifest"))]
        rows = []
        for manifest in sorted(manifests, key=lambda one: one["finished"]):
            for file in manifest["files"]:
                content = fs.cat_file(f"{self.bucket}/shop/{file['path']}")
                assert len(content) == file["bytes"]
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
                rows += [decode_json(line) for line in gzip.decompress(content).splitlines()]
        return rows


class PostgresqlBench(DatabaseBench):
    """A schema of its own, named after the folder."""

    abilities = Abilities(holds_nul=False)

    def make(self) -> Destination:
        self.base, self.schema = need_postgresql(), schema_of(self.folder)
        self.url = f"{self.base}?options=-csearch_path%3D{self.schema}"
        self._do(self.base, f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')
        return Sql(url=self.url)

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=psycopg.rows.dict_row, autocommit=True) as connection:
            psycopg.types.json.set_json_loads(decode_json, connection)
            try:
                return connection.execute(f'SELECT * FROM "{table}" ORDER BY ctid').fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def drop(self) -> None:
        self._do(self.base, f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')

    def execute(self, statement: str) -> None:
        self._do(self.url, statement)

    def _do(self, url: str, statement: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)


class MariadbBench(DatabaseBench):
    """A database of its own, named after the folder."""

    def make(self) -> Destination:
        with mariadb_connection() as connection:
            connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS `{schema_of(self.folder)}`")
        return Sql(url=f"{need_mariadb()}/{schema_of(self.folder)}")

    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        """In the order of their keys: InnoDB knows no other."""
        with mariadb_connection(schema_of(self.folder)) as connection:
            cursor = connection.cursor(pymysql.cursors.DictCursor)
            try:
                cursor.execute(f"SELECT * FROM `{table}`")
            except pymysql.err.ProgrammingError:
                return []
            return list(cursor.fetchall())

    def drop(self) -> None:
        with mariadb_connection() as connection:
            connection.cursor().execute(f"DROP DATABASE IF EXISTS `{schema_of(self.folder)}`")

    def execute(self, statement: str) -> None:
        with mariadb_connection(schema_of(self.folder)) as connection:
            connection.cursor().execute(statement)


def mariadb_connection(database: str | None = None) -> Any:
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


class AlchemySqliteBench(SqliteBench):
    def make(self) -> Destination:
        return Sql(url=f"sqlite+pysqlite:///{self.path}")


class AlchemyPostgresqlBench(PostgresqlBench):
    abilities = Abilities(holds_nul=False, widens="numbers")

    def make(self) -> Destination:
        super().make()
        return Sql(url=self.url.replace("postgresql://", "postgresql+psycopg://", 1))


class AlchemyMariadbBench(MariadbBench):
    abilities = Abilities(widens="numbers")

    def make(self) -> Destination:
        super().make()
        url = f"{need_mariadb()}/{schema_of(self.folder)}"
        return Sql(url=url.replace("mysql://", "mysql+pymysql://", 1))


class StrangeBench(SqliteBench):
    """A database that is not known: see tests/support/strange.py."""

    abilities = Abilities(widens="nothing")

    @property
    def path(self) -> Path:
        return self.folder / "shop"

    def make(self) -> Destination:
        strange.register()
        return Sql(url=f"strange:///{self.path}")


def schema_of(folder: Path) -> str:
    """A name that no other test uses at the same time, the same in every process that works on the folder."""
    return "syncline_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


GENERIC: dict[str, type[DatabaseBench]] = {
    "sqlite+pysqlite": AlchemySqliteBench,
    "postgresql+psycopg": AlchemyPostgresqlBench,
    "mysql+pymysql": AlchemyMariadbBench,
    "strange": StrangeBench,
}
DATABASES: dict[str, type[DatabaseBench]] = {
    "sqlite": SqliteBench,
    "duckdb": DuckDbBench,
    "postgresql": PostgresqlBench,
    "mariadb": MariadbBench,
    **GENERIC,
}
MAKERS: dict[str, type[Bench]] = {
    **DATABASES,
    "jsonl": FilesBench,
    "csv": CsvBench,
    "parquet": ParquetBench,
    "s3": S3Bench,
}
