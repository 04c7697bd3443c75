"""The limits that the API keeps to, in the three ways that servers count."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from syncline.model import Rate
from syncline.resilience import Limits

Way = Literal["fixed window", "sliding window", "token bucket"]
WAYS: tuple[Way, ...] = ("fixed window", "sliding window", "token bucket")


class Count(Protocol):
    """One limit. Times are seconds on any clock; `amount` requests in any `per` of them."""

    amount: int
    per: float

    def __call__(self, now: float) -> float | None:
        """None, and the request is counted; or the seconds until the next will be accepted."""
        ...

    def left(self, now: float) -> tuple[int, float]:
        """How many requests are left, and the seconds until there are more."""
        ...


class FixedWindow:
    """So many within each window of the server's own clock, which nobody else knows; `offset` moves its edges."""

    def __init__(self, amount: int, per: float, offset: float = 0.37) -> None:
        self.amount, self.per, self._offset = amount, per, offset
        self._window, self._used = -1, 0

    def __call__(self, now: float) -> float | None:
        window = int((now + self._offset) // self.per)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used < self.amount:
            self._used += 1
            return None
        return self.left(now)[1]

    def left(self, now: float) -> tuple[int, float]:
        return self.amount - self._used, (self._window + 1) * self.per - self._offset - now


class SlidingWindow:
    """So many within any span of that length."""

    def __init__(self, amount: int, per: float) -> None:
        self.amount, self.per = amount, per
        self._log: deque[float] = deque()

    def __call__(self, now: float) -> float | None:
        while self._log and self._log[0] + self.per <= now:
            self._log.popleft()
        if len(self._log) < self.amount:
            self._log.append(now)
            return None
        return self._log[0] + self.per - now

    def left(self, now: float) -> tuple[int, float]:
        return self.amount - len(self._log), self._log[0] + self.per - now if self._log else 0.0


class TokenBucket:
    """So many at once (`size`; default: the whole amount), and then as many as flow in."""

    def __init__(self, amount: int, per: float, size: int | None = None) -> None:
        self.amount, self.per, self.size = amount, per, size or amount
        self._tokens, self._at = float(self.size), 0.0

    def __call__(self, now: float) -> float | None:
        self._tokens = min(self.size, self._tokens + (now - self._at) * self.amount / self.per)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        return (1 - self._tokens) * self.per / self.amount

    def left(self, now: float) -> tuple[int, float]:
        return int(self._tokens), max(0.0, 1 - self._tokens) * self.per / self.amount


COUNTING: dict[Way, Callable[[int, float], Count]] = {
    "fixed window": FixedWindow,
    "sliding window": SlidingWindow,
    "token bucket": TokenBucket,
}
Telling = Literal["nothing", "seconds", "epoch", "policy"]
TELLING: tuple[Telling, ...] = ("nothing", "seconds", "epoch", "policy")
"""How an API tells what is left: not at all, X-RateLimit-* with seconds or a moment, or RateLimit (IETF)."""


class Quota:
    """All limits of an API at once. `refusals` counts the requests that were too many."""

    def __init__(self, limits: Limits, way: Way, telling: Telling = "nothing") -> None:
        self.way, self.telling = way, telling
        self.rates: tuple[Rate, ...] = limits.limits
        self._counts = [COUNTING[way](rate.amount, rate.per) for rate in limits.limits]
        if (bursting := _bursting(limits)) is not None:
            rate = limits.limits[bursting]
            self._counts[bursting] = TokenBucket(rate.amount, rate.per, limits.burst)
        self.refusals = 0

    def take(self, now: float) -> float | None:
        """None where the request is within the limits, or the seconds to wait."""
        waits = [wait for count in self._counts if (wait := count(now)) is not None]
        if not waits:
            return None
        self.refusals += 1
        return max(waits)

    def headers(self, now: float, skew: float = 0.0) -> dict[str, str]:
        """What the API tells of the limit that is nearest; moments by its own clock, which is `skew` seconds ahead."""
        if not self._counts or self.telling == "nothing":
            return {}
        (left, seconds), count = min(((count.left(now), count) for count in self._counts), key=lambda each: each[0])
        if self.telling == "policy":
            return {
                "RateLimit-Policy": f'"default";q={count.amount};w={max(1, round(count.per))}',
                "RateLimit": f'"default";r={left};t={int(seconds) + 1}',
            }
        reset = int(seconds) + 1 if self.telling == "seconds" else int(now + skew + seconds) + 1
        told = {"Limit": count.amount, "Remaining": left, "Reset": reset}
        return {f"X-RateLimit-{name}": str(value) for name, value in told.items()}


class Highest(msgspec.Struct):
    """The highest rate that was seen against one limit."""

    rate: Rate
    allowed: int
    """Requests that may lie within any span of the limit's length: its amount, and what a burst may add."""
    most: int = 0
    """Requests within any span of the limit's length."""


def highest_rates(limits: Limits, times: list[float]) -> list[Highest]:
    """What was asked at most within each limit's span; `times` ascending, in seconds."""
    found, bursting = [], _bursting(limits)
    for place, rate in enumerate(limits.limits):
        first, most = 0, 0
        for last, moment in enumerate(times):
            while times[first] <= moment - rate.per:
                first += 1
            most = max(most, last - first + 1)
        allowed = rate.amount + ((limits.burst or 0) if place == bursting else 0)
        found.append(Highest(rate, allowed, most))
    return found


def _bursting(limits: Limits) -> int | None:
    """Which limit is an API's bucket, where the file names a burst: that of the shortest span."""
    rates = limits.limits
    return min(range(len(rates)), key=lambda place: rates[place].per) if rates and limits.burst else None
