"""The limits that the API keeps to, in the three ways that servers count."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from syncline.model import Rate
from syncline.resilience import Limits

Way = Literal["fixed window", "sliding window", "token bucket"]
WAYS: tuple[Way, ...] = ("fixed window", "sliding window", "token bucket")

Count = Callable[[float], float | None]
"""Given the time: None, and the request is counted; or the seconds until the next will be accepted."""


def fixed_window(rate: Rate, offset: float = 0.37) -> Count:
    """So many within each window of the server's own clock, which nobody else knows; `offset` moves its edges."""
    window, used = -1, 0

    def count(now: float) -> float | None:
        nonlocal window, used
        current = int((now + offset) // rate.per)
        if current != window:
            window, used = current, 0
        if used < rate.amount:
            used += 1
            return None
        return (window + 1) * rate.per - offset - now

    return count


def sliding_window(rate: Rate) -> Count:
    """So many within any span of that length."""
    log: deque[float] = deque()

    def count(now: float) -> float | None:
        while log and log[0] + rate.per <= now:
            log.popleft()
        if len(log) < rate.amount:
            log.append(now)
            return None
        return log[0] + rate.per - now

    return count


def token_bucket(rate: Rate) -> Count:
    """So many at once, and then as many as flow in."""
    tokens, at = float(rate.amount), 0.0

    def count(now: float) -> float | None:
        nonlocal tokens, at
        tokens = min(rate.amount, tokens + (now - at) * rate.amount / rate.per)
        at = now
        if tokens >= 1:
            tokens -= 1
            return None
        return (1 - tokens) * rate.per / rate.amount

    return count


COUNTING: dict[Way, Callable[[Rate], Count]] = {
    "fixed window": fixed_window,
    "sliding window": sliding_window,
    "token bucket": token_bucket,
}


class Quota:
    """All limits of an API at once. `refusals` counts the requests that were too many."""

    def __init__(self, limits: Limits, way: Way) -> None:
        self.way = way
        self.rates: tuple[Rate, ...] = limits.limits
        self._counts = [COUNTING[way](rate) for rate in limits.limits]
        self.refusals = 0

    def take(self, now: float) -> float | None:
        """None where the request is within the limits, or the seconds to wait."""
        waits = [wait for count in self._counts if (wait := count(now)) is not None]
        if not waits:
            return None
        self.refusals += 1
        return max(waits)


class Highest(msgspec.Struct):
    """The highest rate that was seen against one limit."""

    rate: Rate
    most: int = 0
    """Requests within any span of the limit's length."""


def highest_rates(limits: Limits, times: list[float]) -> list[Highest]:
    """What was asked at most within each limit's span; `times` ascending, in seconds."""
    found = []
    for rate in limits.limits:
        first, most = 0, 0
        for last, moment in enumerate(times):
            while times[first] <= moment - rate.per:
                first += 1
            most = max(most, last - first + 1)
        found.append(Highest(rate, most))
    return found
