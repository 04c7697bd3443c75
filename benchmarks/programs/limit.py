"""The ceiling: the same parts by hand (aiohttp, msgspec, sqlite3), one transaction a page, nothing that protects anybody."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))
from orders import COLUMNS

decode = msgspec.json.Decoder(float_hook=Decimal).decode
UPSERT = (
    f"INSERT INTO orders ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)


def to_row(order: dict) -> tuple:
    customer, address, payment = order["customer"], order["shipping_address"], order["payment"]
    return (
        order["id"],
        order["number"],
        order["status"],
        order["currency"],
        int(Decimal(order["total_price"]) * 100),
        float(order["tax_rate"]),
        order["test"],
        order["note"],
        order["created_at"],
        order["updated_at"],
        customer["id"],
        customer["email"],
        customer["first_name"],
        customer["phone"],
        address["city"],
        address["postal_code"],
        address["country"],
        payment["gateway"],
        payment["card"]["brand"],
        order["line_items"][0]["sku"],
    )


async def main(url: str) -> None:
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
                connection.executemany(UPSERT, map(to_row, page["data"]))
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                break
    connection.close()


asyncio.run(main(*sys.argv[1:]))
