"""MySQL's and MariaDB's types of columns: how they are declared, what values mean in them, what they can hold exactly."""

from __future__ import annotations

import math
import re
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from syncline.databases.literals import in_utc
from syncline.destinations.sql.digits import Digits, as_decimal, digits_of
from syncline.destinations.sql.table import Column
from syncline.destinations.values import Logical, spell

DECLARED: dict[Logical, str] = {
    "unknown": "LONGTEXT",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "text": "LONGTEXT",
    "timestamp": "DATETIME(6)",
    "date": "DATE",
    "binary": "LONGBLOB",
}
"""And DECIMAL, by its digits, and JSON, by the product."""
OF_OURS: dict[str, Logical] = {
    "tinyint(1)": "boolean",
    "bigint": "integer",
    "bigint(20)": "integer",  # MySQL has not shown this width since 8.0.19
    "double": "float",
    "longtext": "text",
    "datetime(6)": "timestamp",
    "date": "date",
    "longblob": "binary",
}
JSON_MARK = "COMMENT 'JSON'"
JSON_OF = {"MariaDB": "JSON", "MySQL": f"LONGTEXT {JSON_MARK}"}
"""MariaDB's JSON keeps the text. MySQL's own makes floats of numbers beyond 64 bits and of all decimals, so it is not used."""
JSON_LEVELS = 31
"""MariaDB's JSON nests no deeper (JSON_DEPTH_LIMIT in its source)."""
KEY_BYTES = 3072
"""What an index of InnoDB holds of a row (https://dev.mysql.com/doc/refman/8.0/en/innodb-limits.html)."""
KEY_LENGTH = KEY_BYTES // 4
"""Characters of utf8mb4."""
MOST_DIGITS, MOST_SCALE = 65, 30
FEWEST_DIGITS = 18
SINGLE_DIGITS = 6
"""That FLOAT gives back as they were (FLT_DIG)."""
TEXTUAL = frozenset(("char", "varchar", "enum", "set", "tinytext", "text", "mediumtext", "longtext"))
Limit = Callable[[Any], str | None]
"""Why a value of the right kind would not be kept as it is; None where it would."""

_INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_LOGICAL: dict[str, Logical] = {
    "decimal": "decimal",
    "float": "float",
    "double": "float",
    "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamp",
    "year": "integer",
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "binary"),
}
_KEPT = frozenset((*TEXTUAL, "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "json", "date", "boolean"))
"""Types that keep a value as it is or refuse it."""
_SIZED = re.compile(r"([a-z0-9]+)(?:\((.*)\))?([^)]*)", re.DOTALL)
_MEMBER = re.compile(r"'((?:[^']|'')*)'")


def split_type(declared: str) -> tuple[str, str, str]:
    """`decimal(10,2) unsigned` as its name, its size, and the rest; all in small letters."""
    found = _SIZED.match(declared.lower())
    return (found[1], found[2] or "", found[3]) if found else (declared.lower(), "", "")


def sized(digits: Digits) -> Digits | None:
    """Room for so many digits and as many more as cost no byte (nine take four bytes); None where it is more than there is."""
    whole, scale = digits
    if scale > MOST_SCALE or whole + scale > MOST_DIGITS:
        return None
    room = (max(FEWEST_DIGITS, -(-whole // 9) * 9), scale // 9 * 9 + (0, 2, 2, 4, 4, 6, 6, 9, 9)[scale % 9])
    return room if room[1] <= MOST_SCALE and sum(room) <= MOST_DIGITS else digits


def decimal_column(name: str, room: Digits) -> Column:
    return Column(name, f"DECIMAL({sum(room)},{room[1]})", "decimal", fits=room)


def for_key(column: Column, length: int) -> Column:
    """A column of ours as an index can hold it, with room for so many characters."""
    kind = split_type(column.declared)[0]
    if kind in ("longtext", "varchar", "json"):
        mark = f" {JSON_MARK}" if column.logical == "json" else ""
        return Column(column.name, f"VARCHAR({length}){mark}", column.logical)
    return Column(column.name, f"VARBINARY({4 * length})", "binary") if column.logical == "binary" else column


def read_column(name: str, declared: str, text: str, *, ours: bool, json: str | None) -> Column:
    """A column as the catalogue describes it. `text` is how its characters are kept and compared, empty where that is as in ours;
    `json` is how the type is declared where it holds JSON."""
    kind, size, rest = split_type(declared)
    if json is not None:
        return Column(name, f"VARCHAR({size}) {JSON_MARK}" if kind == "varchar" else json, "json")
    digits, _, scale = size.partition(",")
    fits = (int(digits) - int(scale or 0), int(scale or 0)) if kind == "decimal" else None
    if ours and not text and not rest.strip():
        if declared in OF_OURS:
            return Column(name, DECLARED[OF_OURS[declared]], OF_OURS[declared])
        if fits:
            return decimal_column(name, fits)
        if kind in ("varchar", "varbinary"):
            return Column(name, f"{kind.upper()}({size})", "text" if kind == "varchar" else "binary")
    logical = _LOGICAL.get(kind, "text")
    if kind == "bit":
        logical = "boolean" if size == "1" else "integer"
    return Column(name, f"{declared} {text}".rstrip(), logical, fits=fits)


@lru_cache(maxsize=4096)
def limit_of(declared: str) -> Limit | None:
    """What a type keeps out or would change without a word; None where the database does neither without an error.

    A warning is an error to us, so that texts and bytes that are too long need nobody to count them here.
    """
    kind, size, rest = split_type(declared)
    places = int(size) if size.isdigit() else 0
    if "generated" in rest:
        return lambda _: "the database itself computes this column"
    unsigned = "unsigned" in rest or "zerofill" in rest
    if kind in _INTEGERS:
        bits = _INTEGERS[kind]
        low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return None if declared == DECLARED["integer"] else _between(low, high)
    match kind:
        case "year":
            return _between(1901, 2155)
        case "bit":
            return _between(0, 2**places - 1)
        case "float" | "double":
            return _floating(kind, size)
        case "decimal":
            return _between(0, math.inf) if unsigned else None
        case "timestamp" | "datetime":
            return _moments(kind, places)
        case "enum" | "set":
            members = [member.replace("''", "'") for member in _MEMBER.findall(declared)]
            return _one_of(members) if kind == "enum" else _some_of(members)
        case "varchar":
            return _characters(places)
        case "char":
            return lambda value: "the column loses spaces at the end" if spell(value).endswith(" ") else None
        case "binary":
            return lambda value: None if len(value) == places else f"the column fills its values up to {places} bytes"
        case "time":
            return _spelled(r"-?\d{2,3}:\d\d:\d\d" + (rf"\.\d{{{places}}}" if places else ""), "HH:MM:SS")
        case "uuid":
            return lambda value: None if _is_uuid(spell(value)) else "the column holds UUIDs; this is none"
    return None if kind in _KEPT else lambda _: f"nothing can be written to a column of type {kind}"


def misfit_of_json(value: Any, declared: str) -> str | None:
    """Why JSON cannot be kept exactly: nested too deeply for MariaDB, or numbers that MySQL's own JSON would round."""
    if declared == JSON_OF["MariaDB"] and _levels(value) > JSON_LEVELS:
        return f"MariaDB's JSON nests {JSON_LEVELS} levels at most"
    if declared == "json" and (number := _inexact(value)) is not None:
        return f"the column is MySQL's JSON, which would round the number {number}"
    return None


def _levels(value: Any) -> int:
    deepest, layer = 0, [value]
    while layer := [inner for inner in layer if isinstance(inner, dict | list | tuple)]:
        deepest += 1
        layer = [part for inner in layer for part in (inner.values() if isinstance(inner, dict) else inner)]
    return deepest


def _inexact(value: Any) -> int | Decimal | None:
    if isinstance(value, dict | list | tuple):
        parts = value.values() if isinstance(value, dict) else value
        return next((found for part in parts if (found := _inexact(part)) is not None), None)
    if isinstance(value, Decimal):
        return None if value.is_finite() and as_decimal(float(value)) == value else value
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return value
    return None


def _between(low: int, high: float) -> Limit:
    return lambda value: None if low <= value <= high else f"the column holds {low} to {high}; this is outside"


def _floating(kind: str, size: str) -> Limit | None:
    """FLOAT(7,2) and DOUBLE(7,2) round to two places."""
    scale = size.partition(",")[2]

    def limit(value: Any) -> str | None:
        number = float(value)
        if kind == "float" and not _is_single(number):
            return "the column is FLOAT; this number would be rounded"
        if scale and digits_of(number)[1] > int(scale):
            return f"the column keeps {scale} places; this number would be rounded"
        return None

    return limit if kind == "float" or scale else None


def _is_single(number: float) -> bool:
    try:
        (single,) = struct.unpack("f", struct.pack("f", number))
    except OverflowError:
        return False
    return not math.isfinite(number) or float(f"{single:.{SINGLE_DIGITS}g}") == number


def _moments(kind: str, places: int) -> Limit | None:
    """TIMESTAMP goes from 1970 to 2038 (https://dev.mysql.com/doc/refman/8.0/en/datetime.html)."""

    def limit(value: datetime) -> str | None:
        if value.microsecond % 10 ** (6 - places):
            return f"the column keeps {places} places of a second; this time would be rounded"
        if kind == "timestamp" and not 0 < in_utc(value).replace(tzinfo=UTC).timestamp() < 2**31:
            return "the column holds times of 1970 to 2038"
        return None

    return limit if kind == "timestamp" or places < 6 else None


def _characters(most: int) -> Limit:
    def limit(value: Any) -> str | None:
        length = len(spell(value))
        return f"the column holds {most} characters; this has {length}" if length > most else None

    return limit


def _one_of(members: list[str]) -> Limit:
    return lambda value: None if spell(value) in members else "the column has no such member"


def _some_of(members: list[str]) -> Limit:
    def limit(value: Any) -> str | None:
        parts = spell(value).split(",") if value != "" else []
        kept = [member for member in members if member in parts]
        return None if kept == parts else "the column has no such members, or keeps them in another order"

    return limit


def _spelled(pattern: str, shown: str) -> Limit:
    spelled = re.compile(pattern)
    return lambda value: None if spelled.fullmatch(spell(value)) else f"the column spells its values {shown}"


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
