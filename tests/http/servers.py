"""Simulated servers with a rate limit, as three kinds of real ones count it, and answers for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from email.utils import format_datetime

from syncline.model import Request, Response
from tests.http.timeline import Timeline


def answer(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"{}", url: str = "https://api.test/"
) -> Response:
    return Response(status=status, headers=Response.headers_of(headers or {}), body=body, url=url)


Counter = Callable[[float], float | None]
"""Given the time: None, the request is accepted; or seconds until the next will be."""


def fixed_window(amount: int, per: float, offset: float = 0.37) -> Counter:
    state = {"window": -1, "used": 0}

    def count(now: float) -> float | None:
        window = int((now + offset) // per)
        if window != state["window"]:
            state["window"], state["used"] = window, 0
        if state["used"] < amount:
            state["used"] += 1
            return None
        return (window + 1) * per - offset - now

    return count


def sliding_window(amount: int, per: float) -> Counter:
    log: deque[float] = deque()

    def count(now: float) -> float | None:
        while log and log[0] + per <= now:
            log.popleft()
        if len(log) < amount:
            log.append(now)
            return None
        return log[0] + per - now

    return count


def token_bucket(amount: int, per: float) -> Counter:
    state = {"tokens": float(amount), "at": 0.0}

    def count(now: float) -> float | None:
        state["tokens"] = min(amount, state["tokens"] + (now - state["at"]) * amount / per)
        state["at"] = now
        if state["tokens"] >= 1:
            state["tokens"] -= 1
            return None
        return (1 - state["tokens"]) * per / amount

    return count


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
