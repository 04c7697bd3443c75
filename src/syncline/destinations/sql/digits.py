"""How many digits a number has, before the point and after it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from syncline.destinations.sql.table import Column
from syncline.destinations.values import EXACT

Digits = tuple[int, int]
"""Before the point, and after it."""


def as_decimal(value: float | Decimal) -> Decimal:
    """A float as the shortest number that reads back as it."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def exponent_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def digits_of(value: float | Decimal) -> Digits:
    """Without zeros that say nothing."""
    number = as_decimal(value)
    if not number or not number.is_finite():
        return 0, 0
    number = number.normalize(EXACT)
    return max(0, number.adjusted() + 1), max(0, -exponent_of(number))


def most_digits(values: Iterable[object]) -> Digits:
    """Of the numbers among these values. Zeros at the end of decimals count: a price of 1.10 has two places."""
    whole = scale = 0
    for value in values:
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            before, after = digits_of(value)
            whole = max(whole, before)
            scale = max(scale, after, -exponent_of(value) if isinstance(value, Decimal) else 0)
    return whole, scale


def misfit_of_size(value: object, column: Column) -> str | None:
    """Why a number does not fit into a column of fixed size; None where it does."""
    if column.fits is None or not isinstance(value, int | float | Decimal):
        return None
    whole, scale = digits_of(value)
    if whole > column.fits[0] or scale > column.fits[1]:
        return f"the column is {column.declared}; this number does not fit in exactly"
    return None
