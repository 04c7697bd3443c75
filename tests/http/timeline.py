"""A clock for many tasks: time moves only when everybody waits, and then to the earliest moment anybody waits for."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class Timeline:
    def __init__(self) -> None:
        self.start = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.elapsed = 0.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return 1_000.0 + self.elapsed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.elapsed + max(seconds, 0.0), self._count, future))
        await future

    async def run(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        """Drive until `work` is done."""
        task = asyncio.ensure_future(work)
        loop: Any = asyncio.get_running_loop()
        while not task.done():
            await asyncio.sleep(0)
            if loop._ready or task.done():
                continue
            if not self._sleepers:
                task.cancel()
                raise AssertionError("everybody waits, and nobody for the clock")
            moment, _, future = heapq.heappop(self._sleepers)
            if not future.done():  # else whoever slept was cancelled
                self.elapsed = max(self.elapsed, moment)
                future.set_result(None)
        return task.result()
