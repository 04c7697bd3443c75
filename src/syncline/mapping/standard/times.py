"""Transforms of times and dates. A time always carries its zone; one without is an error until somebody names it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from syncline.mapping.standard.numbers import need_number
from syncline.mapping.standard.texts import need_text
from syncline.mapping.transform import ArgumentError, Step, TransformError, by_column, define, expected, show

GROUP = "Dates and times"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_FORMAT = 100
MAX_STAMP = 200
_DIRECTIVES = frozenset("YmdHMSfzjyBbAaIpT%")
_CLOCK_DIRECTIVES = frozenset("HMSfIpT")
_BASIC = re.compile(r"[0-9]{8}T[0-9]{2,6}")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@lru_cache(maxsize=64)
def read_zone(name: str) -> tzinfo:
    """The time zone of that IANA name. Raises ArgumentError."""
    if name in ("UTC", "Z"):
        return UTC
    from zoneinfo import ZoneInfo  # late: most mappings name no zone

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ArgumentError(f"there is no time zone {show(name)}; write a name such as Europe/Paris or UTC") from None


def need_time(value: Any) -> datetime:
    if value.__class__ is not datetime:
        raise expected("a time (made by iso8601, date or epoch)", value)
    if value.tzinfo is None:
        raise TransformError(f"{value.isoformat()} has no time zone")
    return value


@define(GROUP, inverse="format_iso8601")
def iso8601(zone: str | None = None) -> Step:
    """The time that an ISO 8601 text says, in UTC; `zone` is for texts without an offset, which are an error otherwise.

    Digits beyond the microsecond are cut off.

    "2026-11-22T13:00:00+01:00" | iso8601 | format_iso8601 → "2026-11-22T12:00:00Z"
    "2026-07-01 12:00:00" | iso8601("Europe/Paris") | format_iso8601 → "2026-07-01T10:00:00Z"
    """
    home = None if zone is None else read_zone(zone)
    parse, utc = datetime.fromisoformat, UTC

    def step(value: Any) -> datetime:
        if value.__class__ is str and value[10:11] == "T":
            try:
                time = parse(value)
            except ValueError:
                time = _read_iso(value)
            if time.tzinfo is utc:
                return time
        else:
            time = value if value.__class__ is datetime else _read_iso(need_text(value))
        if time.tzinfo is None:
            if home is None:
                raise TransformError(f'{show(value)} has no offset; write iso8601("UTC") or the zone that it means')
            return place(time, home)
        return to_utc(time)

    def column(values: list[Any]) -> list[datetime]:
        times = list(map(parse, values))
        if {value[10:11] for value in values} != {"T"} or {time.tzinfo for time in times} != {utc}:
            raise ValueError
        return times

    return by_column(step, column)


@define(GROUP, inverse="iso8601")
def format_iso8601(value: Any) -> str:
    """A time as ISO 8601 text in UTC; a date as it is.

    0 | epoch | format_iso8601 → "1970-01-01T00:00:00Z"
    """
    if value.__class__ is date:
        return value.isoformat()
    return to_utc(need_time(value)).isoformat().removesuffix("+00:00") + "Z"


@define(GROUP, inverse="format_date")
def date_(format: str, zone: str | None = None) -> Step:
    """Text of that form (`%d/%m/%Y %H:%M`): a date, or, with an offset in it or a `zone`, the time in UTC.

    "22/11/2026" | date("%d/%m/%Y") | format_iso8601 → "2026-11-22"
    "22/11/2026" | date("%d/%m/%Y", "Europe/Paris") | format_iso8601 → "2026-11-21T23:00:00Z"
    """
    directives = check_format(format, "date")
    if len(set(directives)) != len(directives):
        raise ArgumentError(f"date: {show(format)} has a directive twice")
    has_clock = not _CLOCK_DIRECTIVES.isdisjoint(directives)
    if has_clock and "z" not in directives and zone is None:
        raise ArgumentError(f'date: {show(format)} has a time but no offset; name the zone: date("…", "Europe/Paris")')
    home = None if zone is None else read_zone(zone)
    pattern = format.replace("%T", "%H:%M:%S")

    def step(value: Any) -> datetime | date:
        stamp = need_text(value)
        try:
            time = datetime.strptime(stamp[:MAX_STAMP], pattern)
        except ValueError:
            raise TransformError(f"{show(stamp)} is not of the form {show(format)}") from None
        if time.tzinfo is not None:
            return to_utc(time)
        return time.date() if home is None else place(time, home)

    return step


@define(GROUP, inverse="date")
def format_date(format: str, zone: str | None = None) -> Step:
    """A time or a date as text of that form; `zone` is where the clock hangs that the text shows.

    "2026-07-01T10:00:00Z" | iso8601 | format_date("%d/%m/%Y %H:%M", "Europe/Paris") → "01/07/2026 12:00"
    """
    check_format(format, "format_date")
    home = None if zone is None else read_zone(zone)

    def step(value: Any) -> str:
        if value.__class__ is date:
            return value.strftime(format)
        time = need_time(value)
        return (time if home is None else move(time, home)).strftime(format)

    return step


@define(GROUP)
def day(zone: str | None = None) -> Step:
    """The date of a time, or of text `2026-11-22`; `zone` is where midnight is meant.

    "2026-11-22T23:30:00Z" | iso8601 | day("Europe/Paris") | format_iso8601 → "2026-11-23"
    "2026-11-22" | day | format_iso8601 → "2026-11-22"
    """
    home = None if zone is None else read_zone(zone)

    def step(value: Any) -> date:
        if value.__class__ is date:
            return value
        if value.__class__ is str:
            try:
                if _ISO_DAY.fullmatch(value):
                    return date.fromisoformat(value)
            except ValueError:
                pass
            raise TransformError(f"{show(value)} is no date such as 2026-11-22; a time goes through iso8601 first")
        time = need_time(value)
        return (time if home is None else move(time, home)).date()

    return step


@define(GROUP)
def timezone(zone: str) -> Step:
    """The same time, shown by the clock of another zone.

    "2026-07-01T10:00:00Z" | iso8601 | timezone("Europe/Paris") | format_date("%H:%M") → "12:00"
    """
    home = read_zone(zone)
    return lambda value: move(need_time(value), home)


@define(GROUP, inverse="to_epoch")
def epoch(value: Any) -> datetime:
    """The time that is that many seconds after 1970, in UTC; digits beyond the microsecond are cut off.

    1700000000 | epoch | format_iso8601 → "2023-11-14T22:13:20Z"
    """
    return _since_epoch(value, 1_000_000)


@define(GROUP, inverse="to_epoch_ms")
def epoch_ms(value: Any) -> datetime:
    """The time that is that many milliseconds after 1970, in UTC.

    1700000000123 | epoch_ms | format_iso8601 → "2023-11-14T22:13:20.123000Z"
    """
    return _since_epoch(value, 1_000)


@define(GROUP, inverse="epoch")
def to_epoch(value: Any) -> int | Decimal:
    """Seconds since 1970: a whole number, or a decimal where there is a fraction.

    "2023-11-14T22:13:20Z" | iso8601 | to_epoch → 1700000000
    """
    return _until_epoch(value, 6)


@define(GROUP, inverse="epoch_ms")
def to_epoch_ms(value: Any) -> int | Decimal:
    """Milliseconds since 1970.

    "2023-11-14T22:13:20.123Z" | iso8601 | to_epoch_ms → 1700000000123
    """
    return _until_epoch(value, 3)


def check_format(format: str, name: str) -> list[str]:
    """The directives of a format, of those that every platform spells alike. Raises ArgumentError."""
    directives = re.findall(r"%(.?)", format, re.DOTALL)
    strange = [f"%{directive}" for directive in directives if directive not in _DIRECTIVES or not directive]
    if strange or not directives or len(format) > MAX_FORMAT:
        what = f"{strange[0]} is not known" if strange else "it has no directive, or is too long"
        known = " ".join(f"%{directive}" for directive in sorted(_DIRECTIVES))
        raise ArgumentError(f"{name}: {show(format)} is no date format: {what}; there is {known}")
    return [directive for directive in directives if directive != "%"]


def place(time: datetime, home: tzinfo) -> datetime:
    """The instant at which the clock of `home` shows that time, in UTC; the first where it does so twice."""
    instant = to_utc(time.replace(tzinfo=home))
    if instant.astimezone(home).replace(tzinfo=None) != time:
        raise TransformError(f"{time.isoformat(' ')} does not exist in {home}: the clock was put forward")
    return instant


def to_utc(time: datetime) -> datetime:
    return time if time.tzinfo is UTC else move(time, UTC)


def move(time: datetime, home: tzinfo) -> datetime:
    try:
        return time.astimezone(home)
    except (OverflowError, ValueError):
        raise TransformError(f"{time.isoformat()} is beyond the calendar in {home}") from None


def _read_iso(value: str) -> datetime:
    """The rarer spellings: lower case, a space instead of the T, no separators."""
    stamp = value.upper() if len(value) <= MAX_STAMP else ""
    if stamp[10:11] == " ":
        stamp = f"{stamp[:10]}T{stamp[11:].replace(' ', '', 1)}"
    if stamp[10:11] == "T" or _BASIC.match(stamp):
        try:
            return datetime.fromisoformat(stamp)
        except ValueError:
            pass
    raise TransformError(f"{show(value)} is no ISO 8601 time")


def _since_epoch(value: Any, microseconds: int) -> datetime:
    number = need_number(value)
    try:
        return EPOCH + timedelta(microseconds=int(number * microseconds))
    except OverflowError:
        raise TransformError(f"{show(value)} is beyond the calendar") from None


def _until_epoch(value: Any, places: int) -> int | Decimal:
    microseconds = (need_time(value) - EPOCH) // timedelta(microseconds=1)
    whole, rest = divmod(microseconds, 10**places)
    return whole if not rest else Decimal(microseconds).scaleb(-places)
