"""How many requests may be under way in this process: as the file says, or as many as the API bears."""

from __future__ import annotations

START = 10.0
MOST = 100.0
LEAST_FOR_SLOWNESS = 4.0
SLOW_FACTOR = 2.0
SLOW_SECONDS = 0.1
FORGETTING = 1.0005
"""By how much the usual latency may rise with each answer."""


class Concurrency:
    """Additive increase, multiplicative decrease (RFC 5681, 3.1): doubled every round trip until the first trouble.

    A refusal or a 5xx halves it, latency that has doubled takes a tenth, each at most once a round trip. With `most` it is
    fixed; `adaptive=False` without `most` means that the file documents a rate, which is enough.
    """

    def __init__(self, most: int | None, *, adaptive: bool) -> None:
        self.in_flight = 0
        self.adaptive = adaptive and most is None
        self.limit = float(most) if most is not None else START if adaptive else float("inf")
        self._growing_fast = True
        self._sent = 0
        self._cut_at = 0
        self._full_at = 0  # the newest request with which nothing was free any more
        self._usual = 0.0
        self._recent = 0.0

    @property
    def free(self) -> int:
        """How many more may go now."""
        free = min(self.limit, 1e9) - self.in_flight
        return int(free) if free > 0 else 0

    @property
    def full(self) -> bool:
        """Whether nothing more may go now."""
        return self.limit - self.in_flight < 1.0

    def sent(self) -> int:
        self.in_flight += 1
        self._sent += 1
        if self.full:
            self._full_at = self._sent
        return self._sent

    def answered(self, number: int, seconds: float | None, *, trouble: bool) -> None:
        """The request with this `number` ended after `seconds` (None: nobody knows how)."""
        self.in_flight -= 1
        if not self.adaptive or seconds is None:
            return
        if trouble:
            self._cut(number, 0.5, least=1.0)
            return
        self._usual = min(self._usual * FORGETTING, seconds) if self._usual else seconds
        self._recent += (seconds - self._recent) * 0.2 if self._recent else seconds
        if self._recent > self._usual * SLOW_FACTOR + SLOW_SECONDS:
            self._cut(number, 0.9, least=LEAST_FOR_SLOWNESS)
        elif number <= self._full_at:
            self.limit = min(self.limit + (1.0 if self._growing_fast else 1.0 / self.limit), MOST)

    def _cut(self, number: int, factor: float, least: float) -> None:
        self._growing_fast = False
        if number > self._cut_at:
            self._cut_at = self._sent
            self.limit = max(self.limit * factor, min(least, self.limit))
