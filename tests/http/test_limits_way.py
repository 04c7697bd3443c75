"""The limiter and the breaker on a request's way: what counts, what waits, and what is not sent after all."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from syncline.errors import CircuitOpenError, RateLimitedError
from syncline.http import Connection
from syncline.model import Request, Response
from tests.http.servers import answer
from tests.http.test_layers import Tokened
from tests.http.timeline import Timeline


async def test_a_resend_with_a_renewed_token_waits_for_the_limit_too():
    clock = Timeline()
    sent: list[float] = []
    tokens = 0

    async def server(request: Request) -> Response:
        nonlocal tokens
        await clock.sleep(0.01)
        if request.url.startswith("https://login.test"):
            tokens += 1
            return answer(body=b"token-%d" % tokens, url=request.url)
        sent.append(clock.elapsed)
        fine = request.headers["Authorization"].reveal() == "Bearer token-2"
        return answer(200 if fine else 401, url=request.url)

    connection = Connection(base_url="https://api.test", rate_limit="1/10s").model_copy(update={"auth": Tokened()})

    async def everything() -> None:
        async with connection.connect(clock=clock, transport=server) as client:
            await client.send(client.request("GET", "/x"))

    await clock.run(everything())
    assert len(sent) == 2
    assert 10.0 <= sent[1] - sent[0] <= 10.2


async def test_r12_requests_that_waited_for_a_token_together_do_not_all_go_when_it_comes():
    clock = Timeline()
    sent: list[float] = []

    async def server(request: Request) -> Response:
        if request.url.startswith("https://login.test"):
            await clock.sleep(3.0)
            return answer(body=b"token-2", url=request.url)
        sent.append(clock.elapsed)
        await clock.sleep(0.01)
        return answer(200, url=request.url)

    connection = Connection(base_url="https://api.test", rate_limit="5/s").model_copy(update={"auth": Tokened()})

    async def everything() -> None:
        async with connection.connect(clock=clock, transport=server) as client:
            await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(20)))

    await clock.run(everything())
    assert len(sent) == 20
    assert all(sixth - first >= 1.0 for first, sixth in zip(sent, sent[5:], strict=False)), sent


async def test_r15_those_who_wait_for_the_limit_are_not_sent_when_the_circuit_opens_meanwhile():
    clock = Timeline()
    sent: list[float] = []

    async def server(request: Request) -> Response:
        sent.append(clock.elapsed)
        await clock.sleep(0.01)
        return answer(503, url=request.url)

    connection = Connection(base_url="https://api.test", rate_limit="1/s", retry={"attempts": 1})

    async def everything() -> list[object]:
        async with connection.connect(clock=clock, transport=server) as client:
            return await asyncio.gather(
                *(client.send(client.request("GET", "/x")) for _ in range(20)), return_exceptions=True
            )

    outcomes = await clock.run(everything())
    assert len(sent) == 5
    assert sum(isinstance(outcome, CircuitOpenError) for outcome in outcomes) == 15


async def test_paths_with_a_quota_of_their_own_do_not_hold_up_the_others():
    clock = Timeline()
    sent: list[tuple[str, float]] = []

    async def server(request: Request) -> Response:
        sent.append((request.url.removeprefix("https://api.test"), clock.elapsed))
        return answer(url=request.url)

    limits = {"limits": ["100/s"], "quotas": [{"path": "/search*", "limits": ["1/min"]}]}

    async def everything() -> None:
        async with Connection(base_url="https://api.test", rate_limit=limits).connect(
            clock=clock, transport=server
        ) as client:
            paths = ["/search", "/search", "/search", "/orders", "/orders", "/orders"]
            await asyncio.gather(*(client.send(client.request("GET", path)) for path in paths))

    await clock.run(everything())
    assert [moment for path, moment in sent if path == "/orders"] == [0, 0, 0]
    searches = [moment for path, moment in sent if path == "/search"]
    assert all(60 <= later - earlier <= 61.1 for earlier, later in pairwise(searches))


async def test_a_throttled_answer_with_status_200_makes_everybody_wait():
    clock = Timeline()
    sent: list[float] = []

    async def server(request: Request) -> Response:
        sent.append(clock.elapsed)
        await clock.sleep(0.01)
        return answer(url=request.url)

    def decode(response: Response) -> object:
        if len(sent) == 1:
            raise RateLimitedError("the GraphQL API is throttling", status=429)
        return {}

    async def everything() -> None:
        async with Connection(base_url="https://api.test").connect(
            clock=clock, transport=server, chance=lambda: 0.0
        ) as client:
            first = asyncio.create_task(client.send(client.request("GET", "/x", decode=decode)))
            await clock.sleep(0.1)
            await asyncio.gather(first, client.send(client.request("GET", "/x", decode=decode)))

    await clock.run(everything())
    assert len(sent) == 3
    assert all(moment >= 1.0 for moment in sent[1:])


async def test_a_streams_cost_is_taken_from_the_window():
    clock = Timeline()
    sent: list[float] = []

    async def server(request: Request) -> Response:
        sent.append(clock.elapsed)
        return answer(url=request.url)

    async def everything() -> None:
        async with Connection(base_url="https://api.test", rate_limit="10/s").connect(
            clock=clock, transport=server
        ) as client:
            for _ in range(6):
                await client.send(client.request("GET", "/x", cost=4))

    await clock.run(everything())
    assert [int(moment) for moment in sent] == [0, 0, 1, 1, 2, 2]


async def test_the_number_under_way_adapts_to_an_api_that_breaks_down_under_load():
    clock = Timeline()
    under_way, most, failed = 0, 0, 0

    async def server(request: Request) -> Response:
        nonlocal under_way, most, failed
        under_way += 1
        most = max(most, under_way)
        busy = under_way > 20
        failed += busy
        await clock.sleep(0.1)
        under_way -= 1
        return answer(503 if busy else 200, url=request.url)

    connection = Connection(
        base_url="https://api.test", retry={"attempts": 20, "budget": 1.0}, circuit_breaker={"failures": 1000}
    )

    async def everything() -> None:
        async with connection.connect(clock=clock, transport=server, chance=lambda: 0.1) as client:
            await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(2_000)))

    await clock.run(everything())
    assert most <= 45
    assert failed <= 400, "2,000 at once would have met 1,980 failures, and 100 at once 80 in 100"
