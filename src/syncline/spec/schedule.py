"""When an integration runs: pure rules, exact over every change of the clocks."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import PydanticCustomError, core_schema

from syncline.model import Duration, Part, format_duration
from syncline.model.names import did_you_mean
from syncline.model.part import read_part

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST = 1.0
REALTIME = 5.0
"""Seconds from the end of a realtime run to the next one."""

_EVERY = r"every ([1-9]\d{0,4}) (second|minute|hour|day)s?"
_DAILY = r"daily at (\d\d:\d\d)(?: (\S+))?"
_CRON = r"cron: ?(\S+(?: \S+){4})(?: ([A-Za-z]\S*))?"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


class Schedule(Part):
    """When to run. Written short (`every 15 minutes`) or as a block, which can say more."""

    every: Duration | None = Field(
        default=None, description="The time from one run to the next, counted from midnight UTC"
    )
    daily: str | None = Field(default=None, description="A time of day, HH:MM: once on every day of the zone")
    cron: str | None = Field(default=None, description="Five fields: minute hour day month weekday")
    realtime: bool = Field(default=False, description="Again as soon as the last run has ended")
    zone: str = Field(default="UTC", description="The time zone of daily and cron: Europe/Paris")
    jitter: Duration = Field(default=0.0, description="Start up to so much later, each time by another amount")
    catch_up: bool = Field(
        default=True, description="Run at once, and once only, where runs were missed while nothing was running"
    )
    priority: int = Field(
        default=0, ge=-100, le=100, description="Where several are due and have to wait, the highest goes first"
    )

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        said = [name for name in ("every", "daily", "cron", "realtime") if getattr(self, name)]
        if len(said) != 1:
            raise PydanticCustomError("schedule", "say one of every, daily, cron and realtime", {})
        if self.every is not None and self.every < SHORTEST:
            raise PydanticCustomError("schedule", "every has to be 1s at least", {})
        if self.daily is not None and not re.fullmatch(_CLOCK, self.daily):
            raise PydanticCustomError(
                "schedule", "not a time of day: {value}; write 02:00", {"value": repr(self.daily)}
            )
        check_zone(self.zone)
        if self.cron is not None:
            _check_cron(self.cron)
        return self

    def after(self, moment: datetime) -> datetime:
        """The first due time later than `moment` (aware); UTC, without jitter. For realtime `moment` is the last run's end."""
        moment = moment.astimezone(UTC)
        if self.every is not None:
            passed = (moment - EPOCH) / timedelta(seconds=self.every)
            return EPOCH + (int(passed // 1) + 1) * timedelta(seconds=self.every)
        if self.realtime:
            return moment + timedelta(seconds=REALTIME)
        due = self._daily_after(moment) if self.daily else self._cron_after(moment)
        return next(one for one in due if one > moment)

    def interval(self, moment: datetime) -> float:
        """Seconds between two due times at this time."""
        if self.realtime:
            return REALTIME
        first = self.after(moment)
        return (self.after(first) - first).total_seconds()

    def to_data(self) -> Any:
        return self.short if self.short is not None else super().to_data()

    @property
    def short(self) -> str | None:
        """The spelling in a few words, where those say everything."""
        if self.jitter or not self.catch_up or self.priority:
            return None
        return str(self)

    def __str__(self) -> str:
        zone = "" if self.zone == "UTC" else f" {self.zone}"
        if self.every is not None:
            return _every(self.every)
        if self.daily is not None:
            return f"daily at {self.daily}{zone}"
        return "realtime" if self.realtime else f"cron: {self.cron}{zone}"

    def _daily_after(self, moment: datetime) -> Iterator[datetime]:
        assert self.daily is not None
        zone, at = ZoneInfo(self.zone), time.fromisoformat(self.daily)
        day = moment.astimezone(zone).date() - timedelta(days=1)
        while True:
            if (due := instant(day, at, zone)) is not None:
                yield due
            day += timedelta(days=1)

    def _cron_after(self, moment: datetime) -> Iterator[datetime]:
        """Jobs of every hour go by real time; those of certain hours by the wall clock, as those of Debian's cron do."""
        assert self.cron is not None
        from cronsim import CronSim  # late: most schedules say every or daily

        zone = ZoneInfo(self.zone)
        here = moment.astimezone(zone)
        if self.cron.split()[1].startswith("*"):
            yield from (due.astimezone(UTC) for due in CronSim(self.cron, here))
            return
        for due in CronSim(self.cron, here.replace(tzinfo=None) - timedelta(days=1)):
            if (moved := instant(due.date(), due.time(), zone)) is not None:
                yield moved


def instant(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """The moment of a wall-clock time, once only: the first where clocks show it twice, and beside the gap where never.

    It always lies on that day of the zone; None where there was no such day (Samoa had no 30 December 2011).
    """
    for fold in (0, 1):
        found = datetime.combine(day, at, zone).replace(fold=fold).astimezone(UTC)
        if found.astimezone(zone).date() == day:
            return found
    return None


def read_schedule(value: Any) -> Any:
    """A schedule's block from its short spelling; anything else as it is."""
    if not isinstance(value, str):
        return value
    if match := re.fullmatch(_EVERY, value):
        return {"every": float(match[1]) * _UNITS[match[2]]}
    if value == "realtime":
        return {"realtime": True}
    for pattern, name in ((_DAILY, "daily"), (_CRON, "cron")):
        if match := re.fullmatch(pattern, value):
            return {name: match[1], **({"zone": match[2]} if match[2] else {})}
    raise PydanticCustomError(
        "schedule",
        "not a schedule: {value}; write 'every 15 minutes', 'daily at 02:00 Europe/Paris', 'cron: */15 * * * *' "
        "or 'realtime'",
        {"value": repr(value)},
    )


class _Shorthand:
    """Reads `every 15 minutes` as the long form."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "examples": ["every 15 minutes"]}, handler(schema)]}


def _read(value: Any) -> Any:
    read = read_schedule(value)
    if isinstance(value, str) and isinstance(read, dict):
        return read_part(Schedule, read)  # with seconds as seconds: nothing of it is spelled as in a file any more
    return read


ScheduleField = Annotated[Schedule, _Shorthand()]


def _every(seconds: float) -> str:
    for unit in ("day", "hour", "minute", "second"):
        amount = seconds / _UNITS[unit]
        if amount == int(amount) and 1 <= amount < 100_000:
            return f"every {int(amount)} {unit}{'' if amount == 1 else 's'}"
    return f"every {format_duration(seconds)}"


def check_zone(name: str) -> None:
    """Raises PydanticCustomError for a time zone that there is not."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such file, a folder, no name at all
        from zoneinfo import available_timezones  # late: only a mistake needs them

        raise PydanticCustomError(
            "zone",
            "there is no time zone {name}; {hint}",
            {"name": repr(name), "hint": did_you_mean(name, sorted(available_timezones()))},
        ) from None


@cache
def _check_cron(expression: str) -> None:
    from cronsim import CronSim, CronSimError  # late, as above

    try:
        if len(expression.split()) != 5:
            raise CronSimError("five fields are expected: minute hour day month weekday")
        next(CronSim(expression, datetime(2026, 1, 1)))
    except CronSimError as error:
        raise PydanticCustomError(
            "cron", "not a cron line: {value}; {why}", {"value": repr(expression), "why": str(error)}
        ) from None
    except StopIteration:
        raise PydanticCustomError("cron", "{value} never comes", {"value": repr(expression)}) from None
