"""The matrix: every destination in every mode it has, killed so many times in all."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncline.rehearsal.victims import warmed_up
from tests.crash.api import open_api
from tests.crash.lives import Life, Name, Toll
from tests.crash.places import PLACES

AT_ONCE = 2
"""Lives that are lived at the same time."""

Cell = tuple[str, str]


def planned(seed: int, kills: int, places: Sequence[str], *, each: int) -> list[tuple[Name, int]]:
    """Lives of `each` kills, dealt out to the destinations in turn, and to the modes of each in turn."""
    cells = []
    for turn in range(max(len(PLACES[place].modes) for place in places)):
        for at, place in enumerate(places):
            modes = PLACES[place].modes
            if turn < len(modes):
                cells.append((place, modes[(turn + at) % len(modes)]))
    lives: list[tuple[Name, int]] = []
    while kills > 0:
        number, cell = divmod(len(lives), len(cells))
        lives.append((Name(seed, *cells[cell], number), min(each, kills)))
        kills -= each
    return lives


def available() -> list[str]:
    """The destinations that this machine has the servers for; the others are said to be left out."""
    found = []
    for name, place in PLACES.items():
        try:
            place.need()
            found.append(name)
        except pytest.skip.Exception as missing:
            print(f"LEFT OUT {name}: {missing}", file=sys.stderr)
    return found


async def lived(plan: Sequence[tuple[Name, int]], folder: Path, *, at_once: int = AT_ONCE) -> dict[Cell, Toll]:
    """Live them all; a life that meets a fault ends, the others go on."""
    tolls: dict[Cell, Toll] = {(name.place, name.mode): Toll() for name, _ in plan}
    modules = {module for name, _ in plan for module in PLACES[name.place].driver}
    turn = asyncio.Semaphore(at_once)
    async with open_api() as api, warmed_up("tests.crash.warm", *sorted(modules)) as victims:

        async def one(name: Name, kills: int) -> None:
            async with turn:
                life = Life(name, kills, victims, api, folder)
                tolls[name.place, name.mode].add(await life.live())
                del api.simulators[name.slug]

        async with asyncio.TaskGroup() as group:
            for name, kills in plan:
                group.create_task(one(name, kills))
    return tolls


def table(tolls: dict[Cell, Toll]) -> str:
    """As Markdown, one line a destination and mode."""
    lines = [
        "| destination | mode | kills | SIGTERM | runs | lost | duplicate | asked for again, median | most | seconds |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    total = Toll()
    for (place, mode), toll in tolls.items():
        total.add(toll)
        lines.append(_line(place, mode, toll))
    return "\n".join([*lines, _line("all", "", total)])


def _line(place: str, mode: str, toll: Toll) -> str:
    rework = sorted(toll.rework) or [0]
    numbers = (toll.kills, toll.stops, toll.runs, toll.lost, toll.duplicate)
    again = (f"{statistics.median(rework):.0f}", rework[-1], f"{toll.seconds:.0f}")
    return "| " + " | ".join(map(str, (place, mode, *numbers, *again))) + " |"
