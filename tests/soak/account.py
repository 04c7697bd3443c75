"""What a server did over a long time, out of its log and its own numbers: pure, so that it can be tested itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ON_TIME = 1.0
"""Seconds after its time within which a run has to begin where there is room for it."""


class Run(msgspec.Struct):
    began: datetime
    ended: datetime | None = None
    status: str = ""


class Sample(msgspec.Struct, frozen=True):
    """The server's own numbers, so many seconds after its start."""

    seconds: float
    memory: float
    files: float


class Rhythm(msgspec.Struct):
    """Runs beside the times that they were due."""

    due: int = 0
    ran: int = 0
    missed: list[str] = []
    doubled: list[str] = []
    overlapped: list[str] = []
    late: float = 0.0


def runs_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Run]]:
    """The runs of each integration, in the order in which they began."""
    found: dict[str, dict[str, Run]] = defaultdict(dict)
    for line in lines:
        run_id, name = line.get("run_id", ""), line.get("integration", "")
        if line["event"] == "run_started":
            found[name][run_id] = Run(began=_moment(line))
        elif line["event"] == "run_finished" and run_id in found[name]:
            found[name][run_id].ended, found[name][run_id].status = _moment(line), line["status"]
    return {name: sorted(runs.values(), key=lambda run: run.began) for name, runs in found.items()}


def judge(runs: Mapping[str, list[Run]], intervals: Mapping[str, float], begin: datetime, end: datetime) -> Rhythm:
    """Every due time between `begin` and `end` has one run, unless the run before it was still going on."""
    rhythm = Rhythm()
    for name, interval in intervals.items():
        own = runs.get(name, [])
        for first, second in pairwise(own):
            if first.ended is None or second.began < first.ended:
                rhythm.overlapped.append(f"{name} at {second.began:%H:%M:%S}")
        slot = EPOCH + ((begin - EPOCH) // timedelta(seconds=interval) + 1) * timedelta(seconds=interval)
        while slot + timedelta(seconds=interval) <= end:
            following = slot + timedelta(seconds=interval)
            begun = [run for run in own if slot <= run.began < following]
            busy = any(run.began < slot and (run.ended is None or run.ended >= slot) for run in own)
            rhythm.due += 1
            rhythm.ran += len(begun)
            if not begun and not busy:
                rhythm.missed.append(f"{name} at {slot:%H:%M:%S}")
            if len(begun) > 1:
                rhythm.doubled.append(f"{name} at {slot:%H:%M:%S}")
            if begun:
                rhythm.late = max(rhythm.late, (begun[0].began - slot).total_seconds())
            slot = following
    return rhythm


def slope(samples: list[Sample], field: str) -> float:
    """By how much a number grows in a minute, by least squares over the second half of the time."""
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return 0.0
    times, values = [sample.seconds / 60 for sample in half], [float(getattr(sample, field)) for sample in half]
    middle, usual = sum(times) / len(times), sum(values) / len(values)
    spread = sum((moment - middle) ** 2 for moment in times)
    return sum((t - middle) * (v - usual) for t, v in zip(times, values, strict=True)) / spread if spread else 0.0


def floor_grows(samples: list[Sample]) -> float:
    """By how much the fewest open files of the last quarter of the time are more than those of the second: runs come and go."""
    quarter = max(len(samples) // 4, 1)
    early, late = samples[quarter : 2 * quarter] or samples, samples[-quarter:]
    return min(sample.files for sample in late) - min(sample.files for sample in early)


def _moment(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(line["timestamp"]).replace("Z", "+00:00"))
