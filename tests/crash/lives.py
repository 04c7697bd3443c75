"""One life of an integration: passes over a source that changes, killed on the way, and judged after every kill and every pass."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from syncline.rehearsal.killing import STATIONS, Kill
from syncline.rehearsal.victims import Ended, Victims
from syncline.spec import loads
from tests.crash.api import Api
from tests.crash.oracle import LINE, MODES, Oracle, Raw, Verdict
from tests.crash.places import PLACES, THINGS, Place
from tests.crash.world import Things

PASSES = 3
AHEAD = 5 + 2 * 4
"""Pages that may be on their way when a run dies: one being asked for, one waiting to wait, two waiting, one in hand; and four
that are asked for early, twice where the list moved and they were given up.
"""
LARGE = 2_000
"""Rows a batch above which most lives are content with a part of one."""
SOMETIMES = 12
"""How often a first run comes to what is done where there is a reason, about."""
LONGEST = 60.0
"""Seconds that a run may take, on a machine with much else to do."""


@dataclass(frozen=True)
class Name:
    """A life's name, and with the seed all that it takes to live it again."""

    seed: int
    place: str
    mode: str
    number: int

    def __str__(self) -> str:
        return f"{self.place}/{self.mode}/{self.number}"

    @property
    def slug(self) -> str:
        return f"{self.seed}_{self.place}_{self.mode}_{self.number}"


@dataclass
class Toll:
    """What a life, or many of one kind, came to."""

    kills: int = 0
    stops: int = 0
    """By SIGTERM, in good order."""
    runs: int = 0
    lost: int = 0
    duplicate: int = 0
    rework: list[int] = field(default_factory=list)
    """Records asked for again, by each run after a kill."""
    stations: Counter[str] = field(default_factory=Counter)
    """Where it was killed."""
    passed: Counter[str] = field(default_factory=Counter)
    """Where runs came by that ended by themselves."""
    seconds: float = 0.0
    trail: list[str] = field(default_factory=list)
    """Every run and what ended it, of lives that met a fault."""
    faults: list[str] = field(default_factory=list)

    def add(self, other: Toll) -> None:
        self.kills += other.kills
        self.stops += other.stops
        self.runs += other.runs
        self.lost += other.lost
        self.duplicate += other.duplicate
        self.rework += other.rework
        self.stations += other.stations
        self.passed += other.passed
        self.seconds += other.seconds
        self.faults += other.faults
        self.trail += other.trail if other.faults else []


class Life:
    """`kills` are how many it is to meet (SIGTERM counts as well), half of them in the first pass, which has the most to do; or
    which ones, one after another.
    """

    def __init__(
        self,
        name: Name,
        kills: int | Sequence[Kill],
        victims: Victims,
        api: Api,
        folder: Path,
        *,
        records: int | None = None,
    ) -> None:
        self.name, self.victims = name, victims
        self.toll = Toll()
        self.random = random.Random(f"{name.seed}/{name}")
        self.kills, self.stirred = kills if isinstance(kills, int) else len(kills), False
        self._told = None if isinstance(kills, int) else list(kills)
        self.mode = MODES[name.mode]
        kind = PLACES[name.place]
        self.folder = folder / name.slug
        self.folder.mkdir()
        self.place: Place = kind(self.folder, api)
        self.page = self.random.choice([40, 100, 250])
        most = kind.batch if kind.batch <= LARGE or name.number % 4 == 3 else LARGE
        records = records or int(most * self.random.uniform(1.5, 2.5 if most <= LARGE else 1.6))
        tombstones = self.mode.deletes == "when"
        self.world = Things(f"{name.seed}/{name}", records, tombstones=tombstones)
        self.soft = kind.soft and self.mode.deletes is not None and self.random.random() < 0.5
        self.oracle = Oracle(self.mode, self.world, soft=self.soft, counted=kind.counted)
        self.file = self.folder / "things.yaml"
        text = yaml.safe_dump(self._integration(f"{api.url}/{name.slug}"), allow_unicode=True, sort_keys=False)
        self.file.write_text(text)
        self.source = api.add(name.slug, loads(text), self.world)

    def _integration(self, url: str) -> dict[str, Any]:
        mode = self.mode
        pagination: dict[str, Any] = {"kind": "cursor", "next": "next", "param": "cursor", "limit_param": "limit"}
        if mode.feed == "all":
            pagination = {"kind": "offset", "total": "total"}
        things: dict[str, Any] = {
            "name": THINGS,
            "path": f"/{mode.feed}",
            "records": "data",
            "primary_key": "id",
            "pagination": {**pagination, "limit": self.page},
            "mapping": {
                "id": {"source": "id", "required": True},
                "version": "version",
                "name": {"source": "profile.name", "required": True},
                "amount": {"source": "amount", "transform": "decimal"},
                "big": "big",
                "active": "active",
                "seen_at": {"source": "seen_at", "transform": "iso8601"},
                "note": "note",
                "tags": "tags",
                "lines": {"source": "lines", "each": {name: name for name in LINE}},
            },
            "into": self.place.into(mode.write),
        }
        if mode.feed == "changes":
            things["incremental"] = {"cursor": "updated_at", "param": "since"}
        if mode.deletes is not None:
            told = {"when": "gone"} if mode.deletes == "when" else {"missing": True}
            things["deletes"] = {**told, "how": "soft" if self.soft else "hard"}
        return {
            "name": "crash",
            "source": {"kind": "rest", "base_url": url},
            "streams": [things],
            "destination": self.place.destination(),
        }

    # Living

    async def live(self) -> Toll:
        """Stops at the first fault; what is outside of the folder is taken away, the folder only where all went well."""
        began = asyncio.get_running_loop().time()
        try:
            passes = 0
            while not self.toll.faults and (passes < PASSES or (self._left and passes < PASSES + self.kills)):
                if passes:
                    self.world.move_on()
                await self._pass(-(-self._left // 2) if self._told is None else self._left)
                passes += 1
        finally:
            self.toll.seconds = asyncio.get_running_loop().time() - began
            await asyncio.to_thread(self.place.drop)
        if not self.toll.faults:
            shutil.rmtree(self.folder)
        return self.toll

    @property
    def _left(self) -> int:
        return max(0, self.kills - self.toll.kills - self.toll.stops)

    async def _pass(self, kills: int) -> None:
        spared = self._left - kills
        after_kill = False
        while not self.toll.faults:
            kill = self._choose() if self._left > spared else None
            limit = self._limit() if kill is not None else None
            if not after_kill:
                self.source.begin_pass()
            self.source.begin_attempt()
            before = await asyncio.to_thread(self.place.state)
            ended = await self._run(kill, limit)
            what = f"{self.name}: {kill or 'left alone'}{f', limit {limit}' if limit else ''}"
            self.toll.trail.append(f"{what} → {ended.exit_code} {ended.seconds:.2f} s, CPU {ended.cpu:.2f} s")
            if after_kill:
                self._count_rework()
            stopped = ended.exit_code == 130 and kill is not None and kill.signal == "TERM"
            if ended.killed or stopped:
                after_kill = not is_complete(before, await asyncio.to_thread(self.place.state))
                if not after_kill and not self.stirred:
                    self.oracle.pass_ended(published=not self.place.publishes)
                if stopped:
                    self.toll.stops += 1
                    self._heard(ended)
                else:
                    await self._killed(kill)
                continue
            after_kill = False
            if ended.exit_code != 0:
                said = ended.outcome and (ended.outcome.error or ended.outcome.trace or ended.outcome.report)
                self._fault(f"a run ended with {ended.exit_code}: {said}", kill)
                return
            self._heard(ended)
            if limit and not is_complete(before, await asyncio.to_thread(self.place.state)):
                after_kill = True  # what was fetched ahead is asked for again, as after a kill
                continue
            if not self.stirred:
                break
            self.stirred = False  # a pass that had read its last page already leaves it to the next one
        self.oracle.pass_ended()
        found = await asyncio.to_thread(self.place.found)
        self._sentence(self.oracle.judge(found), None)

    async def _run(self, kill: Kill | None, limit: int | None) -> Ended:
        self.toll.runs += 1
        victim = self.victims.start(self.file, kill=kill, limit=limit, environment=self.place.environment())
        try:
            return await asyncio.wait_for(victim.ended(), LONGEST)
        except TimeoutError:
            victim.send(signal.SIGKILL)
            ended = await victim.ended()
            self._fault(f"a run came to no end within {LONGEST:g} s", kill)
            return ended

    async def _killed(self, kill: Kill | None) -> None:
        self.toll.kills += 1
        if kill is not None:
            self.toll.stations[kill.station or "any moment"] += 1
        if self.random.random() < 0.5:  # looking heals a database: the next run is to do so by itself as well
            found = await asyncio.to_thread(self.place.found)
            self._sentence(self.oracle.judge_midway(found), kill)
        if self.mode.feed == "changes" and self.random.random() < 0.2:
            self.world.stir()
            self.oracle.exact, self.stirred = False, True

    def _heard(self, ended: Ended) -> None:
        assert ended.outcome is not None
        self.toll.passed.update(ended.outcome.stations)
        account = (ended.outcome.report or {})["account"]
        parts = sum(account[name] for name in ("written", "unchanged", "rejected", "filtered"))
        if account["read"] != parts + account.get("in_doubt", 0):
            self._fault(f"an account does not add up: {account}", None)
        if ended.seconds > LONGEST:
            self._fault(f"it took {ended.seconds:.1f} s to stop", None)

    def _count_rework(self) -> None:
        self.toll.rework.append(self.source.again)
        most = self.place.batch + AHEAD * self.page
        if self.source.again > most:
            self._fault(f"{self.source.again} records were asked for again; {most} are a batch and what is ahead", None)

    def _sentence(self, verdict: Verdict, kill: Kill | None) -> None:
        self.toll.lost += verdict.lost
        self.toll.duplicate += verdict.duplicate
        for fault in verdict.faults:
            self._fault(fault, kill)

    def _fault(self, what: str, kill: Kill | None) -> None:
        self.toll.faults.append(f"{self.name}: {what}" + (f" ({kill})" if kill else ""))

    # Choosing

    def _choose(self) -> Kill:
        if self._told is not None:
            return self._told[self.kills - self._left]
        # drawn afresh for every run, so that one that went another way changes nothing for those behind it
        pick = random.Random(f"{self.name.seed}/{self.name}/{self.toll.runs}")
        how: Literal["KILL", "TERM"] = "TERM" if pick.random() < 0.1 else "KILL"
        if pick.random() < 0.2:
            return Kill(after=pick.uniform(0.001, 0.5), signal=how)
        station = self._station()
        later = pick.uniform(0.0001, 0.004) if pick.random() < 0.25 and how == "KILL" else 0.0
        return Kill(station=station, count=1 + int(pick.random() * self._often(station)), after=later, signal=how)

    def _limit(self) -> int | None:
        """Now and then a run is to stop by itself in the midst of its pass: batches get smaller, and a pass more runs."""
        pick = random.Random(f"{self.name.seed}/{self.name}/{self.toll.runs}/limit")
        left = self.oracle.awaited() - self.source.seen
        return pick.randint(1, left) if self._told is None and left > 0 and pick.random() < 0.3 else None

    def _station(self) -> str:
        """One after another, so that a few lives of a kind come to all of them; but none that such runs do not come by."""
        order = list(stations_of(self.name.place, self.name.mode))
        random.Random(f"{self.name.seed}/{self.name.place}/{self.name.mode}").shuffle(order)
        first = (self.name.number * self.kills + self.toll.runs) % len(order)
        turned = order[first:] + order[:first]
        return next((station for station in turned if station in self.toll.passed), turned[0])

    def _often(self, station: str) -> int:
        """How often this run is still to come to it, about."""
        if STATIONS[station] == "sometimes":
            return SOMETIMES
        left = self.oracle.awaited() - self.source.seen
        size = {"page": self.page, "batch": self.place.batch, "record": 1}.get(STATIONS[station])
        return max(1, left // size) if size else 1


def is_complete(before: Raw | None, after: Raw | None) -> bool:
    """Whether a run that was killed had committed the end of its pass: it held the stream, and left no place to go on.

    What a run into another API finds out about the one before it is a commit too, which leaves the checkpoint as it was.
    """
    if after is None or (before is not None and before["fence"] == after["fence"]):
        return False
    moved = before is None or before["checkpoint"] != after["checkpoint"] or int(after["commits"]) > 1
    return bool(after["commits"]) and moved and "resume" not in json.loads(after["checkpoint"] or "{}")


def stations_of(place: str, mode: str) -> tuple[str, ...]:
    """Where a run of this kind can be killed."""
    stations = (*ENGINE, *PLACES[place].stations)
    return stations if MODES[mode].write == "replace" else tuple(s for s in stations if s != "rows exchanged")


ENGINE = (
    "lease taken",
    "run noted",
    "pass begun",
    "page fetched",
    "page mapped",
    "before write",
    "after write",
    "before finish",
    "after finish",
    "lease released",
    "report stored",
)
