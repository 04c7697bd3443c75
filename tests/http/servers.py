"""APIs with a rate limit, as three kinds of real ones count it, on a real server or on a clock; and answers for tests."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import partial

from syncline.model import Request, Response
from syncline.rehearsal.simulator.faults import Fault
from syncline.rehearsal.simulator.quota import Count as Counter, FixedWindow, SlidingWindow, TokenBucket
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from tests.http.timeline import Timeline
from tests.support.faulty import Faulty


def answer(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"{}", url: str = "https://api.test/"
) -> Response:
    return Response(status=status, headers=Response.headers_of(headers or {}), body=body, url=url)


fixed_window, sliding_window, token_bucket = FixedWindow, SlidingWindow, TokenBucket


class PlainApi(Faulty):
    """For real servers: the same to everybody, within what `counter` allows and with the simulator's faults.

    `seen` are the status of each answer (0: it did not go out whole) and when its request came.
    """

    def __init__(self, *faults: Fault, counter: Counter | None = None) -> None:
        super().__init__(*faults)
        self._counter = counter
        self.seen: list[tuple[int, float]] = []

    def handle(self, call: Call, now: datetime) -> Answer:
        at = time.monotonic()
        found = self.under_faults(call, now, partial(self._counted, at))
        self.seen.append((found.status if found.ending == "whole" else 0, at))
        return found.but(headers=(*found.headers, ("Date", format_datetime(now, usegmt=True))))

    def _counted(self, now: float) -> Answer:
        wait = self._counter(now) if self._counter else None
        if wait is None:
            return answered({"text": "long enough to drip for a minute, and for a while more than that"})
        return refused(429, "too_many_requests", "slow down", {"Retry-After": str(math.ceil(wait))})

    def times(self, *statuses: int) -> list[float]:
        """When the requests came that were answered with one of these, or all."""
        return [at for status, at in self.seen if not statuses or status in statuses]


class LimitedServer:
    """Accepts what its counter allows, answers 429 otherwise; remembers when it did which."""

    def __init__(
        self,
        clock: Timeline,
        counter: Counter,
        *,
        latency: float = 0.02,
        jitter: Callable[[], float] = lambda: 0.0,
        tells: Callable[[float], dict[str, str]] | None = None,
    ) -> None:
        self.clock, self.counter, self.latency, self.jitter, self.tells = clock, counter, latency, jitter, tells
        self.accepted: list[float] = []
        self.refused: list[float] = []

    async def __call__(self, request: Request) -> Response:
        await self.clock.sleep(self.latency / 2 + self.jitter())
        now = self.clock.monotonic()
        wait = self.counter(now)
        (self.accepted if wait is None else self.refused).append(now - 1_000.0)
        headers = {"Date": format_datetime(self.clock.now(), usegmt=True)}
        if self.tells is not None:
            headers |= self.tells(wait or 0.0)
        await self.clock.sleep(self.latency / 2)
        return answer(200 if wait is None else 429, headers, url=request.url)
