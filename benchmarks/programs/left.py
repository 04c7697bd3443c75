"""What the programs left behind, read back as rows in the order of COLUMNS."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from orders import COLUMNS, row

Rows = Iterator[tuple[Any, ...]]
Reader = Callable[[Path, str], Rows]
"""Reads what is in a folder, or in a PostgreSQL database."""
NAMES = ", ".join(COLUMNS)


def _sqlite(folder: Path, database: str) -> Rows:
    connection = sqlite3.connect(folder / "orders.db")
    try:
        yield from connection.execute(f"SELECT {NAMES} FROM orders")
    finally:
        connection.close()


def _postgres(folder: Path, database: str) -> Rows:
    with psycopg.connect(database) as connection:
        where = "SELECT schemaname FROM pg_tables WHERE tablename = 'orders' AND schemaname NOT LIKE '%staging'"
        (schema,) = connection.execute(where).fetchone()
        yield from connection.execute(f"SELECT {NAMES} FROM {schema}.orders")


def _duckdb(folder: Path, database: str) -> Rows:
    with duckdb.connect(folder / "orders.duckdb", read_only=True) as connection:
        where = (
            "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'orders' AND schema_name NOT LIKE '%staging'"
        )
        (schema,) = connection.execute(where).fetchone()
        yield from _all(connection.execute(f"SELECT {NAMES} FROM {schema}.orders"))


def _parquet(folder: Path, database: str) -> Rows:
    with duckdb.connect() as connection:
        yield from _all(connection.execute(f"SELECT {NAMES} FROM read_parquet('{folder}/**/orders*.parquet')"))


def _all(result: Any) -> Rows:
    while rows := result.fetchmany(10_000):
        yield from rows


def _jsonl(folder: Path, database: str) -> Rows:
    for path in folder.glob("**/orders*.jsonl"):
        with path.open() as lines:
            for line in lines:
                yield tuple(map(json.loads(line).get, COLUMNS))


READERS = {"sqlite": _sqlite, "postgres": _postgres, "duckdb": _duckdb, "parquet": _parquet, "jsonl": _jsonl}


def airbyte_mapped(folder: Path, database: str) -> Rows:
    """Rows of an Airbyte message stream, where null is left out, or empty where a template made it."""
    for data in _messages(folder):
        yield tuple(data.get(name) or None if name == "phone" else data.get(name) for name in COLUMNS)


def airbyte_raw(folder: Path, database: str) -> Rows:
    for data in _messages(folder):
        yield row({"note": None, **data, "customer": {"phone": None, **data["customer"]}})


def _messages(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "stdout").open() as lines:
        for line in lines:
            if line.startswith('{"type":"RECORD"'):
                yield json.loads(line)["record"]["data"]
