"""A request's way, as one list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec

from syncline.errors import BrokenBodyError, CircuitOpenError, DeferredError, RequestError, ServerError, TransportError
from syncline.events import CircuitChanged, RequestSent, RetryScheduled, Waiting, emit
from syncline.http.authorising import Authorising, authorised
from syncline.http.keeping import Keeper
from syncline.http.limiting import WORTH_SAYING, Gate, counted, limited
from syncline.http.send import Send
from syncline.http.snippets import conceal
from syncline.http.status import status_error
from syncline.model import Clock, Request, Response, Secret
from syncline.resilience import Again, Breaker, Retry, RetryBudget


class Retrying(msgspec.Struct, frozen=True, kw_only=True):
    retry: Retry
    budget: RetryBudget
    chance: Callable[[], float]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the layers decide by, outermost first."""

    retrying: Retrying
    keeper: Keeper
    gate: Gate
    authorising: Authorising
    secrets: Callable[[], Iterable[Secret]]
    """Every secret value in use now."""


def layered(transport: Send, rules: Rules, clock: Clock) -> Send:
    """The whole way of a request; read it from top to bottom. Why in this order: see docs/how-to/requests.md."""
    way: list[tuple[Callable[[Send, Any, Clock], Send], Any]] = [
        (retried, rules.retrying),
        (screened, rules.keeper),
        (limited, rules.gate),
        (guarded, rules.keeper),
        (authorised, rules.authorising),
        (counted, rules.gate),
        (decoded, None),
        (observed, rules.secrets),
    ]
    send = transport
    for layer, rule in reversed(way):
        send = layer(send, rule, clock)
    return send


def retried(send: Send, rule: Retrying, clock: Clock) -> Send:
    """Send again where that helps and harms nobody; the last failure is raised with the number of attempts."""

    async def sending(request: Request) -> Response:
        while True:
            response: Response | None = None
            error: RequestError | None = None
            try:
                response = await send(request)
                if rule.retry.is_content(request, response):
                    again = None
                else:
                    again = rule.retry.after_answer(request, response, clock.now(), rule.chance())
            except RequestError as failure:
                error = failure
                again = rule.retry.after_error(request, failure, rule.chance())
            if request.attempt == 1:
                rule.budget.earn()
            if again is None or (again.spends and not rule.budget.spend(clock.monotonic())):
                return _final(request, response, error, rule.retry, exhausted=again is not None)
            if again.seconds > rule.retry.max_wait:
                raise _deferred(request, response, again, clock)
            emit(RetryScheduled(attempt=request.attempt + 1, seconds=again.seconds, reason=again.reason))
            if again.seconds >= WORTH_SAYING:
                until = clock.now() + timedelta(seconds=again.seconds)
                emit(Waiting(seconds=again.seconds, reason=again.reason, until=until))
            await clock.sleep(again.seconds)
            request = msgspec.structs.replace(request, attempt=request.attempt + 1)

    return sending


def _final(
    request: Request, response: Response | None, error: RequestError | None, retry: Retry, *, exhausted: bool
) -> Response:
    """An answer that is nobody's failure is given back; a failure that was worth attempts is raised."""
    if error is None:
        assert response is not None
        if response.status < 400 or response.status not in retry.statuses or response.status in request.final_on:
            return response
        error = status_error(request, response, attempts=request.attempt)
    elif error.retryable and "attempts" not in error.where:
        error.at(attempts=request.attempt)
    if exhausted:
        error.cause = f"not repeated: the retry budget of {retry.budget:.0%} of the requests is used up"
    raise error


def _deferred(request: Request, response: Response | None, again: Again, clock: Clock) -> DeferredError:
    until = clock.now() + timedelta(seconds=again.seconds)
    return DeferredError(
        f"{request.shown} asks to come back at {until:%Y-%m-%d %H:%M:%S} UTC",
        until=until,
        status=response.status if response else None,
        retry_after=again.seconds,
        evidence=f"{again.reason}: {again.seconds:.0f} s",
        hint="run again then, the checkpoint is kept; or raise retry.max_wait to wait within the run",
        request_id=response.request_id if response else None,
    )


def screened(send: Send, keeper: Keeper, clock: Clock) -> Send:
    """Refuse at once while the circuit is open, before anything is waited for."""

    breaker = keeper.conduct.breaker

    async def sending(request: Request) -> Response:
        if breaker.state == "closed":
            return await send(request)
        if breaker.refuses(keeper.now()) and not keeper.alone:  # another process may have found out more
            await keeper.change(lambda now: False, _nothing)
        if breaker.refuses(keeper.now()):
            raise _open(request, breaker, keeper.now())
        return await send(request)

    return sending


def guarded(send: Send, keeper: Keeper, clock: Clock) -> Send:
    """Send nothing while the circuit is open, and one probe when its time has come: also if it opened during the wait."""
    breaker = keeper.conduct.breaker

    async def told(change: Callable[[float], object]) -> None:
        before = breaker.state

        def step(now: float) -> bool:
            change(now)
            return True

        await keeper.change(step, lambda: _tell(before, breaker))
        if breaker.state not in (before, "half_open"):
            await keeper.circuit_changed()

    async def admitted(request: Request) -> int:
        tickets: list[int | None] = [None]

        def admit(now: float) -> None:
            tickets[0] = breaker.admit(now)

        await told(admit)
        if tickets[0] is None:
            raise _open(request, breaker, keeper.now())
        return tickets[0]

    async def sending(request: Request) -> Response:
        ticket = breaker.circuit.era if breaker.untroubled else await admitted(request)
        try:
            response = await send(request)
        except (TransportError, BrokenBodyError, ServerError) as error:
            what = error.what
            if "attempts" in error.where:  # the token endpoint's failure, not this API's
                await told(lambda now: breaker.abandoned(ticket))
            else:
                await told(lambda now: breaker.failed(ticket, now, what))
            raise
        except BaseException:
            if not (breaker.untroubled and breaker.circuit.era == ticket):
                await asyncio.shield(told(lambda now: breaker.abandoned(ticket)))
            raise
        if response.status >= 500 and response.status not in request.final_on:
            await told(lambda now: breaker.failed(ticket, now, f"{request.shown} answered {response.status}"))
        elif not (breaker.untroubled and breaker.circuit.era == ticket):
            await told(lambda now: breaker.succeeded(ticket))
        return response

    return sending


def _nothing() -> None:
    """What to do when a step counts that only looked."""


def _tell(before: str, breaker: Breaker) -> None:
    if breaker.state != before:
        emit(CircuitChanged(state=breaker.state, reason=breaker.last_failure))


def _open(request: Request, breaker: Breaker, now: float) -> CircuitOpenError:
    seconds = breaker.opens_in(now)
    moment = f"the next probe goes in {seconds:.0f} s" if seconds else "one probe is under way"
    return CircuitOpenError(
        f"{request.shown} was not sent: the circuit is open; {moment}",
        retry_after=seconds,
        evidence=f"last failure: {breaker.last_failure}",
        cause=f"the API failed {breaker.rule.failures} times in a row, all attempts counted",
        hint="run again when the API is well; the checkpoint is kept",
    )


def decoded(send: Send, rule: None, clock: Clock) -> Send:
    """Read the document of a successful answer within the attempt, so that a broken one is asked for again."""

    async def sending(request: Request) -> Response:
        response = await send(request)
        if request.decode is None or not 200 <= response.status < 300:
            return response
        try:
            return msgspec.structs.replace(response, document=request.decode(response))
        except RequestError as error:
            raise error.at(request=request.shown, request_id=response.request_id) from None

    return sending


def legible(send: Send, retry: Retry, clock: Clock) -> Send:
    """Take a token that cannot be read for one that broke on its way, while there are attempts left; the last tells more."""
    from syncline.auth.token_endpoint import read_answer  # late: needed where there is a token endpoint

    async def sending(request: Request) -> Response:
        response = await send(request)
        if response.status == 200 and request.attempt < retry.attempts and not read_answer(response):
            raise BrokenBodyError(
                f"{request.shown} answered 200 without a document", status=200, evidence="a token was expected"
            )
        return response

    return sending


def observed(send: Send, secrets: Callable[[], Iterable[Secret]], clock: Clock) -> Send:
    """Tell whoever listens about each attempt and its answer, whose own name must not be a secret of ours sent back."""

    async def sending(request: Request) -> Response:
        began = clock.monotonic()
        url = request.url.partition("?")[0]
        try:
            response = await send(request)
        except RequestError as error:
            seconds = clock.monotonic() - began
            emit(
                RequestSent(
                    method=request.method,
                    url=url,
                    status=error.status or 0,
                    attempt=request.attempt,
                    seconds=seconds,
                    size=0,
                    error=error.what,
                )
            )
            raise
        request_id = response.request_id
        if request_id and conceal(request_id, secrets()) != request_id:
            request_id, response = None, msgspec.structs.replace(response, headers=Response.headers_of({}))
        emit(
            RequestSent(
                method=request.method,
                url=url,
                status=response.status,
                attempt=request.attempt,
                seconds=clock.monotonic() - began,
                size=len(response.body),
                request_id=request_id,
            )
        )
        return response

    return sending
