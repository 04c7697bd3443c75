"""A request's way, with a simulated network at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, Literal

import pytest

from syncline.auth import Auth
from syncline.auth.auth import Steps
from syncline.errors import (
    AuthError,
    BodyError,
    BrokenBodyError,
    CircuitOpenError,
    ClientError,
    DeferredError,
    ForbiddenError,
    RateLimitedError,
    RequestError,
    ServerError,
    TransportError,
)
from syncline.events import CircuitChanged, Event, RequestSent, RetryScheduled, TokenObtained, Waiting, listening
from syncline.http import Client, Connection, decode_json_body
from syncline.http.tokens import Kept
from syncline.model import Request, Response, Secret, Token
from tests.http.servers import answer
from tests.http.timeline import Timeline

BASE = "https://api.test/v1"
LATENCY = 0.05


class Tokened(Auth):
    """An auth whose token lives for ten minutes."""

    kind: Literal["tokened"] = "tokened"
    token_url: str = "https://login.test/token"

    @property
    def needs_token(self) -> bool:
        return True

    def fresh(self, token: Token, monotonic: float) -> bool:
        return token.fresh(monotonic, 60.0)

    def sign(self, request: Request, token: Token | None, now: Any) -> Request:
        assert token is not None
        return request.with_headers({"Authorization": Secret(f"Bearer {token.access.reveal()}"), "X-Signed": str(now)})

    def obtain(self, current: Token | None, now: Any, monotonic: float, challenge: Response | None) -> Steps:
        response = yield Request(method="POST", url=self.token_url, repeatable=True)
        if response.status >= 400:
            raise AuthError("the authorisation server refused", status=response.status)
        return Token(access=Secret(response.body.decode()), expires_at=monotonic + 600)


class Network:
    """Answers in the order given, for ever the last; remembers what it was sent and when."""

    def __init__(self, clock: Timeline, *answers: Response | Exception | Callable[[Request], Response]) -> None:
        self.clock, self.answers = clock, list(answers)
        self.sent: list[Request] = []
        self.times: list[float] = []

    async def __call__(self, request: Request) -> Response:
        self.sent.append(request)
        self.times.append(self.clock.elapsed)
        await self.clock.sleep(LATENCY)
        result = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(result, Exception):
            raise result
        return result(request) if callable(result) else result


class TokenNetwork(Network):
    """An API that accepts only the newest of the tokens that it gives out."""

    def __init__(self, clock: Timeline) -> None:
        super().__init__(clock, answer())
        self.given = 0
        self.revoked = False

    async def __call__(self, request: Request) -> Response:
        self.sent.append(request)
        await self.clock.sleep(LATENCY)
        if "token" in request.url:
            await self.clock.sleep(LATENCY)
            self.given += 1
            return answer(200, body=f"secret-token-{self.given}".encode())
        shown = request.headers["Authorization"]
        assert isinstance(shown, Secret)
        good = shown.reveal() == f"Bearer secret-token-{self.given}" and not self.revoked
        return answer(200 if good else 401, body=b'{"error": "bad token"}')


@pytest.fixture
def clock() -> Timeline:
    return Timeline()


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    events: list[Event] = []
    with listening(lambda scope, event: events.append(event)):
        yield events


async def send(
    clock: Timeline, network: Any, requests: int = 1, method: str = "GET", **configuration: Any
) -> list[Any]:
    """Send so many requests at once; give their answers or errors."""
    options = {
        name: configuration.pop(name) for name in ("decode", "json", "retry_on", "headers") if name in configuration
    }
    auth = configuration.pop("auth", None)
    connection = Connection(base_url=BASE, **configuration).model_copy(update={"auth": auth})

    async def everything() -> list[Any]:
        async with connection.connect(clock=clock, transport=network, chance=lambda: 1.0) as client:
            work = (client.send(client.request(method, "/x", **options)) for _ in range(requests))
            return await asyncio.gather(*work, return_exceptions=True)

    return await clock.run(everything())


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_success_is_given_back(clock, heard):
    network = Network(clock, answer(200, {"X-Request-Id": "r-1"}, b'{"a": 1}'))
    (response,) = await send(clock, network, decode=decode_json_body)
    assert response.document == {"a": 1}
    (event,) = of(heard, RequestSent)
    assert (event.url, event.status, event.attempt, event.size, event.request_id) == (f"{BASE}/x", 200, 1, 8, "r-1")


async def test_a_stumble_is_repeated_and_told(clock, heard):
    network = Network(clock, answer(503), TransportError("silence"), BrokenBodyError("half"), answer())
    (response,) = await send(clock, network)
    assert response.status == 200
    assert [request.attempt for request in network.sent] == [1, 2, 3, 4]
    assert [event.reason for event in of(heard, RetryScheduled)] == ["status 503", "silence", "half"]
    assert [later - earlier - LATENCY for earlier, later in zip(network.times, network.times[1:], strict=False)] == [
        pytest.approx(1.0),
        pytest.approx(2.0),
        pytest.approx(4.0),
    ]


async def test_the_last_failure_says_how_often_it_was_tried(clock):
    (error,) = await send(
        clock, Network(clock, answer(503, body=b'{"error": {"code": "E7", "message": "down for tea"}}'))
    )
    assert isinstance(error, ServerError)
    assert error.what == "GET https://api.test/v1/x answered 503 Service Unavailable after 5 attempts"
    assert error.evidence == "E7: down for tea"
    assert error.status == 503


@pytest.mark.parametrize("seconds", [1, 7, 300])
async def test_r13_retry_after_is_never_undercut(clock, heard, seconds):
    network = Network(clock, answer(429, {"Retry-After": str(seconds)}), answer())
    (response,) = await send(clock, network)
    assert response.status == 200
    assert seconds <= network.times[1] - LATENCY <= seconds * 1.01
    assert of(heard, Waiting)[0].seconds == seconds


async def test_r13_a_date_is_kept_by_the_servers_clock(clock):
    there = clock.now() + timedelta(minutes=10)
    headers = {
        "Date": format_datetime(there, usegmt=True),
        "Retry-After": format_datetime(there + timedelta(seconds=20), usegmt=True),
    }
    network = Network(clock, answer(503, headers), answer())
    await send(clock, network)
    assert network.times[1] - LATENCY == pytest.approx(20)


async def test_r13_a_day_is_deferred_with_the_time(clock):
    network = Network(clock, answer(429, {"Retry-After": "86400"}))
    errors = await send(clock, network, requests=3)
    for error in errors:
        assert isinstance(error, DeferredError)
        assert error.exit_code == 6
        assert (error.until - clock.start).total_seconds() == pytest.approx(86_400, abs=1)
    assert clock.elapsed < 1


async def test_r14_a_post_is_sent_once_where_its_effect_is_unknown(clock):
    network = Network(clock, answer(500))
    (error,) = await send(clock, network, method="POST", json={})
    assert isinstance(error, ServerError)
    assert len(network.sent) == 1


async def test_r14_a_post_with_a_key_is_repeated_with_the_same_key(clock):
    network = Network(clock, answer(500), answer())
    await send(clock, network, method="POST", json={}, headers={"Idempotency-Key": "k"})
    assert [request.headers["Idempotency-Key"] for request in network.sent] == ["k", "k"]


async def test_r14_an_ailing_api_is_not_buried(clock):
    requests = 1_000
    flaky = iter(range(10**9))
    network = Network(clock, lambda request: answer(500 if next(flaky) % 2 else 200))
    results = await send(clock, network, requests=requests)
    assert len(network.sent) - requests <= requests / 10 + 10 + clock.elapsed
    spent = [error for error in results if isinstance(error, ServerError)]
    assert "retry budget" in spent[0].cause


async def test_with_a_tenth_of_faults_nothing_is_lost(clock):
    """The simulation of the plan: 2,000 requests, 10 % server faults, a limit of 50 a second."""
    import random

    chance = random.Random(3)
    network = Network(clock, lambda request: answer(500 if chance.random() < 0.1 else 200))
    results = await send(clock, network, requests=2_000, rate_limit="50/s")
    assert sum(isinstance(result, Exception) for result in results) == 0


async def test_r15_nothing_is_sent_while_open_and_one_probe_of_a_hundred(clock, heard):
    network = Network(clock, answer(500))
    connection = Connection(base_url=BASE, retry={"attempts": 1})

    async def everything() -> None:
        async with connection.connect(clock=clock, transport=network) as client:

            async def hundred() -> list[Any]:
                return await asyncio.gather(
                    *(client.send(client.request("GET", "/x")) for _ in range(100)), return_exceptions=True
                )

            for _ in range(5):
                with pytest.raises(ServerError):
                    await client.send(client.request("GET", "/x"))
            assert len(network.sent) == 5
            errors = await hundred()
            assert all(isinstance(error, CircuitOpenError) for error in errors)
            assert "answered 500" in errors[0].evidence
            assert len(network.sent) == 5
            await clock.sleep(30)
            await hundred()
            assert len(network.sent) == 6
            await clock.sleep(30.1)
            network.answers = [answer()]
            await hundred()
            assert len(network.sent) == 7
            assert [response.status for response in await hundred()] == [200] * 100

    await clock.run(everything())
    assert [event.state for event in of(heard, CircuitChanged)] == ["open", "half_open", "open", "half_open", "closed"]


async def test_r15_a_429_never_opens_the_circuit(clock, heard):
    network = Network(clock, *[answer(429, {"Retry-After": "1"})] * 30, answer())
    await send(clock, network, retry={"attempts": 50})
    assert len(network.sent) == 31
    assert of(heard, CircuitChanged) == []


async def test_r9_fifty_requests_find_the_token_expired_and_one_gets_the_next(clock, heard):
    network = TokenNetwork(clock)
    connection = Connection(base_url=BASE).model_copy(update={"auth": Tokened()})

    async def everything() -> None:
        async with connection.connect(clock=clock, transport=network) as client:

            async def fifty() -> list[Response]:
                return await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(50)))

            await fifty()
            assert network.given == 1
            await clock.sleep(541)  # a minute before it ends
            await fifty()
            assert network.given == 2
            network.given += 1  # now every token that we know of is refused
            await fifty()
            assert network.given == 4

    await clock.run(everything())
    assert [event.reason for event in of(heard, TokenObtained)] == ["first use", "it ran out", "the API refused it"]


async def test_r9_a_caller_that_gives_up_does_not_take_the_token_from_the_others(clock):
    network = TokenNetwork(clock)
    connection = Connection(base_url=BASE).model_copy(update={"auth": Tokened()})

    async def everything() -> list[Any]:
        async with connection.connect(clock=clock, transport=network) as client:
            tasks = [asyncio.create_task(client.send(client.request("GET", "/x"))) for _ in range(3)]
            await clock.sleep(0.01)
            tasks[0].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = await clock.run(everything())
    assert isinstance(first, asyncio.CancelledError)
    assert [response.status for response in others] == [200, 200]
    assert network.given == 1


async def test_r10_a_token_revoked_for_good_is_one_refresh_then_a_credentials_error(clock):
    network = TokenNetwork(clock)
    network.revoked = True
    (error,) = await send(clock, network, auth=Tokened())
    assert isinstance(error, AuthError)
    assert error.exit_code == 4
    assert error.evidence == "bad token"
    assert len(network.sent) == 4, "token, request, token, request"


async def test_every_attempt_is_signed_afresh(clock):
    network = TokenNetwork(clock)
    api: list[Request] = []

    async def flaky(request: Request) -> Response:
        response = await network(request)
        if "token" not in request.url:
            api.append(request)
            return answer(503) if len(api) < 3 else response
        return response

    await send(clock, flaky, auth=Tokened())
    assert len({request.headers["X-Signed"] for request in api}) == 3


async def test_an_ailing_token_endpoint_is_retried_once_over_not_squared(clock, heard):
    network = Network(clock, answer(503))
    (error,) = await send(clock, network, auth=Tokened())
    assert isinstance(error, ServerError)
    assert len(network.sent) == 5
    assert of(heard, CircuitChanged) == []


async def test_a_token_endpoint_without_tls_gets_nothing(clock):
    network = Network(clock, answer())
    (error,) = await send(clock, network, auth=Tokened(token_url="http://login.test/token"))
    assert isinstance(error, AuthError)
    assert network.sent == []


async def test_a_store_keeps_the_token_before_it_is_used(clock):
    class Store:
        kept: ClassVar[list[Kept]] = [Kept()]
        held = asyncio.Lock()

        def alone(self) -> asyncio.Lock:
            return self.held

        async def load(self) -> Kept:
            return self.kept[-1]

        async def save(self, kept: Kept) -> Kept:
            await clock.sleep(0.2)
            self.kept.append(kept)
            return kept

    network = TokenNetwork(clock)
    connection = Connection(base_url=BASE).model_copy(update={"auth": Tokened()})

    async def use(times: int) -> None:
        async with connection.connect(clock=clock, transport=network, tokens=Store()) as client:
            await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(times)))

    async def everything() -> None:
        await asyncio.gather(use(5), use(5), use(5))  # as three processes would
        assert network.given == 1
        assert len(Store.kept) == 2

    await clock.run(everything())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ClientError),
        (401, AuthError),
        (403, ForbiddenError),
        (404, ClientError),
        (410, ClientError),
        (422, ClientError),
        (429, RateLimitedError),
        (501, ServerError),
        (304, ClientError),
        (599, ServerError),
    ],
)
async def test_every_status_has_its_error_and_something_to_do(clock, status, kind):
    (error,) = await send(clock, Network(clock, answer(status, body=b'{"message": "because"}')), retry={"attempts": 1})
    assert type(error) is kind
    assert error.hint
    assert error.status == status
    assert error.evidence == "because"
    assert len(error.block().splitlines()) <= 12


async def test_r17_a_broken_answer_is_asked_for_again(clock):
    network = Network(
        clock, answer(body=b'{"a": [1, 2'), answer(body=b"<html><title>Sorry</title>"), answer(body=b""), answer()
    )
    (response,) = await send(clock, network, decode=decode_json_body)
    assert response.document == {}
    assert len(network.sent) == 4


async def test_r19_a_bottomless_document_is_refused_at_once(clock):
    network = Network(clock, answer(body=b"[" * 5_000 + b"]" * 5_000))
    (error,) = await send(clock, network, decode=decode_json_body)
    assert type(error) is BodyError
    assert len(network.sent) == 1


async def test_credentials_that_a_server_echoes_are_not_shown(clock):
    def echo(request: Request) -> Response:
        return answer(400, body=f"you sent {request.headers['X-Key'].reveal()}".encode())

    async def everything() -> RequestError:
        connection = Connection(base_url=BASE, headers={"X-Key": Secret("canary-12345")})
        async with connection.connect(clock=clock, transport=Network(clock, echo)) as client:
            with pytest.raises(ClientError) as caught:
                await client.send(client.request("GET", "/x"))
            return caught.value

    error = await clock.run(everything())
    assert error.evidence == "you sent ***"


async def test_the_client_is_what_sources_expect():
    connection = Connection(base_url=BASE, params={"v": "2"})
    async with connection.connect(transport=Network(Timeline(), answer())) as client:
        assert isinstance(client, Client)
        request = client.request("get", "orders", params={"ids": [1, 2], "gone": None, "flag": True, "q": "ä b"})
        assert request.method == "GET"
        assert request.target == f"{BASE}/orders?ids=1&ids=2&flag=true&q=%C3%A4+b"
