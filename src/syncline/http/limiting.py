"""The rate limiter's layers: a queue in front of the rules, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from datetime import datetime, timedelta
from itertools import islice
from math import inf

import msgspec

from syncline.errors import DeferredError, RateLimitedError, RequestError
from syncline.events import LimitLearned, QuotaLeft, Waiting, emit
from syncline.http.keeping import Keeper
from syncline.http.send import Send
from syncline.model import Clock, Request, Response
from syncline.resilience import GO, Concurrency, Hold, Limits, Load, Ticket, Told, rate_limited

WORTH_SAYING = 1.0
SAY_AFTER = 5.0
"""Seconds after which a wait is told of whose end nobody knows; most are over by then."""
STALE = 0.02
"""Seconds after which a leave that was not used is no longer one."""
MOST_AT_ONCE = 10
LEASE_SECONDS = 0.1
"""By one look at a shared memory as many requests are let through as the rate allows in this time, ten at most."""
TELL_WITHIN = 0.1
"""Seconds within which an answer is told to a shared memory that nobody asks meanwhile; a refusal is told at once."""
LOOK_AGAIN = 0.25
"""Seconds after which to look whether another process has found out what is waited for."""

_busy = Hold(inf, "as many requests are under way as are allowed")


class Leave(msgspec.Struct):
    """A request's ticket, its number among those under way, and when it went on this process's clock."""

    ticket: Ticket
    number: int
    began: float


_leave: ContextVar[Leave | None] = ContextVar("_leave", default=None)


def limited(send: Send, gate: Gate, clock: Clock) -> Send:
    """Wait for the limiter's leave; `counted`, further in, uses it."""

    async def sending(request: Request) -> Response:
        leave = gate.let_through(request) or await gate.enter(request)
        token = _leave.set(leave)
        try:
            return await send(request)
        finally:
            unused = _leave.get()
            _leave.reset(token)
            if unused is not None:
                gate.leave(unused, None)

    return sending


async def ready(gate: Gate, request: Request, clock: Clock) -> Leave:
    """Have leave in hand, and wait for it where it is used up or too old.

    Whoever signs asks for it first: a signature has a time and a count in it, and must not stand in line.
    """
    leave = _leave.get()
    if leave is not None and clock.monotonic() - leave.began > STALE:
        gate.leave(leave, None)
        leave = None
    if leave is None:
        leave = gate.let_through(request) or await gate.enter(request)
        _leave.set(leave)
    return leave


def counted(send: Send, gate: Gate, clock: Clock) -> Send:
    """Send with the leave that was given, or wait for another: credentials that were renewed cost a second request, and
    requests that waited for a token together would all go at once when it comes.

    The limiter is told what the answer says. A throttled answer that came with status 200 is a refusal as well.
    """

    async def sending(request: Request) -> Response:
        leave = _leave.get()
        if leave is None or clock.monotonic() - leave.began > STALE:
            leave = await ready(gate, request, clock)
        _leave.set(None)
        response: Response | None = None
        failed = False
        try:
            response = await send(request)
            return response
        except RateLimitedError as error:
            after = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:.3f}"}
            response = Response(status=429, headers=Response.headers_of(after), body=b"", url=request.url)
            raise
        except RequestError:
            failed = True
            raise
        finally:
            gate.leave(leave, response if gate.one_quota else gate.seen(response), failed=failed)

    return sending


NO_HEADERS = Response.headers_of({})


class Waiter(msgspec.Struct, eq=False):
    """A request in line. `turn` is done when it is the first, or has been let through; `hold` is known where the look that let
    those before it through has found it too.
    """

    load: Load
    turn: asyncio.Future[None]
    leave: Leave | None = None
    hold: Hold | None = None
    saying: asyncio.Task[None] | None = None


class Answered(msgspec.Struct, frozen=True):
    """An answer that the memory has not been told yet."""

    ticket: Ticket
    response: Response | None
    at: float
    wall: datetime


class Gate:
    """Callers wait in line, one line for each quota; only the first of a line asks and sleeps."""

    def __init__(self, keeper: Keeper, rule: Limits, max_wait: float, clock: Clock) -> None:
        self._keeper, self._max_wait, self._clock = keeper, max_wait, clock
        self.limiters = keeper.conduct.limiters
        adaptive = not rule.limits and not any(quota.limits for quota in rule.quotas)
        self.concurrency = Concurrency(rule.concurrency, adaptive=adaptive)
        self.one_quota = True
        self.left: float | None = None
        self.at_once = 1
        if not keeper.alone:
            rate = min((rate.amount / rate.per for rate in rule.limits), default=inf)
            self.at_once = int(max(1.0, min(MOST_AT_ONCE, rate * LEASE_SECONDS)))
        self._lines: dict[int, deque[Waiter]] = {}
        self.answers: deque[Answered] = deque()
        self._telling: set[asyncio.Task[None]] = set()
        self._answer = asyncio.Event()

    @property
    def lead(self) -> float:
        """Seconds by which a ticket may be for later than now."""
        return self._keeper.lead

    def seen(self, response: Response | None) -> Response | None:
        """What the limiter may learn from: where each key has a quota of its own, one that is used up says nothing of all."""
        if response is None:
            return response
        return msgspec.structs.replace(
            response, headers=NO_HEADERS, status=200 if response.status == 429 else response.status
        )

    def let_through(self, request: Request) -> Leave | None:
        """The leave to send where nobody is in line and nobody else counts, which is what most requests find; None: get in line."""
        if not self._keeper.alone or self.concurrency.full:
            return None
        load, now = self.limiters.load(request), self._keeper.now()
        if self._lines.get(load.quota) or self.limiters.hold(now, load, self.concurrency.in_flight).seconds > 0:
            return None
        return Leave(self.limiters.sent(now, load), self.concurrency.sent(), self._clock.monotonic())

    async def enter(self, request: Request) -> Leave:
        """The leave to send, in its turn. Raises DeferredError where the wait would be longer than allowed."""
        load = self.limiters.load(request)
        line = self._lines.setdefault(load.quota, deque())
        waiter = Waiter(load, asyncio.get_running_loop().create_future())
        line.append(waiter)
        try:
            if line[0] is not waiter:
                await waiter.turn
            while waiter.leave is None:
                hold = waiter.hold or await self._ask(line)
                waiter.hold = None
                if waiter.leave is None:
                    await self._wait(hold, request, waiter)
            _call_next(line)
            if (early := waiter.leave.ticket.sent - self._keeper.now()) > 0:
                await self._clock.sleep(early)
            leave, waiter.leave = waiter.leave, None
            leave.ticket.sent, leave.began = self._keeper.now(), self._clock.monotonic()
            return leave
        finally:
            if waiter.saying is not None:
                waiter.saying.cancel()
            if waiter.leave is not None:  # let through, and gone in the same moment
                self.leave(waiter.leave, None)
            if waiter in line:
                line.remove(waiter)
                _call_next(line)

    def leave(self, leave: Leave, response: Response | None, *, failed: bool = False) -> None:
        """The request's end: its answer, or None where none came or it was never sent."""
        refused = False
        if response is not None and response.status >= 400:
            refused = response.status >= 500 or rate_limited(response)
        seconds = self._clock.monotonic() - leave.began if response is not None or failed else None
        self.concurrency.answered(leave.number, seconds, trouble=refused or failed)
        self._answer.set()
        now, wall = self._keeper.now(), self._clock.now()
        if self._keeper.alone:
            self.tell(self.limiters.answered(leave.ticket, response, now, wall))
            return
        self.answers.append(Answered(leave.ticket, response, now, wall))
        if refused or not self._telling:
            task = asyncio.create_task(self._tell(0.0 if refused else TELL_WITHIN))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def tell(self, lessons: list[Told | str]) -> None:
        """Say what answers taught, and what the API says is left where that changed."""
        for lesson in lessons:
            emit(_learned(lesson))
        left = self.limiters.left
        if left is not None and left != self.left:
            self.left = left
            emit(QuotaLeft(ratio=left))

    async def close(self) -> None:
        """Tell what is still to be told."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        if self.answers:
            turn = Turn(self, deque())
            await self._keeper.change(turn.step, turn.counts)

    async def _tell(self, seconds: float) -> None:
        if seconds:
            await self._clock.sleep(seconds)
        if self.answers:
            turn = Turn(self, deque())
            await self._keeper.change(turn.step, turn.counts)

    async def _ask(self, line: deque[Waiter]) -> Hold:
        """Let through as many of the line as may go now; why the next one has to wait."""
        if self.concurrency.full:
            return _busy
        turn = Turn(self, line)
        if self._keeper.alone:
            await self._keeper.change(turn.step, turn.counts)
        else:  # shielded: whoever gives up must not leave the others' tickets behind
            await asyncio.shield(asyncio.create_task(self._keeper.change(turn.step, turn.counts)))
        return turn.hold

    async def _wait(self, hold: Hold, request: Request, waiter: Waiter) -> None:
        if hold.seconds == inf:
            if waiter.saying is None:
                waiter.saying = asyncio.create_task(self._say(hold.reason))
            self._answer.clear()
            if self._keeper.alone:
                await self._answer.wait()
            else:
                await self._look_again()
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
        # half the lead is for the look itself; several permits then lie within the whole of it
        await self._clock.sleep(max(hold.seconds - self.lead / 2, 0.0))

    async def _say(self, reason: str) -> None:
        await self._clock.sleep(SAY_AFTER)
        emit(Waiting(reason=reason))

    async def _look_again(self) -> None:
        """Until an answer comes here, or one may have come to another process."""
        answer = asyncio.create_task(self._answer.wait())
        pause = asyncio.create_task(self._clock.sleep(LOOK_AGAIN))
        try:
            await asyncio.wait((answer, pause), return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()
            pause.cancel()


def _call_next(line: deque[Waiter]) -> None:
    if line and not line[0].turn.done():
        line[0].turn.set_result(None)


class Turn:
    """One look at the memory: all answers are told, and some of the line let through. What it did holds once it counts."""

    def __init__(self, gate: Gate, line: deque[Waiter]) -> None:
        self.hold = GO
        self._gate, self._line = gate, line
        self._told: list[Answered] = []
        self._batch: list[Waiter] = []
        self._tickets: list[Ticket] = []
        self._lessons: list[Told | str] = []

    def step(self, now: float) -> bool:
        gate, limiters = self._gate, self._gate.limiters
        self._told = list(gate.answers)
        self._lessons = [
            lesson
            for answer in self._told
            for lesson in limiters.answered(answer.ticket, answer.response, answer.at, answer.wall)
        ]
        self._batch = list(islice(self._line, min(gate.at_once, gate.concurrency.free)))
        self._tickets = []
        self.hold = GO if self._batch else _busy
        for waiter in self._batch:
            self.hold = limiters.hold(now, waiter.load, gate.concurrency.in_flight + len(self._tickets))
            if self.hold.seconds > gate.lead:
                break
            self._tickets.append(limiters.sent(now + self.hold.seconds, waiter.load))
        return bool(self._told or self._tickets)

    def counts(self) -> None:
        gate = self._gate
        for _ in self._told:
            gate.answers.popleft()
        for waiter, ticket in zip(self._batch, self._tickets, strict=False):
            leave = Leave(ticket, gate.concurrency.sent(), 0.0)
            if waiter in self._line:
                self._line.remove(waiter)
                waiter.leave = leave
                if not waiter.turn.done():
                    waiter.turn.set_result(None)
            else:  # gave up while the memory was asked
                gate.leave(leave, None)
        let_through = len(self._tickets)
        if 0 < let_through < len(self._batch) and self.hold.seconds < inf:
            self._batch[let_through].hold = self.hold
        gate.tell(self._lessons)


def _learned(lesson: Told | str) -> LimitLearned:
    if isinstance(lesson, str):
        return LimitLearned(source="answer", detail=lesson)
    detail = ", ".join(
        f"{name} {value:g}"
        for name, value in (
            ("limit", lesson.limit),
            ("window", lesson.window),
            ("remaining", lesson.remaining),
            ("restored a second", lesson.restore),
            ("reset in", lesson.reset),
        )
        if value is not None
    )
    return LimitLearned(source=lesson.source, detail=detail)
