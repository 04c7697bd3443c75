"""Logical types, what each can hold, and how values are spelled so that nothing is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, Literal

from syncline.model import decode_json, encode_json

Logical = Literal["unknown", "boolean", "integer", "decimal", "float", "text", "timestamp", "date", "json", "binary"]
Convert = Callable[[Any], Any]

LOGICAL: dict[type, Logical] = {
    bool: "boolean",
    int: "integer",
    Decimal: "decimal",
    float: "float",
    str: "text",
    datetime: "timestamp",
    date: "date",
    dict: "json",
    list: "json",
    tuple: "json",
    bytes: "binary",
}
NONE = type(None)
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""For numbers that must not be rounded: Python's own context keeps 28 digits, also where it only takes zeros away."""
NO_NUMBER = "NaN is not a number that a row can hold"
MAX_DIGITS = 4_300
MAX_BITS = 14_284
"""Of the largest integer that Python spells as text (sys.int_info.default_max_str_digits)."""


def join(first: Logical, second: Logical) -> Logical | None:
    """The narrowest type that holds both exactly; None where there is none."""
    if second in (first, "unknown"):
        return first
    if first == "unknown":
        return second
    pair = {first, second}
    if "binary" in pair:
        return None
    if "json" in pair:
        return "json"
    if pair <= {"integer", "decimal", "float"}:
        return "decimal"
    return "text"


def within(column: Logical, needed: Logical) -> Logical | None:
    """As `join`, where the column cannot change: text takes the spelling of anything but bytes, integers take 0 and 1."""
    if (column == "text" and needed != "binary") or (column == "integer" and needed == "boolean"):
        return column
    return join(column, needed)


def logical_of(kinds: Iterable[type]) -> Logical | None:
    """What a column of these Python types needs; None where no type holds them all."""
    needed: Logical | None = "unknown"
    for kind in kinds:
        if kind is not NONE and needed is not None:
            needed = join(needed, LOGICAL[kind]) if kind in LOGICAL else None
    return needed


def needed_for(kinds: Collection[type], values: Iterable[Any]) -> Logical | None:
    """As `logical_of`, where integers beyond 64 bits need a column of decimals."""
    needed = logical_of(kinds)
    if needed is not None and int in kinds and not all(in_64_bits(value) for value in values):
        return join(needed, "decimal")
    return needed


def in_64_bits(value: Any) -> bool:
    return not isinstance(value, int) or MIN_INTEGER <= value <= MAX_INTEGER


def spell(value: Any) -> str:
    """The text of a value within a text, decimal, timestamp or date column. Raises ValueError for a float that is no number."""
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, datetime):
        return spell_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return spell_json(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(NO_NUMBER)
        return repr(value)
    return str(value)


def spell_time(moment: datetime) -> str:
    """UTC with `+00:00`, which sorts as text in the order of time (`Z` does not: `.` comes before it)."""
    zone = moment.tzinfo
    if zone is None:
        return moment.isoformat()
    utc = moment if zone is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat() + "+00:00"  # a quarter of the time that an aware one takes


def spell_json(value: Any) -> str:
    """Raises ValueError for NaN and Infinity, of which the encoder makes null, or words that JSON does not have."""
    text = encode_json(spell_time(value) if isinstance(value, datetime) else value).decode()
    if ("null" in text or "NaN" in text or "Infinity" in text) and has_nan(value):
        raise ValueError("NaN and Infinity do not exist in JSON")
    return text


def natural(value: Any) -> Any:
    """As SQLite would keep it in a column without a type."""
    if isinstance(value, int):
        return int(value) if MIN_INTEGER <= value <= MAX_INTEGER else str(value)
    return value if value is None or isinstance(value, float | str | bytes) else spell(value)


def converter(column: Logical, kinds: frozenset[type]) -> Convert | None:
    """What turns each value that is not None into what is bound; None where the values are bound as they are."""
    given = kinds - {NONE}
    if column == "json":
        return spell_json
    if column in ("text", "decimal", "timestamp", "date"):
        return None if given <= {str} else _speller(given)
    if column == "boolean" or bool in given:
        return int
    return natural if column == "unknown" else None


def _speller(kinds: frozenset[type]) -> Convert:
    if kinds <= {int, Decimal}:
        return str
    if kinds == {datetime}:
        return spell_time
    return date.isoformat if kinds == {date} else spell


def restore(stored: Any, column: Logical) -> Any:
    """The value that was written, read back from what a database holds."""
    if stored is None:
        return None
    match column:
        case "boolean":
            return bool(stored)
        case "decimal":
            return Decimal(stored)
        case "timestamp":
            return datetime.fromisoformat(stored)
        case "date":
            return date.fromisoformat(stored)
        case "json":
            return decode_json(stored)
        case _:
            return stored


def widen(stored: Any, before: Logical, after: Logical) -> Any:
    """A stored value as the wider type stores it."""
    if stored is None or before == "unknown":
        return stored
    value = restore(stored, before)
    if after == "json":
        return spell_json(str(value) if has_nan(value) else value)
    return spell(value)


def misfit(value: Any, column: Logical | None, *, lossy: bool = False) -> str | None:
    """Why this value cannot be kept exactly in such a column; None where it can. `column=None` asks for any row at all.

    `lossy` columns are those of somebody else's table where the database may turn decimal text into a float.
    """
    if value is None:
        return None
    needed = LOGICAL.get(type(value))
    if needed is None:
        return f"a value of type {type(value).__name__} is not one that a row can hold"
    if reason := unspeakable(value):
        return reason
    if column is None:
        return None
    if column == "json" and has_nan(value):
        return "NaN and Infinity do not exist in JSON"
    if column == "integer" and isinstance(value, int):
        return (
            None if MIN_INTEGER <= value <= MAX_INTEGER else "the column holds integers of 64 bits; this one is larger"
        )
    if column == "float" and isinstance(value, int | Decimal):
        return None if _is_a_float(value) else "the column holds floats; this number would be rounded"
    if lossy and isinstance(value, str) and _looks_numeric(value):
        return "the column would turn this text into a number"
    if lossy and isinstance(value, int | Decimal):
        digits = len(Decimal(value).normalize(EXACT).as_tuple().digits)
        return None if digits <= 15 else "the column keeps 15 digits; this number would be rounded"
    if column != "unknown" and within(column, needed) != column:
        return f"the column holds {column}; this is {needed}"
    return None


def _is_a_float(number: int | Decimal) -> bool:
    try:
        return Decimal(repr(float(number))) == number
    except (OverflowError, ValueError):  # larger than any float; a signalling NaN
        return False


def _looks_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unspeakable(value: Any) -> str | None:
    try:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, int) and value.bit_length() > MAX_BITS:
            return f"the integer has more than {MAX_DIGITS} digits"
        elif isinstance(value, float) and math.isnan(value):
            return NO_NUMBER
        elif isinstance(value, dict | list | tuple):
            encode_json(value)
            if has_nan(value):
                return "NaN and Infinity do not exist in JSON"
    except UnicodeEncodeError:
        return "the text holds a lone surrogate, which is no character and has no UTF-8 form"
    except (TypeError, ValueError, RecursionError) as problem:
        return str(problem)
    return None


def holds_nul(value: Any) -> bool:
    """Whether there is a NUL in it, which some databases' text cannot hold."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(holds_nul(key) or holds_nul(inner) for key, inner in value.items())
    return isinstance(value, list | tuple) and any(map(holds_nul, value))


def finite(value: float | Decimal) -> bool:
    """math.isfinite would make a float of a decimal first: too small for many, and an error for a signalling NaN."""
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)


def all_finite(values: Iterable[float | Decimal | None]) -> bool:
    return all(value is None or finite(value) for value in values)


def has_nan(value: Any) -> bool:
    """Whether there is a number in it that JSON does not have."""
    if isinstance(value, dict):
        return any(map(has_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_nan, value))
    return isinstance(value, float | Decimal) and not finite(value)
