"""An afternoon's loop: httpx and SQLAlchemy, as it is written when there is no time."""

from __future__ import annotations

import sys
from decimal import Decimal

import httpx
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table, create_engine
from sqlalchemy.dialects.sqlite import insert

TEXT = [
    "number",
    "status",
    "currency",
    "note",
    "created_at",
    "updated_at",
    "email",
    "first_name",
    "phone",
    "city",
    "postal_code",
    "country",
    "gateway",
    "card_brand",
    "first_sku",
]

orders = Table(
    "orders",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("total_cents", Integer),
    Column("tax_rate", Float),
    Column("test", Boolean),
    Column("customer_id", Integer),
    *(Column(name, String) for name in TEXT),
)


def to_row(order: dict) -> dict:
    return {
        **{name: order[name] for name in ("id", "number", "status", "currency", "tax_rate", "test", "note")},
        "total_cents": int(Decimal(order["total_price"]) * 100),
        "created_at": order["created_at"],
        "updated_at": order["updated_at"],
        "customer_id": order["customer"]["id"],
        "email": order["customer"]["email"],
        "first_name": order["customer"]["first_name"],
        "phone": order["customer"]["phone"],
        "city": order["shipping_address"]["city"],
        "postal_code": order["shipping_address"]["postal_code"],
        "country": order["shipping_address"]["country"],
        "gateway": order["payment"]["gateway"],
        "card_brand": order["payment"]["card"]["brand"],
        "first_sku": order["line_items"][0]["sku"],
    }


def main(url: str) -> None:
    engine = create_engine("sqlite:///orders.db")
    orders.create(engine)
    statement = insert(orders)
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={column.name: column for column in statement.excluded if column.name != "id"}
    )
    cursor = None
    with httpx.Client() as client:
        while True:
            response = client.get(f"{url}/orders", params={"cursor": cursor} if cursor else None)
            response.raise_for_status()
            page = response.json()
            with engine.begin() as connection:
                connection.execute(statement, [to_row(order) for order in page["data"]])
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                break


main(*sys.argv[1:])
