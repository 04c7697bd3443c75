"""Short rehearsals of mixed faults, one a seed: `python -m tests.rehearsal.seeds --first 1 --count 10000`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from syncline.rehearsal.plan import mixture
from syncline.rehearsal.rehearsal import rehearse
from syncline.spec import loads
from tests.rehearsal.acts import PLAIN, RENEWED, WRITTEN

FILES = {"plain": PLAIN, "renewed": RENEWED, "written": WRITTEN}
TOGETHER = 50
SAID = 1_000


def failures(file: str, seeds: range) -> list[str]:
    """What does not hold, each with the seed that shows it."""
    integration = loads(FILES[file])
    rehearsal = asyncio.run(rehearse(integration, acts=[mixture(integration, seed) for seed in seeds]))
    found = []
    for act in rehearsal.acts:
        drawn = ", ".join(f"{fault['kind']} at {fault.get('at', 1)}" for fault in act.faults)
        found += [f"{file}, seed {act.seed} ({drawn}): {problem}" for problem in act.problems]
    return found


def _batches(first: int, count: int) -> Iterator[tuple[str, range]]:
    for start in range(first, first + count, TOGETHER):
        seeds = range(start, min(start + TOGETHER, first + count))
        yield list(FILES)[start // TOGETHER % len(FILES)], seeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    words = parser.parse_args()
    began, wrong = time.monotonic(), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        batches = list(_batches(words.first, words.count))
        for number, found in enumerate(pool.map(failures, *zip(*batches, strict=True)), 1):
            wrong += len(found)
            for line in found:
                print(line, flush=True)
            if number * TOGETHER % SAID == 0:
                print(f"{number * TOGETHER:,} seeds, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{words.count:,} seeds in {time.monotonic() - began:.0f} s: {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
