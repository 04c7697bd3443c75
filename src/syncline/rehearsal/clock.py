"""Simulated time: nobody waits, and everything that takes time takes it on paper."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

from syncline.databases.lane import at_work

TURNS = 8
"""Turns of the event loop that everybody gets to go on before time does; a hand-over between tasks takes one or two."""
GLANCE = 0.0005
"""Real seconds between two looks at work that is done on other threads."""


class SimulatedClock:
    """A clock that moves when nobody has anything left to do, and then to the earliest moment that anybody waits for.

    While a database is at work it stands still: that takes real time, in which nobody's patience, lease or token runs out.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.start = start or datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
        self.elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._passing = False

    def monotonic(self) -> float:
        return 1_000.0 + self.elapsed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        """Between runs, when nobody waits."""
        self.elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.elapsed + max(seconds, 0.0), self._count, woken))
        if not self._passing:
            self._passing = True
            loop.call_soon(self._pass, loop, TURNS)
        await woken

    def _pass(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if at_work(loop):
            loop.call_later(GLANCE, self._pass, loop, TURNS)
            return
        if turns:
            loop.call_soon(self._pass, loop, turns - 1)
            return
        while self._sleepers:
            moment, _, woken = heapq.heappop(self._sleepers)
            if woken.done():  # whoever slept was cancelled
                continue
            self.elapsed = max(self.elapsed, moment)
            woken.set_result(None)
            break
        self._passing = bool(self._sleepers)
        if self._passing:
            loop.call_soon(self._pass, loop, TURNS)
