"""The simulator as the source of every life, and as whatever it writes to: one server, with a life's API below its name."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from syncline.model import SystemClock
from syncline.rehearsal.front import served
from syncline.rehearsal.simulator.faults import Fault, Overlap, ResetAfter, Twice
from syncline.rehearsal.simulator.simulator import Simulator
from syncline.rehearsal.simulator.wire import Answer, Call
from syncline.rehearsal.simulator.world import Listing, Version, World
from syncline.spec import Integration
from tests.crash.world import EPOCH, Things

FAULTS: tuple[Fault, ...] = (
    Overlap(at=4, every=3),
    Twice(at=3, every=4),
    ResetAfter(at=20, every=33, place="writes"),
)
"""Pages overlap now and then, or hold a record twice; and of some writes the answer never leaves."""


class Gate:
    """Stops every page but the first until it is opened; `reached` once somebody stands there."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()


class InOrderOfChange(Listing, frozen=True):
    """A mark leads behind its version even where that is no longer listed."""

    def place(self, index: int) -> int | None:
        return bisect_right(self.early, index) - 1


class Source(World):
    """A life's things, as the simulator lists them: records are known by the numbers of their versions.

    `again` counts the records that were served in this attempt and had been served in an earlier one of the same pass.
    """

    def __init__(self, integration: Integration, things: Things) -> None:
        super().__init__(integration, 1, {}, EPOCH)
        self.things, self._by_change = things, "/changes" in integration.streams[0].path
        self.gate: Gate | None = None
        self.again = 0
        self._before: set[int] = set()
        self._now: set[int] = set()
        self._listed: tuple[int, tuple[int, ...]] = (0, ())

    def begin_pass(self) -> None:
        self._before, self._now = set(), set()
        self.again = 0

    def begin_attempt(self) -> None:
        self._before |= self._now
        self._now = set()
        self.again = 0

    @property
    def seen(self) -> int:
        """How many records were served in this pass, each counted once."""
        return len(self._before | self._now)

    def listing(self, name: str, line: int, since: int | None = None) -> Listing:
        numbers = self._numbers()
        if since is not None:
            numbers = numbers[bisect_left(numbers, since - self.began) :]
        kind = InOrderOfChange if self._by_change else Listing
        return kind(early=numbers, low=0, high=0, late=(), gone=())

    def _numbers(self) -> tuple[int, ...]:
        if self._listed[0] != self.things.newest:
            numbers = [version.number for version in self.things.current.values()]
            self._listed = self.things.newest, tuple(sorted(numbers) if self._by_change else numbers)
        return self._listed[1]

    def record(self, name: str, number: int, version: Version | None = None) -> Any:
        self.again += number in self._before
        self._now.add(number)
        return self.things.versions[number].value

    def is_sound(self, name: str, number: int) -> bool:
        return self.things.versions[number].good


class Api:
    """Every life's simulator by its name."""

    def __init__(self) -> None:
        self.url = ""
        self.simulators: dict[str, Simulator] = {}

    def add(self, name: str, integration: Integration, things: Things) -> Source:
        source = Source(integration, things)
        self.simulators[name] = Simulator(integration, source, FAULTS, began=EPOCH)
        return source

    def handle(self, call: Call, now: datetime) -> Answer:
        return self._simulator(call).handle(call, now)

    async def hold(self, call: Call) -> None:
        world = self._simulator(call).world
        gate = world.gate if isinstance(world, Source) else None
        if gate is not None and (call.params.get("cursor") or call.params.get("offset", "0") != "0"):
            gate.reached.set()
            await gate.opened.wait()

    def _simulator(self, call: Call) -> Simulator:
        return self.simulators[call.path.split("/")[1]]


@asynccontextmanager
async def open_api() -> AsyncIterator[Api]:
    api = Api()
    async with served(["http://lives.example"], SystemClock()) as front:
        front.api, front.before = api, api.hold
        (api.url,) = front.addresses.values()
        yield api
