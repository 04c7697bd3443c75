"""What the real servers are filled with; generated, the same every time."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

from tests.real.process import direct

STATIONS = ("north", "süd/ost", "a,b", "~tilde", "100%", "x y", "Łódź 🌧", "")
"""Half of a compound key: everything that a cursor made of it could trip over."""
STRIPE_KEY = "sk_test_syncline"


def fill_datasette(path: Path) -> None:
    """`readings` with a compound key, `parcels` with 64-bit ids and times that many rows share."""
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE readings (station TEXT, day INTEGER, value REAL, note TEXT, PRIMARY KEY (station, day))"
        )
        db.executemany(
            "INSERT INTO readings VALUES (?, ?, ?, ?)",
            [
                (station, day, day / 8 if day % 5 else None, f"{station} “{day}”" if day % 3 else None)
                for station in STATIONS
                for day in range(120)
            ],
        )
        db.execute("CREATE TABLE parcels (id INTEGER PRIMARY KEY, weight INTEGER, label TEXT, updated_at TEXT)")
        db.executemany(
            "INSERT INTO parcels VALUES (?, ?, ?, ?)",
            [
                (2**62 + number, -(2**63) + number, f"parcel {number}", f"2026-03-{1 + number // 40:02d}T12:00:00Z")
                for number in range(500)
            ],
        )
    db.close()


def json_server_data() -> dict[str, list[dict[str, Any]]]:
    return {
        "posts": [
            {"id": number, "title": f"Post {number} – “čšž”", "stars": number % 6, "tags": ["a", "b"][: number % 3]}
            for number in range(1, 138)
        ],
        "comments": [
            {"id": f"c{number}", "postId": number % 30 + 1, "body": f"Comment {number}\nsecond line", "score": None}
            for number in range(150)
        ],
        "nobody": [],
    }


def write_json_server(folder: Path, data: dict[str, Any] | None = None) -> Path:
    path = folder / "db.json"
    path.write_text(json.dumps(json_server_data() if data is None else data))
    return path


def fill_localstripe(url: str) -> None:
    """Customers with a card each for every second one, and charges on those cards, some of them refunded."""
    for number in range(57):
        customer = _stripe(
            url, "customers", email=f"customer{number}@stripe.example", description="ü" * (number % 4),
            **{"metadata[plan]": "pro" if number % 3 else "free", "metadata[seat]": str(number)},
        )  # fmt: skip
        if number % 2:
            continue
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123", "object": "card"}
        _stripe(url, f"customers/{customer['id']}/sources", **{f"source[{key}]": value for key, value in card.items()})
        for step in range(3):
            charge = _stripe(url, "charges", amount=1_000 + number * 10 + step, currency="eur", customer=customer["id"])
            if step == 2:
                _stripe(url, "refunds", charge=charge["id"], amount=500)


def _stripe(url: str, path: str, **form: Any) -> Any:
    request = Request(
        f"{url}/v1/{path}", data=urlencode(form).encode(), headers={"Authorization": f"Bearer {STRIPE_KEY}"}
    )
    with direct.open(request, timeout=10) as answer:
        return json.load(answer)
