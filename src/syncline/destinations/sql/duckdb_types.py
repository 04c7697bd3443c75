"""DuckDB's types: which of them holds a value exactly, and how the value is handed over."""

from __future__ import annotations

import math
import re
import struct
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import methodcaller
from typing import Any

from syncline.destinations.sql.digits import as_decimal, digits_of, exponent_of, misfit_of_size
from syncline.destinations.sql.table import Column
from syncline.destinations.values import Convert, Logical, finite, spell, spell_json

DECLARED: dict[Logical, str] = {
    "unknown": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "json": "JSON",
    "binary": "BLOB",
}
LOGICAL_OF: dict[str, Logical] = {declared: logical for logical, declared in DECLARED.items() if logical != "unknown"}
DIGITS = 38
"""Of a DECIMAL, before and after the point together."""
SMALLER: dict[str, tuple[int, int]] = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
}
LARGER: dict[str, tuple[int, int]] = {
    "UBIGINT": (0, 2**64 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UHUGEINT": (0, 2**128 - 1),
}
TICKS = {"TIMESTAMP": 1, "TIMESTAMP_NS": 1, "TIMESTAMP_MS": 1_000, "TIMESTAMP_S": 1_000_000}
"""Microseconds between the moments that a time without a zone can say."""
NANOSECONDS = (datetime(1677, 9, 22, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC))
"""What 64 bits of nanoseconds reach, by whole days."""
HANDED: dict[str, tuple[str, str]] = {
    "JSON": ("VARCHAR", "{}::JSON"),
    "BLOB": ("VARCHAR", "from_base64({})"),
    "UUID": ("VARCHAR", "{}::UUID"),
    "TIME": ("VARCHAR", "{}::TIME"),
}
"""As what type the value is read, and what is made of it, where that is not the column's own type."""
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_ENUM = re.compile(r"ENUM\((.*)\)", re.DOTALL)
_MEMBER = re.compile(r"'((?:[^']|'')*)'")


class Numbers(Column, frozen=True):
    """A column of numbers that is to be made or widened, with what is known of the values that it is to hold."""

    seen: tuple[int, int, int] = (0, 0, 0)
    """The most digits before the point, and after it with and without zeros at the end: 1.10 has one, and two as it is spelled."""
    least: int = 0
    """Places after the point that the column has already."""


def decimal_column(name: str, scale: int) -> Column:
    return Column(name, f"DECIMAL({DIGITS},{scale})", "decimal", fits=(DIGITS - scale, scale))


def number_column(name: str, logical: Logical, values: Sequence[Any], have: Column | None = None) -> Column:
    """The column that holds what `have` was made for and these numbers too: of integers, floats or decimals, or of text where
    no decimal has room for all of them. As many places as are spelled are kept where there is room."""
    least = have.least if isinstance(have, Numbers) else have.fits[1] if have and have.fits else 0
    whole, scale, spelled = have.seen if isinstance(have, Numbers) else (0, 0, 0)
    integers = [value for value in values if type(value) is int]
    extremes = [min(integers), max(integers)] if integers else []
    for value in (*extremes, *(value for value in values if isinstance(value, Decimal | float))):
        before, after = digits_of(value)
        whole, scale = max(whole, before), max(scale, after)
        spelled = max(spelled, -exponent_of(value)) if isinstance(value, Decimal) else spelled
    seen = (whole, scale, max(scale, spelled))
    if logical != "decimal":
        return Numbers(name, DECLARED[logical], logical, seen=seen, least=least)
    scale = max(scale, least)
    if whole + scale > DIGITS:
        return Column(name, DECLARED["text"], "text")
    made = decimal_column(name, spelled if scale < spelled <= DIGITS - whole else scale)
    return Numbers(name, made.declared, "decimal", fits=made.fits, seen=seen, least=least)


def read_column(name: str, declared: str) -> Column:
    """A column as the database tells of it. What Syncline does not write is lossy."""
    if declared in LOGICAL_OF:
        return Column(name, declared, LOGICAL_OF[declared])
    if found := _DECIMAL.fullmatch(declared):
        scale = int(found[2])
        return Column(name, declared, "decimal", fits=(int(found[1]) - scale, scale))
    if declared in SMALLER:
        return Column(name, declared, "integer")
    if declared in LARGER:
        return Column(name, declared, "decimal", fits=(DIGITS + 1, 0))
    if declared in TICKS:
        return Column(name, declared, "timestamp")
    if declared == "FLOAT":
        return Column(name, declared, "float")
    if declared in ("UUID", "TIME") or _ENUM.fullmatch(declared):
        return Column(name, declared, "text")
    return Column(name, declared, "text", lossy=True)


def is_plain(column: Column) -> bool:
    """Whether every value of its logical type fits, or else is noticed when it is converted."""
    return column.declared in LOGICAL_OF or _DECIMAL.fullmatch(column.declared) is not None


def handed(column: Column) -> tuple[str, str]:
    """As which type a value is read out of JSON, and the expression that makes the column's value of it."""
    if column.logical == "text":
        return HANDED.get(column.declared, ("VARCHAR", "{}"))
    return HANDED.get(column.declared, (column.declared, "{}"))


def converter(column: Column, kinds: frozenset[type]) -> Convert | None:
    """What turns each value that is not None into what JSON can carry.

    Raises ValueError or ArithmeticError for what cannot be kept.
    """
    given = kinds - {type(None)}
    match column.logical:
        case "json":
            return spell_json
        case "text":
            return None if given <= {str} else _text if float in given else spell
        case "decimal":
            return int if column.declared in LARGER else _exactly(column, given)
        case "integer":
            return int if bool in given else None
        case "float":
            return _real
        case "timestamp":
            return _naive if column.declared in TICKS else in_utc
        case _:
            return None


def misfit(value: Any, column: Column) -> str | None:
    """Why a value that is of the column's logical type cannot be kept in it exactly."""
    if column.lossy:
        return f"Syncline does not write {column.declared[:60]}; make the column JSON, or leave it out of the mapping"
    if isinstance(value, Decimal | float) and column.logical == "decimal" and not finite(value):
        return f"{value} is not a number that a {column.declared} can hold"
    if isinstance(value, int | Decimal) and column.declared in SMALLER | LARGER:
        low, high = (SMALLER | LARGER)[column.declared]
        if not low <= value <= high:
            return f"the column is {column.declared}; the number is outside of it"
    if column.logical == "decimal":
        return misfit_of_size(value, column)
    if column.declared == "FLOAT" and isinstance(value, int | float | Decimal):
        return None if _is_single(float(value)) else "the column holds floats of 32 bits; this number would be rounded"
    if isinstance(value, datetime):
        return _misfit_of_time(value, column)
    return _misfit_of_text(spell(value), column) if column.logical == "text" and not isinstance(value, bytes) else None


def _misfit_of_time(value: datetime, column: Column) -> str | None:
    try:
        moment = in_utc(value)
    except OverflowError:
        return "the time has no year between 1 and 9999 in UTC"
    if column.declared in TICKS and moment.microsecond % TICKS[column.declared]:
        return f"the column is {column.declared}; the time would be rounded"
    if column.declared == "TIMESTAMP_NS" and not NANOSECONDS[0] <= moment < NANOSECONDS[1]:
        return "the column is TIMESTAMP_NS; the time is outside of it"
    return None


def _misfit_of_text(text: str, column: Column) -> str | None:
    if found := _ENUM.fullmatch(column.declared):
        members = {member.replace("''", "'") for member in _MEMBER.findall(found[1])}
        return None if text in members else "the text is no member of the column's ENUM"
    try:
        if column.declared == "UUID":
            uuid.UUID(text)
        elif column.declared == "TIME" and (time.fromisoformat(text).tzinfo or re.search(r"[.,]\d{7}", text)):
            return "the column is TIME, which has no zone and six places"
    except ValueError:
        return f"the column holds {column.declared}; this text is none"
    return None


def in_utc(moment: datetime) -> datetime:
    """A time without a zone is taken to be UTC."""
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _naive(moment: datetime) -> datetime:
    return in_utc(moment).replace(tzinfo=None)


def _text(value: Any) -> str:
    return spell(_real(value) if isinstance(value, float) else value)


def _real(value: Any) -> float | str:
    number = float(value)
    if math.isfinite(number):
        return number
    if math.isnan(number):
        raise ValueError("NaN is not a number that a row can hold")
    return str(number)  # JSON has no word for it


def _exactly(column: Column, kinds: frozenset[type]) -> Convert:
    """The number with as many places as the column has, or DecimalException; a cast would round."""
    assert column.fits is not None
    whole, scale = column.fits
    context = Context(prec=whole + scale, traps=[Inexact, InvalidOperation])
    quantum = Decimal(1).scaleb(-scale)
    if kinds == {Decimal}:
        return methodcaller("quantize", quantum, context=context)  # no Python code for each value
    return lambda value: as_decimal(value).quantize(quantum, context=context)


def _is_single(number: float) -> bool:
    if not math.isfinite(number):
        return not math.isnan(number)
    try:
        return bool(struct.unpack("f", struct.pack("f", number))[0] == number)
    except OverflowError:
        return False
