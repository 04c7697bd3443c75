"""Durations, rates, sizes and ratios as the file spells them: `30s`, `10/s`, `64MB`, `1%`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PERIODS = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
           "d": 86400.0, "day": 86400.0}  # fmt: skip
BYTES = {
    "B": 1,
    "KB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "KiB": 1_024,
    "MiB": 1_048_576,
    "GiB": 1_073_741_824,
}

FROM_FILE = {"from": "file"}
"""The validation context of what was read from a file."""


class Rate(NamedTuple):
    """At most `amount` requests in any `per` seconds."""

    amount: int
    per: float

    def __str__(self) -> str:
        return format_rate(self)


def read_duration(value: Any) -> float:
    """Seconds from `30s`, `1.5h`, `250ms`, or a sum such as `1h30m`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _unit_error(value, "a duration needs its unit", f"{value}s")
    if isinstance(value, str):
        pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)
        if pieces and "".join(number + unit for number, unit in pieces) == value.replace(" ", ""):
            return float(sum(float(number) * SECONDS[unit] for number, unit in pieces))
    raise _unit_error(value, "not a duration", "30s, 5m, 2h or 1d")


def format_duration(seconds: float) -> str:
    """The shortest spelling that reads back as the same number of seconds."""
    for unit in ("d", "h", "m", "s"):
        amount = seconds / SECONDS[unit]
        if amount == int(amount) and amount:
            return f"{int(amount)}{unit}"
    text = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return f"{text}s" if float(text) == seconds else f"{seconds!r}s"


def span(seconds: float) -> str:
    """A duration as people say it: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 days`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 retry`, `1,200 retries`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def read_rate(value: Any) -> Rate:
    if isinstance(value, Rate):
        return value
    match = re.fullmatch(r"(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)", value) if isinstance(value, str) else None
    if not match or match[3] not in PERIODS or int(match[1]) < 1 or (match[2] and not float(match[2])):
        raise _unit_error(value, "not a rate", "10/s, 100/min, 1000/h or 40/10s")
    return Rate(int(match[1]), float(match[2] or 1) * PERIODS[match[3]])


def format_rate(rate: Rate) -> str:
    for unit, seconds in (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)):
        if rate.per == seconds:
            return f"{rate.amount}/{unit}"
    return f"{rate.amount}/{rate.per:g}s"


def read_size(value: Any) -> int:
    """Bytes from `64MB`, `512KiB` (powers of 1000 and of 1024), or a plain number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]i?B|B)", value) if isinstance(value, str) else None
    if not match or not float(match[1]):
        raise _unit_error(value, "not a size", "64MB or 512KiB")
    return int(float(match[1]) * BYTES[match[2]])


def format_size(size: int) -> str:
    for unit in ("GB", "GiB", "MB", "MiB", "KB", "KiB"):
        if size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


def read_ratio(value: Any) -> float:
    """A share from 0 to 1, written `1%` or `0.01`."""
    number: float | None = None
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value)):
        number = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if number is None or not 0 <= number <= 1:
        raise _unit_error(value, "not a share", "1% or 0.01")
    return number


def format_ratio(ratio: float) -> str | float:
    text = f"{ratio * 100:g}%"
    return text if read_ratio(text) == ratio else ratio


def _unit_error(value: Any, what: str, example: str) -> PydanticCustomError:
    return PydanticCustomError(
        "unit", "{what}: {value}; write {example}", {"what": what, "value": repr(value), "example": example}
    )


class _Unit:
    """Reads and writes one kind of quantity; a value that is already in the base unit comes from Python and is kept."""

    def __init__(self, read: Callable[[Any], Any], write: Callable[[Any], Any], pattern: str, example: str) -> None:
        self.read, self.write, self.pattern, self.example = read, write, pattern, example

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": ["string", "number"], "pattern": self.pattern, "examples": [self.example]}


class _DurationUnit(_Unit):
    """Takes plain seconds from Python, but not from a file, where nobody would see that they are seconds."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def read(value: Any, info: core_schema.ValidationInfo) -> float:
            return value if isinstance(value, float) and info.context is not FROM_FILE else read_duration(value)

        return core_schema.with_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )


Duration = Annotated[float, _DurationUnit(read_duration, format_duration, r"^(\d+(\.\d+)?(ms|s|m|h|d)\s*)+$", "30s")]
Size = Annotated[int, _Unit(read_size, format_size, r"^\d+(\.\d+)?\s*([KMG]i?B|B)$", "64MB")]
Ratio = Annotated[float, _Unit(read_ratio, format_ratio, r"^\d+(\.\d+)?\s*%$", "1%")]
RateText = Annotated[Rate, _Unit(read_rate, format_rate, r"^\d+\s*/\s*(\d+(\.\d+)?)?\s*[a-z]+$", "10/s")]
