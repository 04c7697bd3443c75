"""The rate limiter's layer: a queue in front of the rule, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta
from math import inf

import msgspec

from syncline.errors import DeferredError
from syncline.events import LimitLearned, Waiting, emit
from syncline.http.send import Send
from syncline.model import Clock, Request, Response
from syncline.resilience import Hold, Limiter, Told

WORTH_SAYING = 1.0


class Limiting(msgspec.Struct, frozen=True, kw_only=True):
    limiter: Limiter
    max_wait: float


def limited(send: Send, rule: Limiting, clock: Clock) -> Send:
    """Wait for the limiter's leave, send, and tell it what the answer's headers say."""
    gate = Gate(rule, clock)

    async def sending(request: Request) -> Response:
        ticket = await gate.enter(request)
        response: Response | None = None
        try:
            response = await send(request)
            return response
        finally:
            gate.leave(ticket, response)

    return sending


class Gate:
    """Callers wait in line; only the first of them asks the limiter and sleeps."""

    def __init__(self, rule: Limiting, clock: Clock) -> None:
        self._limiter, self._max_wait, self._clock = rule.limiter, rule.max_wait, clock
        self._line: deque[asyncio.Future[None]] = deque()
        self._answer = asyncio.Event()

    async def enter(self, request: Request) -> int:
        """The ticket to send with. Raises DeferredError where the wait would be longer than allowed."""
        now = self._clock.monotonic()
        if not self._line and not self._limiter.hold(now).seconds:
            return self._limiter.sent(now)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            if self._line[0] is not turn:
                await turn
            while (hold := self._limiter.hold(self._clock.monotonic())).seconds:
                await self._wait(hold, request)
            return self._limiter.sent(self._clock.monotonic())
        finally:
            self._line.remove(turn)
            if self._line and not self._line[0].done():
                self._line[0].set_result(None)

    def leave(self, ticket: int, response: Response | None) -> None:
        for lesson in self._limiter.answered(ticket, response, self._clock.monotonic(), self._clock.now()):
            emit(_learned(lesson))
        self._answer.set()

    async def _wait(self, hold: Hold, request: Request) -> None:
        if hold.seconds == inf:
            self._answer.clear()
            await self._answer.wait()
            return
        until = self._clock.now() + timedelta(seconds=hold.seconds)
        if hold.seconds > self._max_wait:
            raise DeferredError(
                f"{request.shown} has to wait until {until:%Y-%m-%d %H:%M:%S} UTC: {hold.reason}",
                until=until,
                retry_after=hold.seconds,
                hint="run again then; or raise retry.max_wait to wait within the run",
            )
        if hold.seconds >= WORTH_SAYING:
            emit(Waiting(seconds=hold.seconds, reason=hold.reason, until=until))
        await self._clock.sleep(hold.seconds)


def _learned(lesson: Told | str) -> LimitLearned:
    if isinstance(lesson, str):
        return LimitLearned(source="answer", detail=lesson)
    detail = ", ".join(
        f"{name} {value:g}"
        for name, value in (
            ("limit", lesson.limit),
            ("window", lesson.window),
            ("remaining", lesson.remaining),
            ("reset in", lesson.reset),
        )
        if value is not None
    )
    return LimitLearned(source=lesson.source, detail=detail)
