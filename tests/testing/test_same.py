"""What the suite takes for the same value, and what not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from syncline.testing import same

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("stored", "sent"), [
    (1, 1), ("1", 1), (Decimal(10**40), 10**40), ("0.10", Decimal("0.1")), (0.5, 0.5), ("0.5", 0.5),
    (1, True), ("false", False), ("NaN", Decimal("NaN")), ("inf", float("inf")), (Decimal("Infinity"), float("inf")),
    ("007", "007"), (None, None), ("", None), (AT, AT), ("2026-01-02T05:04:05+02:00", AT), ("2026-01-02 03:04:05", AT),
    ("2026-01-02", date(2026, 1, 2)), ('{"a":[1.10]}', {"a": [Decimal("1.1")]}), ([1], [1]),
    (memoryview(b"\0x"), b"\0x"), ("AHg=", b"\0x"), ("0078", b"\0x"),
])  # fmt: skip
def test_what_says_exactly_the_value_is_the_same(stored: Any, sent: Any) -> None:
    assert same(stored, sent)


@pytest.mark.parametrize(("stored", "sent"), [
    (1.0000000000000000001e40, 10**40 + 1), (float(2**53), 2**53 + 1), ("0.1", Decimal("0.10000000000000000001")),
    (True, 1), (2, True), (7, "007"), ("007", 7.5), (None, ""), (None, 0), ("x", None), ("NaN", Decimal(1)),
    ("inf", float("-inf")), ("NaN", 10**400), ("twelve", 12), ("2026-01-02T03:04:05+01:00", AT), ("yesterday", AT),
    ('{"a":[1]}', {"a": ["1"]}), ("[1", [1]), ("AHk=", b"\0x"), (" padded", " padded "),
])  # fmt: skip
def test_what_was_rounded_trimmed_or_guessed_at_is_not(stored: Any, sent: Any) -> None:
    assert not same(stored, sent)
