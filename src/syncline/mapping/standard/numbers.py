"""Transforms of numbers: exact decimal arithmetic, which never rounds unless it is told to."""

from __future__ import annotations

import re
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Any

from syncline.mapping.transform import ArgumentError, Step, TransformError, by_column, define, expected, show

GROUP = "Numbers"
MAX_DIGITS = 4_300
MAX_PLACES = 100
MAX_PLAIN = 20
_TRAPS = [InvalidOperation, DivisionByZero, Overflow]
EXACT = Context(prec=MAX_DIGITS, Emax=MAX_DIGITS, Emin=-MAX_DIGITS, traps=[*_TRAPS, Inexact])
ROUNDING = Context(prec=MAX_DIGITS, Emax=MAX_DIGITS, Emin=-MAX_DIGITS, traps=_TRAPS)
QUOTIENT_DIGITS = 28
QUOTIENT = Context(prec=QUOTIENT_DIGITS, traps=[*_TRAPS, Inexact])
MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN,
         "floor": ROUND_FLOOR, "ceiling": ROUND_CEILING}  # fmt: skip
_INTEGER = re.compile(r"[+-]?[0-9]{1,4300}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,4300}(?:\.[0-9]{0,4300})?|\.[0-9]{1,4300})(?:[eE][+-]?[0-9]{1,4})?")

Number = int | Decimal


def need_number(value: Any) -> Number:
    """A whole number or a finite decimal; a float by its shortest spelling. Text is not a number before `decimal`."""
    kind = value.__class__
    if kind is int:
        return value  # type: ignore[no-any-return]
    if kind is float:
        value = Decimal(repr(value))
        kind = Decimal
    if kind is not Decimal:
        raise expected("a number", value)
    if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise TransformError(f"{show(value)} is out of range")
    return value  # type: ignore[no-any-return]


def as_decimal(value: Any) -> Decimal:
    """A number, or text that is wholly one. Raises TransformError."""
    if value.__class__ is str:
        if _DECIMAL.fullmatch(value) is None:
            raise TransformError(f"{show(value)} is no number")
        value = Decimal(value)
    return Decimal(need_number(value))


def as_integer(value: Decimal) -> int:
    """A decimal without a fraction. Raises TransformError."""
    if value != value.to_integral_value():
        raise TransformError(f"{show(value)} has a fraction")
    return int(value)


def _whole_numbers(values: list[Any], form: str) -> list[int]:
    """Texts of one form, which is looked at in all of them at once, as numbers without their points. Raises ValueError."""
    text = "\n".join(values) + "\n"
    if re.fullmatch(rf"(?:{form}\n)*+", text) is None:
        raise ValueError
    numbers = list(map(int, text.replace(".", "").split()))
    if len(numbers) != len(values):  # a text with a line feed in it
        raise ValueError
    return numbers


def tidy(value: Decimal, *operands: Any) -> Number:
    """Whole numbers in, whole number out."""
    return int(value) if all(type(operand) is int for operand in operands) else value


@define(GROUP, inverse="text")
def int_(value: Any) -> int:
    """A whole number, of any size, from text or a number; a fraction or any other character is an error.

    "007" | int → 7
    12.0 | int → 12
    """
    if value.__class__ is int:
        return value
    if value.__class__ is str:
        if _INTEGER.fullmatch(value) is None:
            raise TransformError(f"{show(value)} is no whole number")
        return int(value)
    return as_integer(Decimal(need_number(value)))


by_column(int_, lambda values: _whole_numbers(values, rf"-?[0-9]{{1,{MAX_PLAIN}}}"))


@define(GROUP, inverse="text")
def decimal(value: Any) -> Decimal:
    """An exact decimal number from text or a number.

    "12.50" | decimal → 12.50
    """
    return as_decimal(value)


def _decimals(values: list[Any]) -> list[Decimal]:
    if (
        re.fullmatch(rf"(?:-?[0-9]{{1,{MAX_PLAIN}}}(?:\.[0-9]{{1,{MAX_PLAIN}}})?\0)*+", "\0".join(values) + "\0")
        is None
    ):
        raise ValueError
    return list(map(Decimal, values))


by_column(decimal, _decimals)


@define(GROUP)
def float_(value: Any) -> float:
    """A binary floating-point number: the one transform that may lose digits.

    "0.5" | float → 0.5
    """
    try:
        return float(as_decimal(value))
    except OverflowError:
        raise TransformError(f"{show(value)} is out of range") from None


@define(GROUP, inverse="from_cents")
def cents(places: int = 2) -> Step:
    """Money as a whole number of its smallest unit: text or number, `places` being 0 for yen and 3 for dinar.

    "12.34" | cents → 1234
    12.5 | cents → 1250
    "500" | cents(0) → 500
    """
    _check_places(places, "cents")
    factor = Decimal(10) ** places
    start, end = -places - 1, -places if places else None

    def step(value: Any) -> int:
        # once a record: a plain amount is read by its digits, which takes half of what exact arithmetic does
        if value.__class__ is str and value[start:end] == "." and len(value) < MAX_PLAIN and value.isascii():
            digits = value.replace(".", "", 1)
            if digits.isdigit():
                return int(digits)
        amount = EXACT.multiply(as_decimal(value), factor)
        if amount != amount.to_integral_value():
            raise TransformError(f"{show(value)} has a fraction of a cent")
        return int(amount)

    fraction = rf"\.[0-9]{{{places}}}" if places else ""
    return by_column(step, lambda values: _whole_numbers(values, rf"-?[0-9]{{1,{MAX_PLAIN}}}{fraction}"))


@define(GROUP, inverse="cents")
def from_cents(places: int = 2) -> Step:
    """A whole number of the smallest unit as a decimal amount.

    1234 | from_cents → 12.34
    """
    _check_places(places, "from_cents")

    def step(value: Any) -> Decimal:
        amount = as_integer(Decimal(need_number(value)))
        return Decimal(amount).scaleb(-places, EXACT)

    return step


@define(GROUP)
def round_(places: int = 0, mode: str = "half_up") -> Step:
    """Rounded to `places` (a whole number for 0); mode is half_up, half_even, up, down, floor or ceiling.

    2.5 | round → 3
    12.345 | round(2, "half_even") → 12.34
    """
    _check_places(places, "round")
    if mode not in MODES:
        raise ArgumentError(f"round: mode is one of {', '.join(MODES)}")
    unit = Decimal(1).scaleb(-places)

    def step(value: Any) -> Number:
        number = need_number(value)
        if isinstance(number, int):
            return number
        rounded = number.quantize(unit, MODES[mode], ROUNDING)
        return rounded if places else int(rounded)

    return step


@define(GROUP)
def floor(value: Any) -> int:
    """The next whole number at or below.

    -1.5 | floor → -2
    """
    return int(Decimal(need_number(value)).to_integral_value(ROUND_FLOOR))


@define(GROUP)
def ceil(value: Any) -> int:
    """The next whole number at or above.

    1.2 | ceil → 2
    """
    return int(Decimal(need_number(value)).to_integral_value(ROUND_CEILING))


@define(GROUP)
def abs_(value: Any) -> Number:
    """Without its sign.

    -3 | abs → 3
    """
    number = need_number(value)
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


@define(GROUP, inverse="negate")
def negate(value: Any) -> Number:
    """With the other sign.

    3 | negate → -3
    """
    number = need_number(value)
    return number.copy_negate() if isinstance(number, Decimal) else -number


@define(GROUP, inverse="divide")
def multiply(factor: Decimal) -> Step:
    """Times `factor`, exactly.

    1.15 | multiply(100) → 115.00
    """
    return lambda value: tidy(EXACT.multiply(need_number(value), factor), value, factor)


@define(GROUP, inverse="multiply")
def divide(divisor: Decimal, places: int | None = None) -> Step:
    """Divided by `divisor`; what does not come out even within 28 digits needs `places` to round to (half up).

    5 | divide(4) → 1.25
    10 | divide(3, 2) → 3.33
    """
    if divisor == 0:
        raise ArgumentError("divide: divisor is zero")
    if places is not None:
        _check_places(places, "divide")

    def step(value: Any) -> Decimal:
        number = Decimal(need_number(value))
        if places is not None:
            return _rounded_quotient(number, Decimal(divisor), places)
        try:
            return QUOTIENT.divide(number, Decimal(divisor))
        except Inexact:
            raise TransformError(
                f"{show(number)} / {show(divisor)} does not come out even; write divide({show(divisor)}, 2) for two places"
            ) from None

    return step


@define(GROUP, inverse="subtract")
def add(number: Decimal) -> Step:
    """Plus `number`, exactly.

    1.10 | add(2) → 3.10
    """
    return lambda value: tidy(EXACT.add(need_number(value), number), value, number)


@define(GROUP, inverse="add")
def subtract(number: Decimal) -> Step:
    """Minus `number`, exactly.

    3 | subtract(1) → 2
    """
    return lambda value: tidy(EXACT.subtract(need_number(value), number), value, number)


def add_all(numbers: list[Any]) -> Number:
    """The exact sum. Raises TransformError."""
    total: Number = 0
    for number in numbers:
        total = tidy(EXACT.add(total, need_number(number)), total, number)
    return total


def words_of(error: DecimalException) -> str:
    """What an arithmetic trap means."""
    return "a division by zero" if isinstance(error, DivisionByZero) else f"the result needs over {MAX_DIGITS} digits"


def _rounded_quotient(number: Decimal, divisor: Decimal, places: int) -> Decimal:
    """Half up, in whole numbers, so that rounding happens once."""
    top, bottom = number.as_integer_ratio()
    above, below = divisor.as_integer_ratio()
    numerator, denominator = top * below * 10**places, bottom * above
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    quotient = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return Decimal(sign * quotient).scaleb(-places, EXACT)


def _check_places(places: int, name: str) -> None:
    if not 0 <= places <= MAX_PLACES:
        raise ArgumentError(f"{name}: places is 0 to {MAX_PLACES}")
