"""The orders that every program moves, and the rows that must arrive: both follow from a record's number alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

COLUMNS = (
    "id",
    "number",
    "status",
    "currency",
    "total_cents",
    "tax_rate",
    "test",
    "note",
    "created_at",
    "updated_at",
    "customer_id",
    "email",
    "first_name",
    "phone",
    "city",
    "postal_code",
    "country",
    "gateway",
    "card_brand",
    "first_sku",
)

NUMERIC = tuple(name in ("id", "total_cents", "tax_rate", "test", "customer_id") for name in COLUMNS)

_START = datetime(2025, 1, 1, tzinfo=UTC)
_STATUSES = ("open", "paid", "shipped", "cancelled", "refunded")
_CITIES = (("Zürich", "8001", "CH"), ("Lyon", "69001", "FR"), ("Porto", "4000-001", "PT"), ("Łódź", "90-001", "PL"))
_NAMES = ("Ada", "Grace", "Zoë", "Linus", "Margaret", "Björn", "Katherine")
_BRANDS = ("visa", "mastercard", "amex")


def order(number: int) -> dict[str, Any]:
    """One order of about 1 KB as JSON, `number` counting from 0."""
    cents = 500 + number * 7919 % 250_000
    city, postal_code, country = _CITIES[number % len(_CITIES)]
    name = _NAMES[number % len(_NAMES)]
    created = _START + timedelta(seconds=37 * number)
    lines = [
        {
            "id": number * 10 + line,
            "sku": f"SKU-{number * 31 % 5000:04d}-{line}",
            "title": f"Enamel mug, colour {line}, dishwasher safe",
            "quantity": 1 + (number + line) % 4,
            "price": f"{cents // 300}.{cents % 100:02d}",
            "weight": 0.35 + line,
        }
        for line in range(2)
    ]
    return {
        "id": 1_000_000 + number,
        "number": f"SO-{number:07d}",
        "status": _STATUSES[number % len(_STATUSES)],
        "currency": "EUR",
        "total_price": f"{cents // 100}.{cents % 100:02d}",
        "tax_rate": (number % 80) / 4,
        "test": number % 50 == 0,
        "note": None if number % 3 else f"Leave it with the neighbour, door {number % 90}",
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": (created + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customer": {
            "id": 50_000 + number % 20_000,
            "email": f"{name.lower()}.{number % 20_000}@example.com",
            "first_name": name,
            "last_name": "Example",
            "phone": None if number % 4 == 0 else f"+41 44 {number % 10_000_000:07d}",
            "accepts_marketing": number % 2 == 0,
        },
        "shipping_address": {
            "line1": f"{1 + number % 200} Harbour Street",
            "city": city,
            "postal_code": postal_code,
            "country": country,
            "location": {"latitude": 40 + number % 1000 / 100, "longitude": number % 1500 / 100},
        },
        "payment": {
            "gateway": "stripe",
            "card": {"brand": _BRANDS[number % len(_BRANDS)], "last4": f"{number % 10_000:04d}"},
        },
        "line_items": lines,
        "tags": ["web", "newsletter"] if number % 2 else ["phone"],
        "landing_page": f"https://shop.example/campaigns/autumn-{number % 12}?utm_source=letter",
        "fulfilment": {"carrier": "DHL", "tracking": f"JJD{number:012d}"},
    }


def row(order: dict[str, Any]) -> tuple[Any, ...]:
    """The row that an order becomes, in the order of COLUMNS."""
    customer, address, payment = order["customer"], order["shipping_address"], order["payment"]
    return (
        order["id"],
        order["number"],
        order["status"],
        order["currency"],
        int(order["total_price"].replace(".", "")),
        order["tax_rate"],
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


def digest(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """How many rows, and a checksum of all their values that does not depend on how a number is spelled or kept."""
    count = total = 0
    for values in rows:
        count += 1
        text = "|".join(str(float(v)) if numeric else str(v) for v, numeric in zip(values, NUMERIC, strict=True))
        total += zlib.crc32(text.encode())
    return count, total


def expected(records: int) -> tuple[int, int]:
    return digest(row(order(number)) for number in range(records))
