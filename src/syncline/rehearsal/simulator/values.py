"""Values of records, made from numbers: the same number, the same value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
EPOCH = datetime(1970, 1, 1)
DAY = 86_400_000
RECENT = 1_700_000_000_000

Make = Callable[[int, int], Any]
"""A well-mixed number below 2**64, and the record's own number from 0, to a JSON value."""

WORDS = ("amber", "birch", "copper", "delta", "ember", "fjord", "Zoë", "grove", "harbour", "iris", "Łódź", "juniper",
         "kestrel", "lagoon", "meadow", "雪", "nimbus", "orchard", "pebble", "O'Hara", "quartz", "river", "saffron",
         "tundra", "umber", "violet", "willow", "naïve", "yarrow", "zephyr", "salt & pepper", "émile")  # fmt: skip
COUNTRIES = ("DE", "FR", "NO", "PL", "JP", "US", "BR", "KE")
CURRENCIES = ("EUR", "USD", "JPY", "NOK")


def mixed(number: int) -> int:
    """A number as good as random, always the same for the same one (splitmix64's finaliser)."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & MASK
    return number ^ (number >> 31)


def spelled_moment(milliseconds: int) -> str:
    """RFC 3339 to the millisecond, UTC, of milliseconds since 1970."""
    return (EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds") + "Z"


def _past(h: int) -> int:
    return RECENT + (h >> 20) % (700 * DAY)


VALUES: dict[str, Make] = {
    "words": lambda h, n: f"{WORDS[h >> 33 & 31]} {WORDS[h >> 40 & 31]}",
    "word": lambda h, n: WORDS[h >> 33 & 31],
    "email": lambda h, n: f"{('ada', 'bo', 'cy', 'dee')[h >> 33 & 3]}.{n}@example.com",
    "integer": lambda h, n: (h >> 33) % 1000 + 1,
    "amount": lambda h, n: f"{(h >> 33) % 10_000_000 / 100:.2f}",
    "number": lambda h, n: Decimal((h >> 33) % 10_000_000).scaleb(-2),
    "digits": lambda h, n: str((h >> 33) % 100_000),
    "moment": lambda h, n: spelled_moment(_past(h)),
    "day": lambda h, n: spelled_moment(_past(h))[:10],
    "epoch": lambda h, n: _past(h) // 1000,
    "epoch_ms": lambda h, n: _past(h),
    "time": lambda h, n: f"{(h >> 33) % 24:02}:{(h >> 40) % 60:02}:00",
    "flag": lambda h, n: bool(h >> 33 & 1),
    "country": lambda h, n: COUNTRIES[h >> 33 & 7],
    "currency": lambda h, n: CURRENCIES[h >> 33 & 3],
    "url": lambda h, n: f"https://example.com/{WORDS[(h >> 33) % 6]}/{n}",
    "uuid": lambda h, n: (
        f"{h >> 32:08x}-{h >> 16 & 0xFFFF:04x}-4{h & 0xFFF:03x}-8{h >> 50 & 0xFFF:03x}-{n & MASK >> 16:012x}"
    ),
    "hex": lambda h, n: f"{h:016x}",
    "list": lambda h, n: [WORDS[h >> 33 + 5 * place & 31] for place in range((h >> 20) % 4)],
    "numbers": lambda h, n: [(h >> 33 + 5 * place) % 100 for place in range((h >> 20) % 4)],
    "object": lambda h, n: {"name": WORDS[h >> 33 & 31], "value": (h >> 40) % 100},
    "json": lambda h, n: f'{{"value": {(h >> 33) % 100}}}',
    "csv": lambda h, n: ",".join(WORDS[h >> 33 + 5 * place & 7] for place in range(1 + (h >> 20) % 3)),
    "base64": lambda h, n: "c3luY2xpbmU=",
}
"""Every kind of value there is, in the order in which they are tried."""

BY_NAME = (
    (r"e_?mail$", "email"),
    (r"(_at|_on|date|time|created|updated|modified|timestamp)$", "moment"),
    (r"(^|_)(is|has|can)_|(active|enabled|deleted|archived|paid)$", "flag"),
    (r"(price|amount|total|cost|sum|balance|revenue)$", "amount"),
    (r"(quantity|count|stock|size|position|number_of|age|weight|version)$", "integer"),
    (r"(rate|score|percent|ratio|latitude|longitude|lat|lng)$", "number"),
    (r"country(_code)?$", "country"),
    (r"currency(_code)?$", "currency"),
    (r"(url|link|href|website)$", "url"),
    (r"(uuid|guid)$", "uuid"),
    (r"(hash|digest|checksum)$", "hex"),
    (r"(tags|labels|categories)$", "list"),
    (r"_id$", "digits"),
)  # fmt: skip
"""What a field's name says about its values; else they are words."""


def kind_by_name(name: str) -> str:
    lower = name.lower()
    return next((kind for pattern, kind in BY_NAME if re.search(pattern, lower)), "words")
