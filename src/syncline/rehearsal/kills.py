"""Acts in which the run is a process of its own and is killed, without a word, at one station after the other."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any

from syncline.engine import resolved
from syncline.http import Connection
from syncline.model import SystemClock
from syncline.rehearsal.evidence import ActReport, Pass
from syncline.rehearsal.holdings import holdings_of
from syncline.rehearsal.killing import Kill
from syncline.rehearsal.oracle import Moment, Oracle
from syncline.rehearsal.plan import page_size, short_sizes
from syncline.rehearsal.serving import Front, served
from syncline.rehearsal.simulator import Simulator, World
from syncline.rehearsal.simulator.blueprint import Blueprint
from syncline.rehearsal.simulator.seen import Struck
from syncline.rehearsal.staging import Staged, origins_of, relocated, staged
from syncline.rehearsal.victims import Ended, Victims, warmed_up
from syncline.spec import Integration, dump

MODULES = (
    "aiohttp",
    "syncline.destinations.api.sink",
    "syncline.destinations.file.sink",
    "syncline.destinations.sql.sink",
    "syncline.destinations.sql.sqlite",
    "syncline.sources.rest",
    "syncline.state.store",
)
"""What a victim would import anew; a process that has it already makes victims at once."""
FILE = "rehearsed.yaml"
BATCHES = 2_300
"""Records of a stream, so that databases write them in three batches; fewer where that would take many requests."""
REQUESTS = 25
KILL = "kill"
"""The name by which these acts are asked for, beside those of faults."""


def can_kill() -> bool:
    """Whether this system can fork."""
    return hasattr(os, "fork")


def sizes_of(integration: Integration) -> dict[str, int]:
    """Enough for several batches; less where each record is a request, or a list of its own."""
    short = short_sizes(integration)
    parents = {parent.stream for stream in integration.streams for parent in stream.parents}
    if isinstance(integration.destination, Connection):
        return short
    pages = {stream.name: page_size(stream) for stream in integration.streams}
    return {name: size if name in parents else min(BATCHES, REQUESTS * pages[name]) for name, size in short.items()}


async def killed(
    integration: Integration,
    seed: int,
    folder: Path,
    blueprints: dict[str, Blueprint],
    stations: Collection[str] | None = None,
) -> AsyncIterator[ActReport]:
    """One act for each station (of these) that a whole run comes to: a run that is killed there, and another that makes it whole.

    The API is a server of its own and outlives the run, so that tokens and writes are what they would be. Limits are left out,
    because this is about what is kept, and takes real time. Needs a system that can fork.
    """
    origins = await origins_of(staged(integration, seed, folder))
    async with served(origins, SystemClock()) as front, warmed_up(*MODULES) as victims:
        theatre = _Theatre(integration, seed, folder, blueprints, front=front, victims=victims)
        whole = await theatre.act("kill: nowhere", None)
        yield whole
        for station, count in theatre.stations.items() if whole.holds else ():
            if stations is not None and station not in stations:
                continue
            # in the midst of the run, where something is there to be lost
            yield await theatre.act(f"kill: {station}", Kill(station=station, count=(count + 1) // 2))


class _Theatre:
    def __init__(
        self,
        integration: Integration,
        seed: int,
        folder: Path,
        blueprints: dict[str, Blueprint],
        *,
        front: Front,
        victims: Victims,
    ) -> None:
        self.written, self.seed, self.folder, self.blueprints = _unlimited(integration), seed, folder, blueprints
        self.sizes = sizes_of(integration)
        self.front, self.victims = front, victims
        self.stations: dict[str, int] = {}
        self._count = 0

    async def act(self, name: str, kill: Kill | None) -> ActReport:
        self._count += 1
        place = self.folder / f"kill-{self._count}"
        place.mkdir()
        on_stage = relocated(staged(self.written, self.seed, place, self.blueprints), self.front.addresses)
        (place / FILE).write_text(dump(on_stage.integration), encoding="utf-8")
        return await _Playing(self, name, on_stage, await _resolved(on_stage)).go(kill)


def _unlimited(integration: Integration) -> Integration:
    ends = {"source": integration.source, "destination": integration.destination}
    changes = {
        name: end.model_copy(update={"rate_limit": end.rate_limit.model_copy(update={"limits": ()})})
        for name, end in ends.items()
        if isinstance(end, Connection)
    }
    return integration.model_copy(update=changes)


async def _resolved(on_stage: Staged) -> Integration:
    return await resolved(on_stage.integration, on_stage.environment, on_stage.folder)


class _Playing:
    """One station: the run that is killed, and the one after it."""

    def __init__(self, theatre: _Theatre, name: str, on_stage: Staged, integration: Integration) -> None:
        self._theatre, self._on_stage, self._integration = theatre, on_stage, integration
        now = theatre.front.clock.now()
        self._world = World(integration, theatre.seed, theatre.sizes, now, on_stage.blueprints)
        self._simulator = theatre.front.simulator = Simulator(integration, self._world, began=now)
        self._began = time.monotonic()
        self.report = ActReport(name=name, seed=theatre.seed)

    async def go(self, kill: Kill | None) -> ActReport:
        first = await self._run(kill)
        if kill is None:
            self._theatre.stations = dict(first.outcome.stations) if first.outcome else {}
        elif not first.killed:
            self.report.problems.append(f"the run did not come to {kill.station!r} the {kill.count}th time")
        else:
            at, before = time.monotonic() - self._began, self._simulator.requests
            await self._run(None)
            self._tell(kill, at, before)
        report, simulator = self.report, self._simulator
        report.seen, report.requests, report.seconds = (
            simulator.seen,
            simulator.requests,
            time.monotonic() - self._began,
        )
        last = report.passes[-1]
        if last.exit_code:
            report.problems.append(f"the run after the kill ended with exit code {last.exit_code}: {_why(last)}")
        return report

    async def _run(self, kill: Kill | None) -> Ended:
        began = time.monotonic() - self._began
        ended = await self._theatre.victims.run(
            self._on_stage.folder / FILE, kill=kill, environment=self._on_stage.environment
        )
        outcome = ended.outcome
        this = Pass(
            exit_code=ended.exit_code,
            began=began,
            ended=time.monotonic() - self._began,
            quiet=kill is None,
            complete=ended.exit_code == 0,
            report=outcome.report if outcome else None,
            error=outcome.error if outcome else None,
        )
        if outcome and outcome.trace:
            self.report.problems.append(f"the run fell over: {outcome.trace.strip().splitlines()[-1]}")
        self.report.passes.append(this)
        self._judge(this)
        return ended

    def _judge(self, this: Pass) -> None:
        holdings = holdings_of(self._integration, self._on_stage.folder, self._simulator.recipient)
        # nothing moves in these acts: a run that says it is done has everything there ever was
        moment = Moment(began=self._world.began, complete=this.complete)
        for stream in self._integration.streams:
            oracle = Oracle(self._world, stream, self._integration.state_key(stream))
            verdict = this.verdicts[stream.name] = oracle.judge(holdings, moment)
            if not verdict.exact:
                self.report.problems.append(f"run {len(self.report.passes)}, {stream.name}: {verdict}")

    def _tell(self, kill: Kill, at: float, before: int) -> None:
        last = self.report.passes[-1]
        resumed = [stream for stream in _streams(last) if stream["resumed"]]
        how = f"went on in the midst of {resumed[0]['name']}" if resumed else "began a pass anew"
        self.report.struck.append(
            Struck(
                fault="kill",
                line=f"kill -9 at {kill.station!r}, the {kill.count}. time",
                at=at,
                request=before,
                status=0,
                asked_again=before + 1,
                after=last.began - at,
                became=f"the next run {how}: {self._simulator.requests - before} requests after {before}, "
                f"exit code {last.exit_code}",
            )
        )


def _streams(this: Pass) -> Sequence[dict[str, Any]]:
    return (this.report or {}).get("streams") or ()


def _why(this: Pass) -> str:
    error = this.error or (this.report or {}).get("error") or {}
    return str(error.get("what", f"exit code {this.exit_code}"))
