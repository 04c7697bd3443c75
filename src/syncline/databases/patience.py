"""Work on a database that may be away for a while."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from syncline.databases.database import Database
from syncline.databases.lane import Lane
from syncline.errors import SynclineError
from syncline.events import Waiting, emit
from syncline.model import Clock

R = TypeVar("R")

PATIENCE = 60.0
"""Seconds that a database may be away before the run gives up."""
FIRST, LONGEST = 0.2, 5.0
CONTENDED = 10
"""How often a transaction that met a deadlock is tried again."""


class Patience:
    """Calls functions on the database's lane, and again where it was away or gave another transaction the way."""

    def __init__(self, database: Database, lane: Lane, clock: Clock, seconds: float = PATIENCE) -> None:
        self._database, self._lane, self._clock, self._seconds = database, lane, clock, seconds

    async def call(self, function: Callable[[], R], landed: Callable[[], R | None] | None = None) -> R:
        """`function` is one transaction, or only reads. Where the connection was lost, nobody knows whether its commit came
        through: `landed` finds out, and gives the result if it did. It may come through as late as while `function` runs again,
        which then must fail."""
        began = self._clock.monotonic()
        until: float | None = None
        wait, contended = FIRST, 0
        lost = doubtful = False
        while True:
            try:
                if lost:
                    await self._lane.run(self._reopen)
                    lost = False
                    if landed is not None and (found := await self._lane.run(landed)) is not None:
                        return found
                return await self._lane.run(function)
            except SynclineError as error:
                trouble = self._database.trouble(error.__cause__) if error.__cause__ else "other"
                if doubtful and trouble == "other":
                    if landed is None or (found := await self._lane.run(landed)) is None:
                        raise
                    return found
                patient = contended < CONTENDED and self._clock.monotonic() < began + self._seconds
                if trouble == "contended" and not self._database.at_hand and patient:
                    contended += 1
                    await self._clock.sleep(random.uniform(0, 0.05 * contended))  # noqa: S311 – jitter
                    continue
                if trouble != "away":
                    raise
                lost = doubtful = True
                now = self._clock.monotonic()
                until = now + self._seconds if until is None else until
                if now + wait > until:
                    raise
                emit(Waiting(seconds=wait, reason=error.what, until=self._clock.now() + timedelta(seconds=wait)))
                await self._clock.sleep(wait)
                wait = min(2 * wait, LONGEST)

    def _reopen(self) -> None:
        with self._database.explained():
            self._database.reopen()
