"""When integrations run: what can be written, what it means, and that every wall-clock day has its run, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.model.units import FROM_FILE
from syncline.spec import Integration, Schedule, dump, loads
from syncline.spec.schedule import instant, read_schedule

ZONES = sorted(zone for zone in available_timezones() if not zone.startswith(("posix", "right", "Etc/", "localtime")))
NOW = datetime(2026, 11, 22, 12, 7, 30, tzinfo=UTC)


def schedule(text: str, **more: object) -> Schedule:
    return Schedule.model_validate({**read_schedule(text), **more})


def due(text: str, after: datetime, count: int = 3) -> list[str]:
    rule, found = schedule(text), []
    for _ in range(count):
        after = rule.after(after)
        found.append(f"{after:%m-%d %H:%M:%S}")
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("every 15 minutes", ["11-22 12:15:00", "11-22 12:30:00", "11-22 12:45:00"]),
        ("every 30 seconds", ["11-22 12:08:00", "11-22 12:08:30", "11-22 12:09:00"]),
        ("every 1 hour", ["11-22 13:00:00", "11-22 14:00:00", "11-22 15:00:00"]),
        ("every 1 day", ["11-23 00:00:00", "11-24 00:00:00", "11-25 00:00:00"]),
        ("daily at 02:00 Europe/Paris", ["11-23 01:00:00", "11-24 01:00:00", "11-25 01:00:00"]),
        ("daily at 13:00", ["11-22 13:00:00", "11-23 13:00:00", "11-24 13:00:00"]),
        ("cron: */20 * * * *", ["11-22 12:20:00", "11-22 12:40:00", "11-22 13:00:00"]),
        ("cron: 0 2 * * MON-FRI Asia/Tokyo", ["11-22 17:00:00", "11-23 17:00:00", "11-24 17:00:00"]),
        ("cron: 30 6 1 * *", ["12-01 06:30:00", "01-01 06:30:00", "02-01 06:30:00"]),
        ("realtime", ["11-22 12:07:35", "11-22 12:07:40", "11-22 12:07:45"]),
    ],
)
def test_what_is_written_says_when(text: str, found: list[str]) -> None:
    assert due(text, NOW) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("every 0 minutes", "not a schedule"),
        ("every quarter hour", "every 15 minutes"),
        ("daily at 24:00", "not a time of day"),
        ("daily at 02:00 Europe/Pariss", "did you mean 'Europe/Paris'?"),
        ("cron: 61 * * * *", "Bad minute"),
        ("cron: 0 0 30 2 *", "not a cron line"),
        ("cron: * * * *", "not a schedule"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises((ValidationError, ValueError), match=said):
        schedule(text)


FILE = """\
name: shop
source: {kind: rest, base_url: https://api.shop.example}
streams: [{name: orders, path: /orders, primary_key: id}]
destination: {kind: sql, url: "sqlite:///shop.db"}
"""


@pytest.mark.parametrize(
    "line",
    [
        "schedule: every 15 minutes",
        "schedule: daily at 02:00 Europe/Paris",
        'schedule: "cron: */15 * * * *"',
        "schedule: realtime",
        "schedule: {every: 15m, jitter: 30s, priority: 5}",
        "schedule: {daily: 02:00, catch_up: false}",
    ],
)
def test_a_file_reads_back_as_it_was_written(line: str) -> None:
    integration = loads(FILE + line)
    assert loads(dump(integration)) == integration
    assert line.replace('"', "").split(": ")[-1].split("}")[0] in dump(integration).replace('"', "")


def test_a_block_means_the_same_as_its_short_spelling() -> None:
    block, short = (loads(FILE + line) for line in ("schedule: {every: 15m}", "schedule: every 15 minutes"))
    assert block == short
    assert block.model_copy(update={"schedule": None}) != short
    assert Integration.model_validate({**short.to_data(), "schedule": {"every": "15m"}}, context=FROM_FILE) == short


def test_mistakes_in_a_file_stand_where_they_are() -> None:
    with pytest.raises(Exception, match="mistake") as caught:
        loads(FILE + "schedule: {every: 15m, daily: 02:00}")
    assert "say one of every, daily, cron and realtime" in caught.value.block()
    with pytest.raises(Exception, match="mistake") as caught:
        loads(FILE + "schedule: daily at 02:00 Europe/Pari")
    assert "did you mean 'Europe/Paris'?" in caught.value.block()


def test_the_target_of_freshness_is_the_files_or_comes_of_the_interval() -> None:
    assert loads(FILE + "schedule: every 1 hour").target(NOW) == 2.5 * 3600
    assert loads(FILE + "schedule: every 1 hour\nfreshness: 70m").target(NOW) == 4200
    assert loads(FILE + "freshness: 1d").target(NOW) == 86400
    assert loads(FILE).target(NOW) is None


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Every moment from 1970 to 2037 at which the zone's clocks change, to the second."""
    here, found = ZoneInfo(zone), []
    moment, step = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=5)
    while moment.year < 2038:
        low, high = moment, moment + step
        before = low.astimezone(here).utcoffset()
        if before != high.astimezone(here).utcoffset():
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if middle.astimezone(here).utcoffset() == before else (low, middle)
            found.append(high.replace(microsecond=0))
        moment += step
    return tuple(found)


def days_around(zone: str, change: datetime) -> list[date]:
    """The days that the zone's calendar has, from two before the change to two behind it."""
    here = ZoneInfo(zone)
    hours = (change + timedelta(hours=hour) for hour in range(-48, 72))
    return sorted({moment.astimezone(here).date() for moment in hours})[1:-1]


def runs_of(rule: Schedule, days: list[date], zone: str) -> Iterator[date]:
    """The days of the zone on which the rule is due, asked again after every run, as a server that restarts would."""
    here = ZoneInfo(zone)
    moment = datetime.combine(days[0], time(), here).astimezone(UTC) - timedelta(seconds=1)
    while True:
        following = rule.after(moment)
        assert following > moment
        if following.astimezone(here).date() > days[-1]:
            return
        yield following.astimezone(here).date()
        moment = following


TIMES = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))


def check_once_a_day(zone: str, change: datetime, at: str) -> None:
    days = days_around(zone, change)
    hour, minute = at.split(":")
    for text in (f"daily at {at} {zone}", f"cron: {int(minute)} {int(hour)} * * * {zone}"):
        runs = Counter(day for day in runs_of(schedule(text), days, zone) if day >= days[0])
        assert runs == dict.fromkeys(days, 1), (text, change)


@given(st.data())
def test_r32_once_a_wall_clock_day_over_every_change_of_the_clocks(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES))
    moments = changes(zone)
    if moments:
        check_once_a_day(zone, data.draw(st.sampled_from(moments)), data.draw(TIMES))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_r32_in_every_zone(part: int) -> None:
    """The latest changes of every zone there is, at the times of day that the change concerns most."""
    for zone in ZONES[part::4]:
        for change in changes(zone)[-2:]:
            shown = change.astimezone(ZoneInfo(zone))
            for minutes in (-90, -30, 0, 30):
                check_once_a_day(zone, change, f"{shown + timedelta(minutes=minutes):%H:%M}")


@pytest.mark.parametrize(
    ("zone", "day", "at", "moment"),
    [
        (
            "Europe/Paris",
            "2026-03-29",
            "02:30",
            "2026-03-29T01:30:00+00:00",
        ),  # never shown: half an hour behind the gap
        ("Europe/Paris", "2026-10-25", "02:30", "2026-10-25T00:30:00+00:00"),  # shown twice: the first
        ("America/Toronto", "1919-03-30", "23:45", "1919-03-31T03:45:00+00:00"),  # the gap reaches into the next day
        ("Pacific/Apia", "2011-12-30", "02:00", None),  # there was no such day
    ],
)
def test_r32_times_that_clocks_show_twice_or_never(zone: str, day: str, at: str, moment: str | None) -> None:
    found = instant(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))
    assert (found and found.isoformat()) == moment


def test_r32_what_runs_every_hour_goes_on_in_both_of_autumns_hours() -> None:
    before = datetime(2026, 10, 24, 23, 59, tzinfo=UTC)
    assert due("cron: 0 * * * * Europe/Paris", before, 4) == [f"10-25 0{hour}:00:00" for hour in range(4)]
    assert due("cron: 0 */2 * * * Europe/Paris", before, 3) == ["10-25 00:00:00", "10-25 01:00:00", "10-25 03:00:00"]
