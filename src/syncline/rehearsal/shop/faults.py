"""What goes wrong in the practice shop, and when: decided by the seed and the request's number alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from random import Random
from typing import Literal

import msgspec

from syncline.model import Rate

Fault = Literal["limited", "drop", "error", "revoked"]


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """The switches. `…_every` is the length of a block of requests in which the fault comes once; 0 is never.

    `rate` is the real limit, counted in fixed windows. `limited_every` answers 429 all the same: another app of the
    same account has used the quota up. `revoke_every` ends an access token long before its time.
    `announce` puts the state of the limit on every answer instead of on the refused ones only.
    """

    rate: Rate | None = Rate(20, 1.0)
    limited_every: int = 30
    error_every: int = 25
    drop_every: int = 40
    revoke_every: int = 20
    announce: bool = False

    @classmethod
    def none(cls) -> Faults:
        return cls(rate=None, limited_every=0, error_every=0, drop_every=0, revoke_every=0)


class Schedule:
    """Which fault meets which request. Requests count from 0; at most one fault meets a request."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._blocks: tuple[tuple[Fault, int], ...] = (
            ("revoked", faults.revoke_every),
            ("limited", faults.limited_every),
            ("drop", faults.drop_every),
            ("error", faults.error_every),
        )
        self._seed = seed

    def fault(self, number: int) -> Fault | None:
        for name, every in self._blocks:
            if every and number % every == self._place(name, number // every, every):
                return name
        return None

    def drops_midway(self, number: int) -> bool:
        """Whether the connection that is dropped at this request drops within the answer rather than before it."""
        return self._draw("midway", number).random() < 0.5

    def _place(self, name: str, block: int, every: int) -> int:
        return self._draw(name, block).randrange(every)

    def _draw(self, name: str, number: int) -> Random:
        return Random(zlib.crc32(f"{self._seed}/{name}/{number}".encode()))  # noqa: S311  (faults, not secrets)


class Window:
    """A rate limit as many APIs have it: a counter that starts again with every window."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._window = -1
        self._used = 0

    def take(self, now: float) -> bool:
        """Count one request at `now` (monotonic seconds); False where the window is used up."""
        if self._current(now) != self._window:
            self._window, self._used = self._current(now), 0
        if self._used >= self._rate.amount:
            return False
        self._used += 1
        return True

    def headers(self, now: float, *, refused: bool) -> Iterator[tuple[str, str]]:
        """The limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
        reset = max(1, -(-((self._window + 1) * self._rate.per - now) // 1))
        left = 0 if refused else self._rate.amount - self._used
        yield "RateLimit-Policy", f'"default";q={self._rate.amount};w={self._rate.per:g}'
        yield "RateLimit", f'"default";r={left};t={reset:.0f}'

    def _current(self, now: float) -> int:
        return int(now // self._rate.per)
