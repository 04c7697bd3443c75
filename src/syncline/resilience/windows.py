"""How many in how long: the ways of counting that the limiter joins. Times are seconds of one clock; costs are in units.

Every class is plain data with rules on it, so that processes and machines can share it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from heapq import merge
from math import inf
from operator import attrgetter

import msgspec

from syncline.model import Rate

MARGIN = 0.004
"""Share by which a window is longer here than there: requests do not all travel equally fast. Waking up late adds to it."""
MOST_DELAY = 0.25
"""Share of the window by which a request may have arrived late: it opened its connection, or somebody was held up."""
PACED_WITHIN = 1.0
PACED_BELOW = 0.01
"""Windows of a second at most that allow more than a request in so many seconds are paced: hundreds at once take a machine longer
than it can tell, and never equally long."""
PACE = 0.9
"""A paced request follows the one before after this share of the even distance, so that what was held up catches up."""
AT_ONCE = 10
"""So many may go at once all the same, also after somebody was held up."""
WIDEST_MARGIN = 0.05
CALM = 60
"""After so many windows without a refusal a wider margin is halved again."""
LONGEST_MARGIN = 1.0
MOST_ENTRIES = 1_000
USUAL = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
TINY = 1e-9


def usual(seconds: float) -> float:
    """The window that people write when they mean one that was measured a little longer."""
    return next((window for window in USUAL if window <= seconds <= window * 1.1), seconds)


class Entry(msgspec.Struct, array_like=True):
    """Requests from `first` to `last` that cost `units`; the earliest of them had `ticket`."""

    first: float
    last: float
    units: float
    ticket: int


_LAST = attrgetter("last")


class SlidingLog(msgspec.Struct, tag="log"):
    """At most `amount` units in any `per` seconds, exactly; beyond a thousand entries neighbours are counted at their later time.

    The exact log draws no refusal from fixed windows, sliding windows and token buckets alike, and uses the whole rate.
    """

    rate: Rate
    margin: float = MARGIN
    entries: list[Entry] = []
    late: list[Entry] = []  # those that arrived later than others sent with them, by `last`
    used: float = 0.0
    began: float | None = None
    widened: float = 0.0
    due: float | None = None

    def ready_in(self, now: float, cost: float = 1.0) -> float:
        """Seconds until `cost` more may be sent; 0 for at once. What costs more than the whole window waits for all of it."""
        self._forget(now)
        paced = max(self.due - now, 0.0) if self.due is not None and self._gap else 0.0
        too_much = self.used + min(cost, self.rate.amount) - self.rate.amount
        if too_much <= TINY:
            return paced
        latest = -inf
        for entry in merge(self.entries, self.late, key=_LAST) if self.late else self.entries:
            latest = max(latest, entry.last)
            too_much -= entry.units
            if too_much <= TINY:
                break
        return max(self._leaves(latest) - now, paced)

    def take(self, now: float, ticket: int, cost: float = 1.0) -> None:
        if self.began is None:
            self.began = now
        if self.margin > MARGIN and now - self.widened > CALM * self.rate.per:
            self.margin, self.widened = max(self.margin / 2, MARGIN), now
        if gap := self._gap:
            earliest = now - (AT_ONCE - 1) * gap
            self.due = gap * cost + (earliest if self.due is None else max(self.due, earliest))
        self.used += cost
        entries = self.entries
        together = self.rate.per / MOST_ENTRIES if len(entries) >= MOST_ENTRIES else 0.0
        if entries and now - entries[-1].first <= together:
            entries[-1].last = max(now, entries[-1].last)
            entries[-1].units += cost
        else:
            entries.append(Entry(now, now, cost, ticket))

    def arrived(
        self, ticket: int, answered: float, *, sent: float, began: float | None, late: float, cost: float = 1.0
    ) -> None:
        """Count a request from when it may have arrived at the latest, within bounds.

        That is when it was really `sent`, and `late`: the time by which its answer took longer than others. One of its process's
        first window counts from its answer: connections opened at once take their time.
        """
        entry = self._entry(ticket)
        if entry is None:
            return
        began = self.began if began is None else began
        first = began is not None and sent <= began + self.rate.per
        moment = min(answered, sent + MOST_DELAY * self.rate.per) if first else sent + late
        if moment > entry.last:  # the others still count from when they were sent
            units = min(cost, entry.units)
            entry.units -= units
            insort(self.late, Entry(entry.first, moment, units, ticket), key=_LAST)

    def correct(self, ticket: int, difference: float) -> None:
        """A request turned out to cost more, or less, than was taken for it."""
        entry = next((late for late in self.late if late.ticket == ticket), None) or self._entry(ticket)
        if entry is not None:
            entry.units = max(entry.units + difference, 0.0)
            self.used = max(self.used + difference, 0.0)

    @property
    def full(self) -> bool:
        """Whether it is (nearly) used up, so that a refusal now is a matter of timing, not of a wrong rate."""
        return self.used * 10 >= self.rate.amount * 8

    def widen(self, now: float) -> None:
        """The server counted differently: keep further away from its edge for a while."""
        self.margin, self.widened = min(self.margin * 2, WIDEST_MARGIN), now

    @property
    def _gap(self) -> float:
        """Seconds from one paced request to the next; 0 where they are not paced."""
        distance = self.rate.per / self.rate.amount
        return distance * PACE if self.rate.per <= PACED_WITHIN and distance < PACED_BELOW else 0.0

    def _entry(self, ticket: int) -> Entry | None:
        index = bisect_right(self.entries, ticket, key=lambda entry: entry.ticket) - 1
        return self.entries[index] if index >= 0 else None

    def _forget(self, now: float) -> None:
        for entries in (self.entries, self.late):
            gone = 0
            for entry in entries:
                if self._leaves(entry.last) > now:
                    break
                self.used -= entry.units
                gone += 1
            del entries[:gone]
        if not self.entries and not self.late:
            self.used = 0.0

    def _leaves(self, sent: float) -> float:
        return sent + self.rate.per + min(self.margin * self.rate.per, LONGEST_MARGIN)


class Bucket(msgspec.Struct, tag="bucket"):
    """At most `burst` units at once, refilled evenly at the rate (the generic cell rate algorithm, ITU-T I.371)."""

    rate: Rate
    burst: int
    margin: float = MARGIN
    full_at: float | None = None

    @property
    def _interval(self) -> float:
        return self.rate.per / self.rate.amount * (1 + self.margin)

    def ready_in(self, now: float, cost: float = 1.0) -> float:
        if self.full_at is None:
            return 0.0
        ahead = self.full_at - now - (self.burst - min(cost, self.burst)) * self._interval
        return ahead if ahead > TINY else 0.0

    def take(self, now: float, ticket: int, cost: float = 1.0) -> None:
        self.full_at = (now if self.full_at is None else max(self.full_at, now)) + cost * self._interval

    def arrived(
        self, ticket: int, answered: float, *, sent: float, began: float | None, late: float, cost: float = 1.0
    ) -> None:
        """Evenly spaced requests need no correction."""

    def correct(self, ticket: int, difference: float) -> None:
        if self.full_at is not None:
            self.full_at += difference * self._interval

    @property
    def full(self) -> bool:
        return True

    def widen(self, now: float) -> None:
        self.margin = min(self.margin * 2, WIDEST_MARGIN)


class Guess(msgspec.Struct):
    """A limit that the API never tells, learned from what it accepted before it refused.

    It is tried for more now and then: in growing steps while that is accepted, ever more rarely where it is refused.
    """

    log: SlidingLog
    good: int
    since: float
    patience: int = 5
    growth: float = 0.05

    MOST_PATIENCE = 512
    MOST_GROWTH = 0.2

    @classmethod
    def of(cls, rate: Rate, now: float) -> Guess:
        return cls(log=SlidingLog(rate), good=rate.amount, since=now)

    @property
    def rate(self) -> Rate:
        return self.log.rate

    def ready_in(self, now: float, cost: float = 1.0) -> float:
        if now - self.since >= self.patience * self.rate.per:
            self.good = self.rate.amount
            self._become(self.good + max(1, int(self.good * self.growth)), now)
            self.growth = min(self.growth * 2, self.MOST_GROWTH)
        return self.log.ready_in(now, cost)

    def take(self, now: float, ticket: int, cost: float = 1.0) -> None:
        self.log.take(now, ticket, cost)

    def refused(self, now: float) -> None:
        """Back to what was known to be accepted; where that itself is refused, to three quarters of it."""
        if self.rate.amount <= self.good:
            self.good = max(1, self.good * 3 // 4)
        else:
            if self.growth <= 0.1:  # the first step already was too much
                self.patience = min(self.patience * 4, self.MOST_PATIENCE)
            self.growth = 0.05
        self._become(self.good, now)

    def _become(self, amount: int, now: float) -> None:
        self.log.rate = Rate(amount, self.rate.per)
        self.since = now


class Quota(msgspec.Struct):
    """What the API says is left: until it starts afresh at `resets_at`, or refilled by `restore` units a second."""

    resource: str = ""
    limit: float | None = None
    remaining: float = 0.0
    resets_at: float | None = None
    restore: float | None = None
    told_at: float = 0.0
    newest: int = -1

    def tell(
        self,
        ticket: int,
        now: float,
        *,
        sent_since: float,
        remaining: float,
        reset: float | None,
        limit: float | None,
        restore: float | None = None,
    ) -> None:
        """An answer to request `ticket` came; what was sent after it, `sent_since` units, is not in its count yet."""
        left = max(remaining - sent_since, 0.0)
        if restore:
            if ticket >= self.newest:
                self.remaining, self.told_at, self.resets_at = left, now, None
        elif reset is not None:
            started_afresh = self.resets_at is None or now + reset > self.resets_at + 1.5
            self.remaining = left if ticket > self.newest or started_afresh else min(self.remaining, left)
            self.resets_at = now + reset
        self.newest = max(self.newest, ticket)
        self.limit, self.restore = limit, restore

    def ready_in(self, now: float, cost: float = 1.0) -> float | None:
        """Seconds until `cost` more may be sent; None until an answer tells more."""
        if self.limit:
            cost = min(cost, self.limit)
        if self.restore:
            left = self.remaining + (now - self.told_at) * self.restore
            return max((cost - left) / self.restore, 0.0) if cost - left > TINY else 0.0
        if self.remaining >= cost:
            return 0.0
        if self.resets_at is None:
            return None
        if now < self.resets_at:
            return self.resets_at - now
        self.remaining, self.resets_at = max(self.limit or 1, cost), None
        return 0.0

    def take(self, cost: float = 1.0) -> None:
        self.remaining -= cost
