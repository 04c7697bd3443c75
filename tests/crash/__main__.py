"""`make crash SEED=1 KILLS=500`, or `ONLY=sqlite/upsert/3` to live one life again."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.lives import Name, Toll
from tests.crash.matrix import available, lived, planned, table
from tests.crash.places import PLACES

EACH = 9


def main() -> int:
    parser = argparse.ArgumentParser(prog="make crash")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--only", default="", help="sqlite, sqlite/upsert, or one life: sqlite/upsert/3")
    parser.add_argument("--each", type=int, default=EACH, help="how many kills one life is to meet")
    options = parser.parse_args()
    seed, kills, each = options.seed, options.kills, options.each
    plan = chosen(seed, kills, each, options.only) if options.only else planned(seed, kills, available(), each=each)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="syncline-crash-"))
    tolls = asyncio.run(lived(plan, folder))
    print(table(tolls))
    total = Toll()
    for toll in tolls.values():
        total.add(toll)
    print(f"\n{total.kills} kills with seed {seed} in {time.monotonic() - began:.0f} s")
    print("killed at:", ", ".join(f"{name} {count}" for name, count in total.stations.most_common()))
    for fault in total.faults:
        life, _, what = fault.partition(": ")
        print(
            f"\nFAILED {life}: {what}\n  again: make crash SEED={seed} EACH={each} ONLY={life}   (its folder: {folder})"
        )
    print("\n".join(total.trail))
    if not total.faults:
        folder.rmdir()
    return 1 if total.faults else 0


def chosen(seed: int, kills: int, each: int, only: str) -> list[tuple[Name, int]]:
    place, _, rest = only.partition("/")
    mode, _, number = rest.partition("/")
    modes = [mode] if mode else PLACES[place].modes
    if number:
        return [(Name(seed, place, mode, int(number)), each)]
    lives = -(-kills // each)
    return [(Name(seed, place, modes[life % len(modes)], life // len(modes)), each) for life in range(lives)]


if __name__ == "__main__":
    sys.exit(main())
