"""A conduct's memory that several processes share: each change is made on the newest version, or made anew."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import uuid
from collections.abc import Callable
from pathlib import Path

from syncline.errors import PlanError
from syncline.events import Noticed, emit
from syncline.http.keeping import Conduct, Step
from syncline.http.shared_store import STORE_SECONDS, Kept, SharedStore
from syncline.model import Clock, origin_of, reveal
from syncline.resilience import CircuitBreaker, Limits

DEFAULT_FILE = Path(".syncline/limits.db")
PROBE_PATIENCE = 60.0
"""Seconds after which a probe is given up whose process may have died."""
TRY_AGAIN = 5.0
MEMBER_SECONDS = 60.0
UNKNOWN_MEMBERS = 4
"""Among how many the limit is divided where the store was never reached."""
BETTER_CLOCK = 60.0
CROWDED = 4
"""After so many tries in vain a process makes room for the others, by so many seconds at most."""
ROOM = 0.004
LEAD = 0.04
"""By so many seconds permits are taken before their time, several by one look."""


class SharedKeeper:
    """Keeps the memory in a store. Times are epoch seconds of the store's clock.

    A store that is down does not stop anybody: each process then goes on with its part of the limits, says so, and tries the
    store again every few seconds.
    """

    alone = False

    def __init__(self, conduct: Conduct, key: str, store: SharedStore, clock: Clock) -> None:
        self.conduct = conduct
        self.lead = LEAD
        self._key, self._store, self._clock = key, store, clock
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = asyncio.Lock()
        self._known: Kept | None = None
        self._at_hand: Kept | None = None  # what of it the conduct holds already
        self._offset: tuple[float, float, float] | None = None  # (measured at, round trip, offset)
        self._down_until = float("-inf")
        self._own: bytes | None = None  # our memory while the store is down
        self._parts, self._lost_at = 1, float("-inf")
        self._unseen: list[float] = []  # requests that the store has not been told of

    def now(self) -> float:
        if self._offset is not None:
            return self._clock.monotonic() + self._offset[2]
        return self._clock.now().timestamp()

    async def change(self, step: Step, then: Callable[[], None]) -> None:
        async with self._lock:
            if self._clock.monotonic() < self._down_until:
                self._by_ourselves(step)
            else:
                try:
                    await self._together(step)
                except Exception as error:  # whatever a store's library raises: it is down
                    self._lost(error)
                    self._by_ourselves(step)
            then()

    async def circuit_changed(self) -> None:
        """It is where all can see it already."""

    async def close(self) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.close()
        except Exception:  # it is down, and we are leaving
            return

    async def _together(self, step: Step) -> None:
        tries = 0
        known = self._known
        if known is None:
            await self._swap(-1, None)  # opens the connection, so that it tells the time badly
            known = await self._swap(-1, None)
        while True:
            if known is not self._at_hand:
                self.conduct.load(known.value)
            self._at_hand = None  # from here on it is what the step makes of it
            now = self.now()
            if self._unseen:
                self._report(now)
            changed = step(now) or bool(self._unseen)
            self._be_member(now)
            found = await self._swap(known.version, self.conduct.dump() if changed else None)
            if found.stored:
                break
            if not changed and found.version == known.version:
                found = known
                break
            known, tries = found, tries + 1
            if tries > CROWDED:  # many at once: make room for each other, and go on from what they leave
                await self._clock.sleep(random.random() * ROOM)  # noqa: S311 – no secret
                newer = await self._swap(known.version, None)
                known = newer if newer.version != known.version else known
        self._known = self._at_hand = found
        if self._own is not None:
            self._own = None
            self._unseen.clear()
            emit(Noticed(what="the store of the shared limits is back"))

    async def _swap(self, version: int, value: bytes | None) -> Kept:
        began = self._clock.monotonic()
        async with asyncio.timeout(STORE_SECONDS):
            kept = await self._store.swap(self._key, version, value)
        ended = self._clock.monotonic()
        if kept.now is not None:
            measured = self._offset
            if measured is None or ended - began <= measured[1] or ended - measured[0] > BETTER_CLOCK:
                self._offset = (ended, ended - began, kept.now - (began + ended) / 2)
        return kept

    def _be_member(self, now: float) -> None:
        members = self.conduct.members
        members[self._name] = now
        for name in [name for name, seen in members.items() if seen < now - MEMBER_SECONDS]:
            del members[name]

    def _lost(self, error: Exception) -> None:
        """Take our part of the limits, starting from what was known of everybody's use."""
        # all try again at the same moment, so that none has the whole limit while others still take their parts of it
        rest = TRY_AGAIN - self._clock.now().timestamp() % TRY_AGAIN
        self._down_until, self._at_hand = self._clock.monotonic() + rest, None
        if self._own is not None:
            return
        self.conduct.load(self._known.value if self._known else None)
        parts = max(len(self.conduct.members), 1) if self._known else UNKNOWN_MEMBERS
        self.conduct.limiters.divide(parts)
        self._own, self._parts, self._lost_at = self.conduct.dump(), parts, self.now()
        emit(
            Noticed(
                what=f"the store of the shared limits cannot be reached ({type(error).__name__}); until it is back, "
                f"this process keeps to {f'1/{parts} of' if parts > 1 else ''} the limits by itself",
                hint="look whether it runs, and whether the address in rate_limit.shared is right",
            )
        )

    def _by_ourselves(self, step: Step) -> None:
        self.conduct.load(self._own)
        now, whole = self.now(), self.conduct.limiters.all[0]
        before = whole.standing.ticket
        step(now)
        self._unseen += [now + self.lead] * (whole.standing.ticket - before)  # at the latest
        del self._unseen[: -self._most_unseen]
        self._own = self.conduct.dump()

    @property
    def _most_unseen(self) -> int:
        return max((rate.amount for rate in self.conduct.limiters.rule.limits), default=1)

    def _report(self, now: float) -> None:
        """Tell the newly found store what went without asking it: the first to come back for the others as well, by its own."""
        others = [name for name, seen in self.conduct.members.items() if seen > self._lost_at and name != self._name]
        times = 1 if others else self._parts
        longest = max((rate.per for rate in self.conduct.limiters.rule.limits), default=0.0)
        for moment in self._unseen:
            if moment > now - longest:
                self.conduct.limiters.take(moment, times)


def shared_keeper(limits: Limits, breaker: CircuitBreaker, base: str, clock: Clock) -> SharedKeeper:
    """The keeper in the store that `limits` names. Raises PlanError for one that cannot be used here."""
    name = limits.share_as or origin_of(base)
    # who counts differently cannot share a count
    shape = hashlib.sha256(repr((limits.limits, limits.burst, limits.quotas)).encode()).hexdigest()[:8]
    conduct = Conduct(limits, breaker, PROBE_PATIENCE)
    return SharedKeeper(conduct, f"{name}#{shape}", open_store(limits, clock), clock)


def open_store(limits: Limits, clock: Clock) -> SharedStore:
    """The store that `shared` names; nothing is connected before its first use."""
    where = str(DEFAULT_FILE) if isinstance(limits.shared, bool) else reveal(limits.shared)
    scheme = where.partition("://")[0] if "://" in where else ""
    # each late: one of them is used, and two need an extra
    if scheme in ("redis", "rediss", "unix"):
        from syncline.http.shared_redis import RedisStore

        return RedisStore(where)
    if scheme in ("postgresql", "postgres"):
        from syncline.http.shared_postgres import PostgresStore

        return PostgresStore(where)
    if scheme in ("", "sqlite"):
        from syncline.http.shared_sqlite import SqliteStore

        return SqliteStore(Path(where.removeprefix("sqlite:///")), clock)
    raise PlanError(
        f"rate_limit.shared cannot be kept at {scheme}://",
        hint="write true, a path, redis://host or postgresql://host/database",
    )
