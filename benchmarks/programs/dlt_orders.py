"""dlt: its REST source, `add_map`, its own destinations (SQLAlchemy for SQLite); tuned as its page on performance advises.

Columns are declared, so nothing is inferred; files between its stages are not compressed and are written in large
blocks; logs and telemetry are off.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}

import dlt
from dlt.sources.rest_api import rest_api_source

TYPES = {
    "bigint": ["id", "total_cents", "customer_id"],
    "double": ["tax_rate"],
    "bool": ["test"],
    "text": [
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
    ],
}


def to_row(order: dict) -> dict:
    customer, address, payment = order["customer"], order["shipping_address"], order["payment"]
    return {
        "id": order["id"],
        "number": order["number"],
        "status": order["status"],
        "currency": order["currency"],
        "total_cents": int(Decimal(order["total_price"]) * 100),
        "tax_rate": order["tax_rate"],
        "test": order["test"],
        "note": order["note"],
        "created_at": order["created_at"],
        "updated_at": order["updated_at"],
        "customer_id": customer["id"],
        "email": customer["email"],
        "first_name": customer["first_name"],
        "phone": customer["phone"],
        "city": address["city"],
        "postal_code": address["postal_code"],
        "country": address["country"],
        "gateway": payment["gateway"],
        "card_brand": payment["card"]["brand"],
        "first_sku": order["line_items"][0]["sku"],
    }


def destination(name: str) -> Any:
    if name == "duckdb":
        return dlt.destinations.duckdb("orders.duckdb")
    if name == "postgres":
        return dlt.destinations.postgres(os.environ["ORDERS_POSTGRES"])
    return dlt.destinations.sqlalchemy("sqlite:///orders.db")


def main(url: str, place: str, disposition: str) -> None:
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "paginator": {"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "orders",
                    "endpoint": {"path": "orders", "data_selector": "data"},
                    "primary_key": "id",
                    "write_disposition": disposition,
                    "columns": {name: {"data_type": kind} for kind, names in TYPES.items() for name in names},
                }
            ],
        }
    )
    source.orders.add_map(to_row)
    pipeline = dlt.pipeline(
        pipeline_name="orders",
        pipelines_dir=str(Path("dlt").absolute()),
        destination=destination(place),
        dataset_name="main" if place == "sqlite" else "loaded",
    )
    pipeline.run(source).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
