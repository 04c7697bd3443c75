"""Real processes, killed with SIGKILL: nothing lost, nothing twice, no manual step."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.destinations.conformance import MAKERS
from tests.destinations.crashing import PAGES, SIZE

ROOT = Path(__file__).parents[2]
SQL = ["before rows", "after rows", "before checkpoint", "after checkpoint"]
FILE = ["before append", "after append", "before checkpoint", "after checkpoint", "before publish", "after publish"]


def start(maker: str, write: str, folder: Path, point: str = "never", count: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.destinations.crashing", maker, write, str(folder), point, str(count)]
    return subprocess.Popen(command, cwd=ROOT)


def visible(maker: str, folder: Path) -> list[int]:
    return [row["id"] for row in MAKERS[maker](folder).read()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("maker", "write", "point"),
    [
        *[("sqlite", write, point) for write in ("append", "upsert", "replace") for point in SQL],
        *[("sqlite", "replace", point) for point in ("before swap", "after swap")],
        *[("jsonl", write, point) for write in ("append", "replace") for point in FILE],
    ],
)
def test_r1_r2_killed_at_every_point_nothing_is_lost_or_doubled(tmp_path: Path, maker: str, write: str, point: str):
    for count in (1, 4) if "swap" not in point and "publish" not in point else (1,):
        assert start(maker, write, tmp_path, point, count).wait() == -signal.SIGKILL
        if write == "replace" and point != "after publish":
            assert visible(maker, tmp_path) == []
    assert start(maker, write, tmp_path).wait() == 0
    assert sorted(visible(maker, tmp_path)) == list(range(PAGES * SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("maker", MAKERS)
def test_r1_killed_at_random_nothing_is_lost_or_doubled(tmp_path: Path, maker: str, seed: int):
    rng = random.Random(seed)
    for _ in range(6):
        process = start(maker, "append", tmp_path)
        time.sleep(rng.uniform(0.15, 0.6))  # a real process in real time: there is nothing else to wait on
        process.kill()
        process.wait()
    assert start(maker, "append", tmp_path).wait() == 0
    assert sorted(visible(maker, tmp_path)) == list(range(PAGES * SIZE))
