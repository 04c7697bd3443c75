"""The limit: the same parts by hand, and nothing that protects anybody.

aiohttp, msgspec decoding just what is mapped into structs written for it, and the quickest known way into each destination:
SQLite an upsert a page; PostgreSQL COPY to a temporary table and one upsert, 2,000 records at a time; DuckDB 20,000 at a
time through JSON lines; Parquet through JSON lines and DuckDB; JSON lines as they are.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterable
from decimal import Decimal
from itertools import starmap
from pathlib import Path

import aiohttp
from msgspec import Struct, defstruct, json

sys.path.insert(0, str(Path(__file__).parent.parent))
from orders import COLUMNS

NAMES = ", ".join(COLUMNS)
INTEGERS, OTHERS = ("id", "total_cents", "customer_id"), {"tax_rate": "DOUBLE PRECISION", "test": "BOOLEAN"}
TYPES = {name: "BIGINT" if name in INTEGERS else OTHERS.get(name, "VARCHAR") for name in COLUMNS}
TABLE = ", ".join(f"{name} {kind}" for name, kind in TYPES.items()).replace("BIGINT,", "BIGINT PRIMARY KEY,", 1)
UPSERT = f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"


class Customer(Struct, gc=False):
    id: int
    email: str
    first_name: str
    phone: str | None = None


class Address(Struct, gc=False):
    city: str
    postal_code: str
    country: str


class Card(Struct, gc=False):
    brand: str


class Payment(Struct, gc=False):
    gateway: str
    card: Card


class Item(Struct, gc=False):
    sku: str


class Order(Struct, gc=False):
    id: int
    number: str
    status: str
    currency: str
    total_price: str
    tax_rate: float
    test: bool
    created_at: str
    updated_at: str
    customer: Customer
    shipping_address: Address
    payment: Payment
    line_items: list[Item]
    note: str | None = None


class Meta(Struct):
    next_cursor: str | None


class Page(Struct):
    data: list[Order]
    meta: Meta


def to_row(order: Order) -> tuple:
    customer, address, payment = order.customer, order.shipping_address, order.payment
    return (
        order.id,
        order.number,
        order.status,
        order.currency,
        int(Decimal(order.total_price) * 100),
        order.tax_rate,
        order.test,
        order.note,
        order.created_at,
        order.updated_at,
        customer.id,
        customer.email,
        customer.first_name,
        customer.phone,
        address.city,
        address.postal_code,
        address.country,
        payment.gateway,
        payment.card.brand,
        order.line_items[0].sku,
    )


class Sqlite:
    batch = 1

    def __init__(self) -> None:
        self.connection = sqlite3.connect("orders.db")
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute(f"CREATE TABLE orders ({NAMES.replace('id,', 'id INTEGER PRIMARY KEY,', 1)})")
        self.upsert = f"INSERT INTO orders ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) {UPSERT}"

    def write(self, rows: Iterable[tuple]) -> None:
        with self.connection:
            self.connection.executemany(self.upsert, rows)

    def close(self) -> None:
        self.connection.close()


class Postgres:
    batch = 2_000

    def __init__(self) -> None:
        import psycopg

        self.connection = psycopg.connect(os.environ["ORDERS_POSTGRES"], autocommit=True)
        self.connection.execute(f"CREATE TABLE orders ({TABLE})")
        self.connection.execute("CREATE TEMPORARY TABLE staging (LIKE orders) ON COMMIT DELETE ROWS")

    def write(self, rows: Iterable[tuple]) -> None:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(f"COPY staging ({NAMES}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(f"INSERT INTO orders ({NAMES}) SELECT {NAMES} FROM staging {UPSERT}")

    def close(self) -> None:
        self.connection.close()


LINE = defstruct("Line", COLUMNS, gc=False)
SELECT = f"""SELECT {NAMES} FROM read_json('spool.jsonl', format = 'newline_delimited', auto_detect = false, columns = {{
{", ".join(f"{name}: '{kind.replace(' PRECISION', '')}'" for name, kind in TYPES.items())}}})"""


def lines(rows: Iterable[tuple]) -> bytes:
    return json.Encoder().encode_lines(list(starmap(LINE, rows)))


class Duckdb:
    batch = 20_000

    def __init__(self) -> None:
        import duckdb

        self.connection = duckdb.connect("orders.duckdb")
        self.connection.execute(f"CREATE TABLE orders ({TABLE})")

    def write(self, rows: Iterable[tuple]) -> None:
        Path("spool.jsonl").write_bytes(lines(rows))
        self.connection.execute(f"INSERT INTO orders ({NAMES}) {SELECT} {UPSERT}")

    def close(self) -> None:
        Path("spool.jsonl").unlink()
        self.connection.close()


class Jsonl:
    batch = 1
    name = "orders.jsonl"

    def __init__(self) -> None:
        self.file = Path(self.name).open("wb")  # noqa: SIM115 – closed in `close`

    def write(self, rows: Iterable[tuple]) -> None:
        self.file.write(lines(rows))

    def close(self) -> None:
        self.file.close()


class Parquet(Jsonl):
    batch = 20_000
    name = "spool.jsonl"

    def close(self) -> None:
        import duckdb

        super().close()
        duckdb.connect().execute(f"COPY ({SELECT}) TO 'orders.parquet' (FORMAT parquet, COMPRESSION zstd)")
        Path(self.name).unlink()


WRITERS = {"sqlite": Sqlite, "postgres": Postgres, "duckdb": Duckdb, "parquet": Parquet, "jsonl": Jsonl}


async def main(url: str, destination: str) -> None:
    decode = json.Decoder(Page).decode
    writer = WRITERS[destination]()
    waiting: list[Order] = []
    cursor = None
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/orders", params={"cursor": cursor} if cursor else None) as response:
                page = decode(await response.read())
            waiting += page.data
            cursor = page.meta.next_cursor
            if len(waiting) >= writer.batch or cursor is None:
                writer.write(map(to_row, waiting))
                waiting = []
            if cursor is None:
                break
    writer.close()


asyncio.run(main(*sys.argv[1:]))
