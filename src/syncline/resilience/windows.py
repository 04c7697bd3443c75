"""How many in how long: the two ways of counting that the limiter joins. Times are monotonic seconds."""

from __future__ import annotations

from collections import deque

from syncline.model import Rate

MARGIN = 0.009
"""Share by which a window is longer here than there: requests do not all travel equally fast."""
FIRST_DELAY = 0.25
"""Share of the window by which a request of the first window may arrive late, because it opens its connection."""
WIDEST_MARGIN = 0.05
LONGEST_MARGIN = 1.0
MOST_ENTRIES = 1_000
USUAL = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)


def usual(seconds: float) -> float:
    """The window that people write when they mean one that was measured a little longer."""
    return next((window for window in USUAL if window <= seconds <= window * 1.1), seconds)


class SlidingLog:
    """At most `amount` in any `per` seconds, exactly; beyond a thousand entries neighbours are counted at their later time.

    The exact log draws no refusal from fixed windows, sliding windows and token buckets alike, and uses the whole rate.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.margin = MARGIN
        self._entries: deque[list[float]] = deque()  # [first, last, count]
        self._used = 0
        self._began: float | None = None
        self._first: dict[int, list[float]] = {}  # entries of the first window, by ticket

    def ready_in(self, now: float) -> float:
        """Seconds until one more may be sent; 0 for at once."""
        entries = self._entries
        while entries and self._leaves(entries[0][1]) <= now:
            self._used -= int(entries.popleft()[2])
        return 0.0 if self._used < self.rate.amount else self._leaves(entries[0][1]) - now

    def take(self, now: float, ticket: int) -> None:
        if self._began is None:
            self._began = now
        self._used += 1
        entries = self._entries
        if len(entries) >= MOST_ENTRIES and now - entries[-1][0] < self.rate.per / MOST_ENTRIES:
            entries[-1][1] = now
            entries[-1][2] += 1
        else:
            entries.append([now, now, 1])
            if now <= self._began + self.rate.per:
                self._first[ticket] = entries[-1]

    def answered(self, ticket: int, now: float) -> None:
        """A request of the first window reached the server by `now`: it is counted from then, within bounds.

        Many connections opened at once take their time; without this, the second window's requests come too early.
        """
        entry = self._first.pop(ticket, None)
        if entry is not None:
            entry[1] = max(entry[1], min(now, entry[0] + FIRST_DELAY * self.rate.per))

    @property
    def full(self) -> bool:
        """Whether it is (nearly) used up, so that a refusal now is a matter of timing, not of a wrong rate."""
        return self._used * 10 >= self.rate.amount * 8

    def widen(self) -> None:
        """The server counted differently: keep further away from its edge."""
        self.margin = min(self.margin * 2, WIDEST_MARGIN)

    def _leaves(self, sent: float) -> float:
        return sent + self.rate.per + min(self.margin * self.rate.per, LONGEST_MARGIN)


class Bucket:
    """At most `burst` at once, refilled evenly at the rate (the generic cell rate algorithm, ITU-T I.371)."""

    def __init__(self, rate: Rate, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.margin = MARGIN
        self._full_at = 0.0
        self._started = False

    @property
    def _interval(self) -> float:
        return self.rate.per / self.rate.amount * (1 + self.margin)

    def ready_in(self, now: float) -> float:
        if not self._started:
            return 0.0
        ahead = self._full_at - now - (self.burst - 1) * self._interval
        return ahead if ahead > 1e-9 else 0.0

    def take(self, now: float, ticket: int) -> None:
        self._full_at = (max(self._full_at, now) if self._started else now) + self._interval
        self._started = True

    def answered(self, ticket: int, now: float) -> None:
        """Evenly spaced requests need no correction."""

    @property
    def full(self) -> bool:
        return True

    def widen(self) -> None:
        self.margin = min(self.margin * 2, WIDEST_MARGIN)


class Guess:
    """A limit that the API never tells, learned from what it accepted before it refused.

    It is tried for more now and then, ever more rarely where that is refused.
    """

    PATIENCE = 8
    MOST_PATIENCE = 512

    def __init__(self, rate: Rate, now: float) -> None:
        self.log = SlidingLog(rate)
        self._good = rate.amount
        self._patience = self.PATIENCE
        self._since = now

    @property
    def rate(self) -> Rate:
        return self.log.rate

    def ready_in(self, now: float) -> float:
        if now - self._since >= self._patience * self.rate.per:
            self._good = self.rate.amount
            self._become(self._good + max(1, self._good // 20), now)
        return self.log.ready_in(now)

    def take(self, now: float, ticket: int) -> None:
        self.log.take(now, ticket)

    def refused(self, now: float) -> None:
        """Back to what was known to be accepted; where that itself is refused, to three quarters of it."""
        if self.rate.amount <= self._good:
            self._good = max(1, self._good * 3 // 4)
        else:
            self._patience = min(self._patience * 4, self.MOST_PATIENCE)
        self._become(self._good, now)

    def _become(self, amount: int, now: float) -> None:
        self.log.rate = Rate(amount, self.rate.per)
        self._since = now


class Quota:
    """What the API says is left, until it starts afresh."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.remaining = 0
        self.resets_at: float | None = None
        self._newest = -1

    def tell(
        self, ticket: int, now: float, *, sent_since: int, remaining: int, reset: float, limit: int | None
    ) -> None:
        """An answer to request `ticket` came; `sent_since` requests after it are not in its count yet."""
        left = max(remaining - sent_since, 0)
        started_afresh = self.resets_at is None or now + reset > self.resets_at + 1.5
        self.remaining = left if ticket > self._newest or started_afresh else min(self.remaining, left)
        self._newest = max(self._newest, ticket)
        self.limit = limit
        self.resets_at = now + reset

    def ready_in(self, now: float) -> float | None:
        """Seconds until one more may be sent; None until an answer tells more."""
        if self.remaining > 0:
            return 0.0
        if self.resets_at is None:
            return None
        if now < self.resets_at:
            return self.resets_at - now
        self.remaining, self.resets_at = self.limit or 1, None
        return 0.0

    def take(self) -> None:
        self.remaining -= 1
