"""Cursors: compared by meaning, kept as written, never ahead of the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.errors import SpecError
from syncline.model import Checkpoint
from syncline.sources import Incremental
from syncline.sources.cursor import CursorTracker, cursor_key, earlier, highest

BY_TIME = Incremental(cursor="updated_at", param="since")
MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1))
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def tracker(checkpoint: Checkpoint, incremental: Incremental = BY_TIME, *, remember: bool = False) -> CursorTracker:
    return CursorTracker(incremental, checkpoint, remember)


@given(MOMENTS, ZONES, MOMENTS, ZONES)
def test_moments_compare_across_zones(a: datetime, za: timezone, b: datetime, zb: timezone) -> None:
    one, two = a.replace(tzinfo=za), b.replace(tzinfo=zb)
    assert (cursor_key(one.isoformat()) < cursor_key(two.isoformat())) == (one < two)


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(["Z", "+00:00", "+02:00"]))
def test_the_quick_way_to_the_highest_agrees_with_the_careful_one(moments: list[datetime], zone: str) -> None:
    texts = [moment.isoformat(timespec="microseconds") + zone for moment in moments]
    assert highest(texts) == max(texts, key=cursor_key)


def test_mixed_spellings_are_compared_by_meaning() -> None:
    assert highest(["2026-01-01T12:00:00Z", "2026-01-01T13:30:00+02:00"]) == "2026-01-01T12:00:00Z"
    assert highest(["9", "10"]) == "10"
    assert highest([9, 10, 2**70]) == 2**70


def test_r25_the_cursor_is_kept_as_the_source_wrote_it() -> None:
    raw = "2026-03-01T10:00:00.123456789+01:00"
    follow = tracker(Checkpoint(started_at="2026-03-02T00:00:00+00:00"))
    follow.observe([{"updated_at": "2026-03-01T10:00:00.123456788+01:00"}, {"updated_at": raw}])
    assert follow.final() == raw


def test_r25_nine_digits_of_a_second_count() -> None:
    assert cursor_key("2026-03-01T10:00:00.123456789Z") > cursor_key("2026-03-01T10:00:00.123456788Z")


def test_r24_a_cursor_later_than_the_servers_clock_is_not_committed() -> None:
    follow = tracker(Checkpoint(started_at="2026-03-01T12:00:00+00:00"))
    records = [{"updated_at": "2026-03-01T11:59:59Z"}, {"updated_at": "2099-01-01T00:00:00Z"}]
    assert follow.observe(records) == records
    assert follow.final() == "2026-03-01T11:59:59Z"
    assert follow.future == 1


def test_r24_epoch_cursors_are_bounded_in_seconds_and_milliseconds_and_ids_are_not() -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    checkpoint = Checkpoint(started_at=start.isoformat())
    for scale in (1, 1_000):
        follow = tracker(checkpoint)
        now = int(start.timestamp()) * scale
        follow.observe([{"updated_at": now - scale}, {"updated_at": now + 3_600 * scale}])
        assert follow.final() == now - scale
    ids = tracker(checkpoint)
    ids.observe([{"updated_at": 5}, {"updated_at": 9_999_999_999}])
    assert ids.final() == 9_999_999_999


def test_the_committed_cursor_never_goes_back() -> None:
    follow = tracker(Checkpoint(cursor="2026-03-01T12:00:00Z", started_at="2026-03-02T00:00:00+00:00"))
    follow.observe([{"updated_at": "2026-02-01T00:00:00Z"}])
    assert follow.final() == "2026-03-01T12:00:00Z"


def test_records_without_a_cursor_are_delivered_and_counted() -> None:
    follow = tracker(Checkpoint(started_at="2026-03-02T00:00:00+00:00"))
    assert len(follow.observe([{"id": 1}, {"id": 2, "updated_at": None}])) == 2
    assert follow.without == 2
    assert follow.final() is None


@pytest.mark.parametrize(
    ("raw", "lookback", "expected"),
    [
        ("2026-03-01T12:00:00Z", 300.0, "2026-03-01T11:55:00Z"),
        ("2026-03-01T12:00:00.250+02:00", 0.5, "2026-03-01T11:59:59.750+02:00"),
        ("2026-03-01 00:00:10", 20.0, "2026-02-28 23:59:50"),
        ("2026-03-01", 86_400.0, "2026-02-28"),
        (1_772_366_400, 60.0, 1_772_366_340),
        (1_772_366_400_000, 60.0, 1_772_366_340_000),
        ("1772366400", 60.0, "1772366340"),
    ],
)
def test_lookback_keeps_the_sources_spelling(raw: Any, lookback: float, expected: Any) -> None:
    assert earlier(raw, Incremental(cursor="at", param="since", lookback=lookback)) == expected


@given(MOMENTS, st.integers(1, 100_000))
def test_lookback_goes_back_by_exactly_so_much(moment: datetime, seconds: int) -> None:
    raw = moment.isoformat(timespec="microseconds") + "Z"
    back = earlier(raw, Incremental(cursor="at", param="since", lookback=float(seconds)))
    assert cursor_key(raw)[1] - cursor_key(back)[1] == Decimal(seconds)


def test_lookback_on_a_plain_text_is_refused_with_advice() -> None:
    with pytest.raises(SpecError, match="neither a time nor a number"):
        earlier("abc", Incremental(cursor="at", param="since", lookback=1.0))


def test_r24_what_was_delivered_at_the_boundary_is_recognised_when_read_again() -> None:
    started = {"started_at": "2026-03-02T00:00:00+00:00"}
    old = {"id": 1, "updated_at": "2026-03-01T12:00:00Z"}
    late = {"id": 2, "updated_at": "2026-03-01T12:00:00Z"}
    first = tracker(Checkpoint(**started), remember=True)
    assert first.observe([{"id": 0, "updated_at": "2026-02-01T00:00:00Z"}, old])
    checkpoint = Checkpoint(cursor=first.final(), seen=first.seen(complete=True), **started)
    assert len(checkpoint.seen) == 1
    second = tracker(checkpoint, remember=True)
    assert second.observe([old, late]) == [late]
    assert second.observe([{**old, "status": "paid"}]) == [{**old, "status": "paid"}]
