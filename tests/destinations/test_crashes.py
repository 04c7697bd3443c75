"""Real processes, killed with SIGKILL: nothing lost, nothing twice, no manual step."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.destinations.conformance import DATABASES, MAKERS
from tests.destinations.crashing import PAGES, SIZE

ROOT = Path(__file__).parents[2]
SQL = ["before rows", "after rows", "before checkpoint", "after checkpoint"]
SERVERS = [name for name in DATABASES if name != "sqlite"]


def start(maker: str, write: str, folder: Path, point: str = "never", count: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.destinations.crashing", maker, write, str(folder), point, str(count)]
    return subprocess.Popen(command, cwd=ROOT)


@pytest.fixture
def folder(maker: str, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    MAKERS[maker](tmp_path).drop()


def visible(maker: str, folder: Path) -> list[int]:
    return [row["id"] for row in MAKERS[maker](folder).read()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("maker", "write", "point"),
    [
        *[("sqlite", write, point) for write in ("append", "upsert", "replace") for point in SQL],
        *[(maker, write, "after rows") for maker in SERVERS for write in ("append", "upsert")],
        *[(maker, "replace", point) for maker in SERVERS for point in ("after checkpoint", "after swap")],
        *[("sqlite", "replace", point) for point in ("before swap", "after swap")],
    ],
)
def test_r1_r2_killed_at_every_point_nothing_is_lost_or_doubled(folder: Path, maker: str, write: str, point: str):
    for count in (1, 4) if "swap" not in point else (1,):
        assert start(maker, write, folder, point, count).wait() == -signal.SIGKILL
        if write == "replace":
            assert visible(maker, folder) == []
    assert start(maker, write, folder).wait() == 0
    assert sorted(visible(maker, folder)) == list(range(PAGES * SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["mariadb"])
@pytest.mark.parametrize("point", ["before define", "after define"])
async def test_r1_killed_where_changes_of_the_schema_commit_nothing_is_lost_or_doubled(
    folder: Path, maker: str, point: str
):
    """While the state's tables are made, and at every change of a replacing pass: the old staging table goes, a new one is made,
    at the end of the pass the target; and, behind its commit, the staging table goes."""
    everything = list(range(PAGES * SIZE))
    for count in (3, 9):
        assert start(maker, "replace", folder, point, count).wait() == -signal.SIGKILL
    async with MAKERS[maker](folder).sink():
        pass
    for count in (1, 2, 3):
        assert start(maker, "replace", folder, point, count).wait() == -signal.SIGKILL
        assert visible(maker, folder) == []
    count = 2 if point == "before define" else 1  # the rest of the pass makes the target, if it is not there yet
    assert start(maker, "replace", folder, point, count).wait() == -signal.SIGKILL
    assert sorted(visible(maker, folder)) == everything
    assert start(maker, "replace", folder).wait() == 0
    assert sorted(visible(maker, folder)) == everything
    assert MAKERS[maker](folder).read("syncline_staging_orders") == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("maker", DATABASES)
def test_r1_killed_at_random_nothing_is_lost_or_doubled(folder: Path, maker: str, seed: int):
    rng = random.Random(seed)
    for _ in range(6):
        process = start(maker, "append", folder)
        time.sleep(rng.uniform(0.15, 0.6))  # a real process in real time: there is nothing else to wait on
        process.kill()
        process.wait()
    assert start(maker, "append", folder).wait() == 0
    assert sorted(visible(maker, folder)) == list(range(PAGES * SIZE))
