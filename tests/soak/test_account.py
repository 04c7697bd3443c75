"""The soak's own judgement: it sees what is missed, doubled, at once, and what grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.soak.account import Run, Sample, floor_grows, judge, runs_of, slope

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def at(seconds: float, took: float = 5.0) -> Run:
    began = NOON + timedelta(seconds=seconds)
    return Run(began=began, ended=began + timedelta(seconds=took), status="done")


def seen(*runs: Run) -> tuple[int, int, int, int]:
    rhythm = judge({"a": list(runs)}, {"a": 60.0}, NOON - timedelta(seconds=1), NOON + timedelta(minutes=3))
    return rhythm.due, len(rhythm.missed), len(rhythm.doubled), len(rhythm.overlapped)


def test_every_due_time_has_one_run() -> None:
    assert seen(at(0.2), at(60.1), at(120.3)) == (3, 0, 0, 0)
    assert seen(at(0.2), at(120.3)) == (3, 1, 0, 0)
    assert seen(at(0.2), at(30), at(60.1), at(120.3)) == (3, 0, 1, 0)
    assert seen(at(0.2, 65), at(120.3)) == (3, 0, 0, 0)  # what was due meanwhile is passed over
    assert seen(at(0.2, 65), at(60.1), at(120.3)) == (3, 0, 0, 1)


def test_runs_are_found_in_a_log() -> None:
    lines = [
        {"event": "run_started", "timestamp": "2026-11-22T12:00:00Z", "run_id": "1", "integration": "a"},
        {"event": "file_read", "timestamp": "2026-11-22T12:00:00Z", "integration": "a"},
        {
            "event": "run_finished",
            "timestamp": "2026-11-22T12:00:05Z",
            "run_id": "1",
            "integration": "a",
            "status": "done",
        },
    ]
    assert runs_of(lines) == {"a": [at(0)]}


def test_what_grows_is_seen() -> None:
    flat = [Sample(second, 1e8 + second % 3, 40) for second in range(0, 600, 5)]
    growing = [Sample(second, 1e8 + second * 1e5, 40 + second / 30) for second in range(0, 600, 5)]
    assert abs(slope(flat, "memory")) < 10
    assert round(slope(growing, "memory")) == 6_000_000
    assert round(slope(growing, "files")) == 2
    assert (floor_grows(flat), floor_grows(growing) > 5) == (0, True)
    busy = [Sample(second, 1e8, 40 + second % 17) for second in range(0, 600, 5)]
    assert floor_grows(busy) == 0
