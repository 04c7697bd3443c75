"""The ceiling itself: as `limit.py`, but only the fields that are mapped are decoded, straight into structs written for them."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

import aiohttp
from msgspec import Struct, json

sys.path.insert(0, str(Path(__file__).parent.parent))
from orders import COLUMNS

UPSERT = (
    f"INSERT INTO orders ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)


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


async def main(url: str) -> None:
    decode = json.Decoder(Page).decode
    connection = sqlite3.connect("orders.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"CREATE TABLE orders ({', '.join(COLUMNS).replace('id,', 'id INTEGER PRIMARY KEY,', 1)})")
    cursor = None
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/orders", params={"cursor": cursor} if cursor else None) as response:
                page = decode(await response.read())
            with connection:
                connection.executemany(UPSERT, map(to_row, page.data))
            cursor = page.meta.next_cursor
            if cursor is None:
                break
    connection.close()


asyncio.run(main(*sys.argv[1:]))
