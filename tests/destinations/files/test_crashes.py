"""Real processes that write files, killed with SIGKILL: nothing torn, nothing lost, nothing twice, no manual step."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.destinations.files.crashing import MAKERS, PAGES, SIZE, STATIONS
from tests.support import s3

ROOT = Path(__file__).parents[3]
LATE = ("file published", "manifest written")
EARLY = ("file appended", "file committed")


def start(maker: str, write: str, folder: Path, station: str = "never", count: int = 0) -> subprocess.Popen[bytes]:
    if maker == "s3":
        s3.endpoint()  # of this process, so that it outlives those that are killed
    command = [
        sys.executable,
        "-m",
        "tests.destinations.files.crashing",
        maker,
        write,
        str(folder),
        station,
        str(count),
    ]
    return subprocess.Popen(command, cwd=ROOT)


def visible(maker: str, folder: Path) -> list[int]:
    return [row["id"] for row in MAKERS[maker](folder).read()]


@pytest.mark.slow
@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize(
    ("maker", "write"),
    [("jsonl", "append"), ("jsonl", "replace"), ("csv", "append"), ("parquet", "replace"), ("partitioned", "append"),
     ("partitioned", "replace"), ("s3", "append"), ("s3", "replace")],
)  # fmt: skip
def test_r1_r2_killed_at_every_station_nothing_is_torn_lost_or_doubled(
    tmp_path: Path, maker: str, write: str, station: str
):
    for count in (1, 4) if station in EARLY and maker == "jsonl" else (3,) if station in EARLY else (1,):
        assert start(maker, write, tmp_path, station, count).wait() == -signal.SIGKILL
        if station not in LATE:
            assert visible(maker, tmp_path) == []
    assert start(maker, write, tmp_path).wait() == 0
    assert sorted(visible(maker, tmp_path)) == list(range(PAGES * SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("maker", MAKERS)
def test_r1_killed_at_random_nothing_is_lost_or_doubled(tmp_path: Path, maker: str):
    rng = random.Random(maker)
    for _ in range(4):
        process = start(maker, "append", tmp_path)
        time.sleep(rng.uniform(0.3, 1.2))  # a real process in real time: there is nothing else to wait on
        process.kill()
        process.wait()
    assert start(maker, "append", tmp_path).wait() == 0
    assert sorted(visible(maker, tmp_path)) == list(range(PAGES * SIZE))
