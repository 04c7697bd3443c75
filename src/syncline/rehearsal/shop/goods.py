"""What the practice shop has: customers, products, orders and refunds, the same for the same seed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from syncline.model import encode_json

NEWEST = datetime(2025, 6, 30, 18, 0, tzinfo=UTC)
"""The generated past ends here, so that whatever changes later is later by every clock."""
SPAN = timedelta(days=180)
FIRST_ORDER_ID = 90_719_925_474_099_201
"""Beyond 2^53, as ids made from time and machine numbers are: a reader that rounds loses them."""
FIRST_CUSTOMER_ID = 880_001
FIRST_PRODUCT_ID = 3_001

FIRST_NAMES = (
    "Amélie",
    "Bjørn",
    "Chidi",
    "Đorđe",
    "Elif",
    "Fatima",
    "Grace",
    "Hiroshi",
    "İpek",
    "João",
    "Łucja",
    "Zoë",
)
LAST_NAMES = ("Adeyemi", "Bianchi", "Castro", "Dvořák", "Eriksen", "García", "Hughes", "Ivanov", "Müller", "O’Neill")
CITIES = (("Lisboa", "PT"), ("København", "DK"), ("Łódź", "PL"), ("Oslo", "NO"), ("Graz", "AT"), ("Montréal", "CA"))
STREETS = ("Long Lane", "Rue des Lilas", "Hauptstraße", "Via Roma", "Storgata", "Calle Mayor")
GOODS = ("Kettle", "Lamp", "Mug", "Notebook", "Umbrella", "Scarf", "Teapot", "Candle", "Basket", "Blanket")
COLOURS = ("red", "blue", "green", "black", "cream", "ochre")
NOTES = ("Leave it at the door", "It’s a gift 🎁", "Ring twice — thanks", 'Says "fragile", please', "Línea 1\nLínea 2")
STATUSES = ("paid",) * 14 + ("pending",) * 3 + ("cancelled",) * 2 + ("refunded",)
CENT = Decimal("0.01")


class Entry(msgspec.Struct):
    """One order in its place: `key` is what the listing is sorted by, `body` its JSON."""

    key: tuple[str, int]
    order: dict[str, Any]
    body: bytes


class Goods:
    """All records of one shop. Orders are listed by (updated_at, id), so that a changed order moves to the end."""

    def __init__(self, *, orders: int, seed: int, without_email: int = 0) -> None:
        rng = Random(seed)  # noqa: S311  (practice data, not a secret)
        self.customers = [_customer(rng, number) for number in range(max(1, orders // 5))]
        self.products = [_product(rng, number) for number in range(60)]
        moments = sorted(_moments(rng, orders))
        made = [_order(rng, number, self.customers, self.products, at) for number, at in enumerate(moments)]
        for order in rng.sample(made, min(without_email, orders)):
            order["customer"] = {**order["customer"], "email": None}
        entries = sorted((_entry(order) for order in made), key=lambda entry: entry.key)
        self._entries = entries
        self._keys = [entry.key for entry in entries]
        self._by_id = {entry.order["id"]: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def orders(self) -> list[dict[str, Any]]:
        """Every order, in the order of the listing."""
        return [entry.order for entry in self._entries]

    def order(self, order_id: int) -> dict[str, Any] | None:
        entry = self._by_id.get(order_id)
        return entry.order if entry else None

    def listing(self, since: str | None, after: tuple[str, int] | None, status: str | None) -> Iterator[Entry]:
        """Orders updated at or after `since`, from behind `after` on."""
        start = bisect_left(self._keys, (since, 0)) if since else 0
        if after:
            start = max(start, bisect_left(self._keys, (after[0], after[1] + 1)))
        for entry in self._entries[start:]:
            if status is None or entry.order["status"] == status:
                yield entry

    def count(self, since: str | None, status: str | None) -> int:
        if status is None:
            return len(self._keys) - (bisect_left(self._keys, (since, 0)) if since else 0)
        return sum(1 for _ in self.listing(since, None, status))

    def change(self, count: int, now: datetime, rng: Random) -> list[int]:
        """Let `count` orders change now, each a little later than the one before; their ids.

        They are dated a second back: the Date header, the clock by which a client judges, drops its fractions.
        """
        newest = read_moment(self._keys[-1][0]) if self._keys else NEWEST
        start = max(now - timedelta(seconds=1), newest + timedelta(microseconds=1))
        chosen = rng.sample(sorted(self._by_id), min(count, len(self._by_id)))
        for step, order_id in enumerate(chosen):
            at = write_moment(start + timedelta(microseconds=step))
            order = self._by_id[order_id].order
            changed = {**order, "status": "paid", "updated_at": at, "revision": order["revision"] + 1, "closed_at": at}
            self._by_id[order_id] = _entry(changed)
        self._entries = sorted(self._by_id.values(), key=lambda entry: entry.key)
        self._keys = [entry.key for entry in self._entries]
        return chosen

    def refunds(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """One refund for each line of a refunded order, none for the others."""
        if order["status"] != "refunded":
            return []
        return [
            {
                "id": line["id"] * 10 + 1,
                "order_id": order["id"],
                "line_item_id": line["id"],
                "amount": str((line["unit_price"] * line["quantity"]).quantize(CENT)),
                "currency": order["currency"],
                "reason": None if line["quantity"] % 2 else "damaged",
                "created_at": order["updated_at"],
            }
            for line in order["line_items"]
        ]


def write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_moment(text: str) -> datetime:
    """A time with its zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, such as Z")
    return moment


def _entry(order: dict[str, Any]) -> Entry:
    return Entry(key=(order["updated_at"], order["id"]), order=order, body=encode_json(order))


def _moments(rng: Random, count: int) -> Iterator[datetime]:
    """Times of update; one in ten is shared by two orders, as after a bulk edit."""
    last = NEWEST
    for _ in range(count):
        if rng.random() >= 0.1:
            last = NEWEST - rng.random() * SPAN
        yield last


def _customer(rng: Random, number: int) -> dict[str, Any]:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    city, country = rng.choice(CITIES)
    return {
        "id": FIRST_CUSTOMER_ID + number,
        "email": f"customer{number}@shop.example",
        "first_name": first,
        "last_name": last,
        "phone": None if rng.random() < 0.4 else f"+00 555 {rng.randrange(10_000):04d}",
        "address": {
            "street": f"{rng.randrange(1, 200)} {rng.choice(STREETS)}",
            "city": city,
            "postcode": f"{rng.randrange(100_000):05d}",
            "country": country,
        },
        "accepts_marketing": rng.random() < 0.5,
        "created_at": write_moment(NEWEST - SPAN - rng.random() * SPAN),
    }


def _product(rng: Random, number: int) -> dict[str, Any]:
    name = GOODS[number % len(GOODS)]
    colour = COLOURS[number // len(GOODS)]
    return {
        "id": FIRST_PRODUCT_ID + number,
        "sku": f"{name[:3].upper()}-{colour[:3].upper()}-{number:03d}",
        "title": f"{name}, {colour}",
        "price": Decimal(rng.randrange(190, 9_990, 10)).scaleb(-2),
        "stock": rng.randrange(500),
    }


def _line(rng: Random, order_id: int, position: int, product: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": order_id * 10 + position,
        "product_id": product["id"],
        "sku": product["sku"],
        "title": product["title"],
        "quantity": rng.randrange(1, 4),
        "unit_price": product["price"],
        "discount": None if rng.random() < 0.8 else "5.00",
    }


def _order(
    rng: Random, number: int, customers: Sequence[dict[str, Any]], products: Sequence[dict[str, Any]], at: datetime
) -> dict[str, Any]:
    order_id = FIRST_ORDER_ID + number * 7
    customer = customers[rng.randrange(len(customers))]
    lines = [
        _line(rng, order_id, position, products[rng.randrange(len(products))])
        for position in range(rng.randrange(1, 5))
    ]
    subtotal: Decimal = sum((line["unit_price"] * line["quantity"] for line in lines), start=Decimal(0))
    shipping = Decimal("0.00") if subtotal > 50 else Decimal("4.90")
    status = STATUSES[rng.randrange(len(STATUSES))]
    created = at - rng.random() * timedelta(days=3)
    return {
        "id": order_id,
        "number": f"SO-{100_000 + number}",
        "status": status,
        "created_at": write_moment(created),
        "updated_at": write_moment(at),
        "closed_at": write_moment(at) if status in ("cancelled", "refunded") else None,
        "revision": 1,
        "currency": "EUR",
        "subtotal_price": str(subtotal),
        "shipping_price": shipping,
        "tax_rate": Decimal("0.20"),
        "total_price": str((subtotal + shipping).quantize(CENT)),
        "customer": {key: customer[key] for key in ("id", "email", "first_name", "last_name", "phone", "address")},
        "line_items": lines,
        "tags": [tag for tag in ("gift", "express", "b2b") if rng.random() < 0.15],
        "note": rng.choice(NOTES) if rng.random() < 0.2 else None,
    }
