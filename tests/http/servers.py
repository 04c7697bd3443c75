"""Simulated servers with a rate limit, as three kinds of real ones count it, and answers for tests."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import format_datetime

from syncline.model import Request, Response
from syncline.rehearsal.simulator.quota import Count as Counter, FixedWindow, SlidingWindow, TokenBucket
from tests.http.timeline import Timeline


def answer(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"{}", url: str = "https://api.test/"
) -> Response:
    return Response(status=status, headers=Response.headers_of(headers or {}), body=body, url=url)


fixed_window, sliding_window, token_bucket = FixedWindow, SlidingWindow, TokenBucket


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
