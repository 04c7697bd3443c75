"""Values that are hard to keep, and whether they were kept."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from syncline.model import MalformedBody, decode_json

NUMBERS: list[Any] = [
    0,
    -(2**63),
    2**63,
    10**40,
    Decimal("0.1"),
    Decimal("12345678901234567890.123456789"),
    Decimal("1E+3"),
]
"""In an order in which a column has to widen on the way."""

KINDS: dict[str, list[Any]] = {
    "boolean": [True, False, None],
    "integer": [0, 2**53 + 1, -(2**63), 10**40, -(10**40)],
    "decimal": [Decimal("0.10"), Decimal("-12345678901234567890.123456789"), Decimal("1E+3"), Decimal("1E-20")],
    "float": [0.1, -1.5, 1e300, 5e-324],
    "text": ["", " padded ", "007", "NO", "null", "1_000", "🦜\u2028é e\u0301", "a\tb\r\n", "'; DROP TABLE orders", "x" * 70_000],
    "time": [
        datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC),
    ],
    "date": [date(2026, 2, 28), date(1, 1, 1)],
    "json": [{"a": [1, None, {"b": Decimal("0.10")}], "": "é"}, [], {}, [[["deep"]]]],
    "bytes": [b"", b"\x00\xff\xfe plain"],
}  # fmt: skip
"""Of each kind a few that somebody rounds, trims or guesses at."""


def same(stored: Any, sent: Any) -> bool:
    """Whether a stored value is exactly the one that was sent: as itself, or as the text that says the same.

    Times are compared as moments, numbers by their value, JSON by its content.
    """
    if sent is None or stored is None:
        return sent is None and (stored is None or bool(stored == ""))
    if isinstance(sent, bool):
        return bool(stored in ((True, 1, "1", "true", "True") if sent else (False, 0, "0", "false", "False")))
    if isinstance(sent, int | Decimal | float):
        return not isinstance(stored, bool) and _same_number(stored, sent)
    if isinstance(sent, datetime):
        return _moment(stored) == sent
    if isinstance(sent, date):
        return str(stored) == sent.isoformat()
    if isinstance(sent, dict | list):
        return bool(_json(stored) == sent)
    if isinstance(sent, bytes):
        return _same_bytes(stored, sent)
    return bool(stored == sent)


def _same_number(stored: Any, sent: Any) -> bool:
    try:
        number = Decimal(str(stored))
    except InvalidOperation:
        return False
    if not number.is_finite():
        return not _finite(sent) and str(float(number)) == str(float(sent))
    return float(number) == sent if isinstance(sent, float) else number == Decimal(sent)


def _finite(number: Any) -> bool:
    return number.is_finite() if isinstance(number, Decimal) else isinstance(number, int) or math.isfinite(number)


def _moment(stored: Any) -> datetime | None:
    try:
        moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(str(stored))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(stored: Any) -> Any:
    try:
        return decode_json(stored.encode()) if isinstance(stored, str) else stored
    except MalformedBody:
        return stored


def _same_bytes(stored: Any, sent: bytes) -> bool:
    import base64  # late: few destinations spell bytes

    return (bytes(stored) if isinstance(stored, bytearray | memoryview) else stored) in (
        sent,
        base64.b64encode(sent).decode(),
        sent.hex(),
    )
