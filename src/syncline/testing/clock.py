"""A clock that waits in no time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Sleeping moves the clock on; `slept` lists every wait in seconds."""

    def __init__(self, start: datetime | None = None) -> None:
        self.start = start or datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.elapsed = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 1_000.0 + self.elapsed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wake = self.elapsed + max(seconds, 0.0)
        await asyncio.sleep(0)
        self.elapsed = max(self.elapsed, wake)
