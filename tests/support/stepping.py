"""A clock for many tasks at once: time stands still while anybody works, and then goes on to the next who wakes."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

SETTLED = 30
"""Turns of the loop after which nobody who works in memory alone has anything left to do."""


class SteppingClock:
    """Sleepers wake in the order of their times, each with the clock at exactly its time."""

    def __init__(self, start: datetime | None = None) -> None:
        self.start = start or datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return 1_000.0 + self.elapsed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.elapsed + max(seconds, 0.0), self._count, future))
        await future

    async def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.elapsed + seconds
        while True:
            for _ in range(SETTLED):
                await asyncio.sleep(0)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > end:
                self.elapsed = end
                return
            wake, _, future = heapq.heappop(self._sleepers)
            self.elapsed = max(self.elapsed, wake)
            future.set_result(None)
