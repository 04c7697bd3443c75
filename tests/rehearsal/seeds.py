"""Short rehearsals, each of a shape, of faults and now and then of a kill that its seed draws.

python -m tests.rehearsal.seeds --first 1 --count 10000 [--jobs 2] [--table FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from syncline.rehearsal.victims import warmed_up
from tests.rehearsal.coverage import Coverage
from tests.rehearsal.mixtures import Played, played

TOGETHER = 100
"""Seeds that one process plays one after the other."""
SAID = 500
PLAYER = "syncline.rehearsal.acting"
MEMORY = Path("/dev/shm")
"""Where files cost no disk; a rehearsal is not about whether they are still there after the power has gone."""


def play(seeds: range) -> list[Played]:
    """What came of each seed."""
    with tempfile.TemporaryDirectory(prefix="syncline-seeds-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return asyncio.run(_all(seeds, Path(folder)))


async def _all(seeds: range, folder: Path) -> list[Played]:
    found = []
    async with warmed_up(PLAYER) as victims:
        for seed in seeds:
            place = folder / str(seed)
            place.mkdir()
            try:
                found.append(await played(seed, place, victims))
            except Exception:  # a mistake of the harness is this seed's failure, and not the end of the others
                found.append(Played(seed=seed, problems=[traceback.format_exc()]))
            shutil.rmtree(place)
    return found


def failures(seeds: range) -> list[str]:
    """What does not hold, each with the seed that shows it."""
    return [f"seed {one.seed} ({one.shape}): {problem}" for one in play(seeds) for problem in one.problems]


def _batches(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, TOGETHER):
        yield range(start, min(start + TOGETHER, first + count))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--table", type=Path, help="every fault with every part, as CSV")
    words = parser.parse_args()
    began, coverage, wrong = time.monotonic(), Coverage(), 0
    with ProcessPoolExecutor(words.jobs) as pool:
        for batch in pool.map(play, _batches(words.first, words.count)):
            for one in batch:
                coverage.add(one)
                wrong += bool(one.problems)
                _show(one)
            if coverage.seeds % SAID == 0:
                print(f"{coverage.seeds:,} seeds, {wrong} failed, {time.monotonic() - began:.0f} s", flush=True)
    print(coverage)
    if words.table is not None:
        with words.table.open("w", newline="") as file:
            csv.writer(file).writerows(coverage.rows())
    cpu = sum(os.times()[:4])
    print(f"{words.count:,} seeds in {time.monotonic() - began:.0f} s ({cpu:.0f} s of CPU): {wrong} failed")
    return 1 if wrong else 0


def _show(one: Played) -> None:
    """A seed that failed, with what it drew and how to play it again."""
    if not one.problems:
        return
    print(f"seed {one.seed}: {one.shape}\n  {', '.join(one.drawn)}")
    for problem in one.problems:
        print(f"  {problem}")
    print(f"  again: make seeds FIRST={one.seed} COUNT=1", flush=True)


if __name__ == "__main__":
    sys.exit(main())
