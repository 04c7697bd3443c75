"""Runs that are killed at every station of the record's way, in processes of their own, and run again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from syncline.rehearsal.checklist.programme import TOGETHER, few
from syncline.rehearsal.killing import Kill
from syncline.rehearsal.scratch import Scratch, Scratches
from syncline.rehearsal.victims import Ended, Victims, warmed_up
from syncline.spec import Integration

AT_ONCE = 2
AHEAD = frozenset({"page fetched"})
"""Stations of a task of its own: what was written by the time it comes there is another matter each time."""
PLAYER = "syncline.rehearsal.acting"


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """One kill, and what the run after it came to. `must_resume` names the streams whose pass had been written in part."""

    station: str
    stream: str
    died: bool
    must_resume: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    read: int = 0
    """Records that the run after it read in those streams."""
    of: int = 0
    problems: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return self.died and not self.problems and set(self.must_resume) <= set(self.resumed)


class Kills(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and the problems of the run that nobody killed."""

    killed: tuple[Killed, ...]
    problems: tuple[str, ...] = ()


async def kill_everywhere(
    file: Path,
    integration: Integration,
    seed: int,
    *,
    modules: Sequence[str],
    tell: Callable[[str], None],
    scratches: Scratches | None = None,
) -> Kills:
    """One life for each station that a run of this file comes to, each into scratch of its own.

    `modules` are imported by the process that makes the victims. Needs a system that can fork.
    """
    sizes = {stream.name: few(stream) for stream in integration.streams}
    play = {"seed": seed, "sizes": sizes, "together": TOGETHER, "remembered": True}
    scratches = scratches or Scratches()
    async with warmed_up(PLAYER, *scratches.modules, *modules) as victims:
        lives = _Lives(victims, file.resolve(), play)
        async with scratches.made() as scratch:
            whole = await lives.live(None, scratch)
        if whole.outcome is None or whole.outcome.report is None:
            return Kills(killed=(), problems=(_said(whole),))
        way: list[tuple[str, str]] = [(stream, station) for stream, station in whole.outcome.way]
        totals = _read_by_stream(whole.outcome.report)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(station: str) -> Killed:
            async with turns, scratches.made() as scratch:
                tell(station)
                return await _one(lives, way, station, totals, scratch)

        stations = dict.fromkeys(station for _, station in way)
        found = await asyncio.gather(*(one(station) for station in stations))
    return Kills(killed=tuple(found), problems=tuple(whole.outcome.report.get("problems", ())))


class _Lives:
    def __init__(self, victims: Victims, file: Path, play: dict[str, Any]) -> None:
        self._victims, self._file, self._play = victims, file, play

    async def live(self, kill: Kill | None, scratch: Scratch) -> Ended:
        play = {**self._play, "scratch": scratch.passed}
        return await self._victims.run(self._file, folder=scratch.folder, kill=kill, play=play)


async def _one(
    lives: _Lives, way: list[tuple[str, str]], station: str, totals: dict[str, int], scratch: Scratch
) -> Killed:
    at = _moment(way, station)
    stream = way[at][0]
    count = sum(name == station for _, name in way[: at + 1])
    died = await lives.live(Kill(station=station, count=count), scratch)
    after = await lives.live(None, scratch)
    half = () if station in AHEAD else _half_done(way[: at + 1])
    if after.outcome is None or after.outcome.report is None:
        return Killed(station=station, stream=stream, died=died.killed, problems=(_said(after),))
    report = after.outcome.report
    first = (report["passes"][0].get("report") or {}).get("streams", ())
    return Killed(
        station=station,
        stream=stream,
        died=died.killed,
        must_resume=half,
        resumed=tuple(one["name"] for one in first if one["resumed"] and one["account"]["read"] < totals[one["name"]]),
        read=sum(one["account"]["read"] for one in first if one["name"] in half),
        of=sum(totals[name] for name in half),
        problems=tuple(report.get("problems", ())),
    )


def _moment(way: list[tuple[str, str]], station: str) -> int:
    """Where to kill: the second time that a stream comes there, when there is something to go on from; or the first."""
    met: set[str] = set()
    for place, (stream, name) in enumerate(way):
        if name == station:
            if stream in met:
                return place
            met.add(stream)
    return next(place for place, (_, name) in enumerate(way) if name == station)


def _half_done(way: list[tuple[str, str]]) -> tuple[str, ...]:
    """The streams of which something was written for good, and whose pass was not at its end."""
    written = {stream for stream, station in way if station == "after write"}
    ended = {stream for stream, station in way if station == "before finish"}
    return tuple(sorted(written - ended))


def _read_by_stream(report: dict[str, Any]) -> dict[str, int]:
    streams = (report["passes"][0].get("report") or {}).get("streams", ())
    return {one["name"]: one["account"]["read"] for one in streams}


def _said(ended: Ended) -> str:
    if ended.outcome is None:
        return f"the process ended with {ended.exit_code}"
    return str((ended.outcome.error or {}).get("what") or (ended.outcome.trace or "").strip().rpartition("\n")[2])
