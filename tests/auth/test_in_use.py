"""Auths on the request's way: renewed, in turn, and never somewhere else."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from syncline.errors import AuthError, DeferredError, RateLimitedError
from syncline.http import Connection
from syncline.http.send import Send
from syncline.model import Request, Response, Secret, reveal
from syncline.resilience import Retry
from tests.support.clock import SimulatedClock

BASE = "https://api.example/v1"


def say(request: Request, status: int, body: bytes = b"{}", **headers: str) -> Response:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=Response.headers_of(pairs), body=body, url=request.url)


def connection(auth: dict[str, Any]) -> Connection:
    return Connection.model_validate({"base_url": BASE, "auth": auth, "retry": {"attempts": 2, "max_wait": "1s"}})


ROTATE = {"kind": "rotate", "auths": [{"kind": "bearer", "token": Secret(f"k{n}")} for n in range(3)]}


def counting(answers: dict[str, int], asked: list[str]) -> Send:
    """An API that answers each key with its status."""

    async def send(request: Request) -> Response:
        key = reveal(request.headers["Authorization"]).removeprefix("Bearer ")
        asked.append(key)
        return say(request, answers[key], Retry_After="3600") if answers[key] == 429 else say(request, answers[key])

    return send


async def test_keys_are_used_in_turn_within_one_attempt() -> None:
    asked: list[str] = []
    send = counting({"k0": 429, "k1": 401, "k2": 200}, asked)
    async with connection(ROTATE).connect(clock=SimulatedClock(), transport=send) as client:
        for _ in range(2):
            assert (await client.send(client.request("GET", "/orders"))).status == 200
    assert asked == ["k0", "k1", "k2", "k2"]


async def test_keys_that_are_all_refused_end_the_request() -> None:
    asked: list[str] = []
    send = counting({"k0": 401, "k1": 401, "k2": 401}, asked)
    async with connection(ROTATE).connect(clock=SimulatedClock(), transport=send) as client:
        with pytest.raises(AuthError, match="the renewed ones too"):
            await client.send(client.request("GET", "/orders"))
    assert asked == ["k0", "k1", "k2"]


async def test_keys_that_are_all_used_up_are_waited_for() -> None:
    asked: list[str] = []
    answers = {"k0": 429, "k1": 429, "k2": 429}
    clock = SimulatedClock()
    connected = connection(ROTATE).model_copy(update={"retry": Retry(attempts=3, max_wait=7200.0)})
    async with connected.connect(clock=clock, transport=counting(answers, asked)) as client:
        before = clock.monotonic()
        with pytest.raises(RateLimitedError):
            await client.send(client.request("GET", "/orders"))
    assert [sorted(asked[at : at + 3]) for at in (0, 3, 6)] == [["k0", "k1", "k2"]] * 3 and len(asked) == 9
    assert clock.monotonic() - before >= 7200


async def test_while_all_keys_rest_no_more_than_one_is_asked() -> None:
    asked: list[str] = []
    clock = SimulatedClock()
    send = counting({"k0": 429, "k1": 429, "k2": 429}, asked)
    async with connection(ROTATE).connect(clock=clock, transport=send) as client:
        for _ in range(3):
            with pytest.raises(DeferredError):
                await client.send(client.request("GET", "/orders"))
    assert asked[:3] == ["k0", "k1", "k2"] and len(asked) == 5


SESSION = {"kind": "session", "path": "/login", "json": {"user": "u", "password": Secret("p")}, "token": "t"}


async def test_r10_a_session_that_ran_out_is_renewed_once_for_all() -> None:
    log_ins: list[str] = []
    good = {"token": "t1"}

    async def send(request: Request) -> Response:
        await asyncio.sleep(0)
        if request.url == f"{BASE}/login":
            log_ins.append(request.method)
            good["token"] = f"t{len(log_ins)}"
            return say(request, 200, b'{"t": "%s"}' % good["token"].encode())
        return say(request, 200 if reveal(request.headers["Authorization"]) == f"Bearer {good['token']}" else 401)

    async with connection(SESSION).connect(clock=SimulatedClock(), transport=send) as client:
        await client.send(client.request("GET", "/orders"))
        good["token"] = "gone"
        answers = await asyncio.gather(*(client.send(client.request("GET", "/orders")) for _ in range(50)))
    assert [answer.status for answer in answers] == [200] * 50 and log_ins == ["POST", "POST"]


async def test_s1_a_session_is_not_told_to_another_host() -> None:
    seen: list[Request] = []

    async def send(request: Request) -> Response:
        seen.append(request)
        if request.url.endswith("/login"):
            return say(request, 200, b'{"t": "canary"}')
        elsewhere = request.url.startswith("https://cdn.example")
        return say(request, 200) if elsewhere else say(request, 302, Location="https://cdn.example/file")

    connected = connection(SESSION).model_copy(update={"allow_hosts": ("cdn.example",)})
    async with connected.connect(clock=SimulatedClock(), transport=send) as client:
        await client.send(client.request("GET", "/orders"))
    assert [request.url for request in seen] == [f"{BASE}/login", f"{BASE}/orders", "https://cdn.example/file"]
    assert "canary" not in "".join(map(reveal, seen[-1].headers.values())) and seen[-1].json is None


async def test_a_nonce_that_is_used_up_is_replaced_within_the_attempt() -> None:
    counts: list[str] = []

    async def send(request: Request) -> Response:
        value = reveal(request.headers.get("Authorization", ""))
        nonce = f"n{len(counts) // 2}"
        if f'nonce="{nonce}"' not in value:
            return say(request, 401, WWW_Authenticate=f'Digest realm="r", qop="auth", nonce="{nonce}", stale=true')
        counts.append(re.findall(r"nc=(\w+)", value)[0])
        return say(request, 200)

    async with connection(DIGEST).connect(clock=SimulatedClock(), transport=send) as client:
        for _ in range(5):
            assert (await client.send(client.request("GET", "/orders"))).status == 200
    assert counts == ["00000001", "00000002", "00000001", "00000002", "00000001"]


DIGEST = {"kind": "digest", "username": "u", "password": Secret("p")}


async def test_requests_that_are_challenged_together_do_not_end_each_other() -> None:
    """An API that takes every nonce once: whoever answers with a nonce that another has used is told that it is stale."""
    nonces: dict[str, bool] = {}

    async def send(request: Request) -> Response:
        await asyncio.sleep(0)
        shown = re.findall(r'nonce="(\w+)"', reveal(request.headers.get("Authorization", "")))
        if shown and not nonces[shown[0]]:
            nonces[shown[0]] = True
            return say(request, 200)
        nonce = f"n{len(nonces)}"
        nonces[nonce] = False
        old = ", stale=true" if shown else ""
        return say(request, 401, WWW_Authenticate=f'Digest realm="r", qop="auth", nonce="{nonce}"{old}')

    async with connection(DIGEST).connect(clock=SimulatedClock(), transport=send) as client:
        answers = await asyncio.gather(*(client.send(client.request("GET", "/orders")) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4


@pytest.mark.parametrize(("old", "asked"), [("", 2), (", stale=false", 2), (", stale=true", 10)])
async def test_a_password_that_is_wrong_is_not_tried_on(old: str, asked: int) -> None:
    seen: list[Request] = []

    async def send(request: Request) -> Response:
        seen.append(request)
        return say(request, 401, WWW_Authenticate=f'Digest realm="r", qop="auth", nonce="n{len(seen)}"{old}')

    async with connection(DIGEST).connect(clock=SimulatedClock(), transport=send) as client:
        with pytest.raises(AuthError, match="refused the credentials"):
            await client.send(client.request("GET", "/orders"))
    assert len(seen) == asked


@pytest.mark.parametrize("broken", [b"", b"<h1>back soon</h1>", b'{"access_token": "a'])
@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "oauth2", "client_id": "c", "client_secret": Secret("s"), "token_url": "https://login.example/token"},
        {"kind": "session", "url": "https://login.example/token", "token": "access_token"},
    ],
    ids=["oauth2", "session"],
)
async def test_r17_a_token_that_breaks_on_its_way_is_asked_for_again(auth: dict[str, Any], broken: bytes) -> None:
    answers = [broken, b'{"access_token": "a1", "expires_in": 3600}']

    async def send(request: Request) -> Response:
        return say(request, 200, answers.pop(0)) if request.url.endswith("/token") else say(request, 200)

    connected = connection(auth)
    async with connected.connect(clock=SimulatedClock(), transport=send) as client:
        assert (await client.send(client.request("GET", "/orders"))).status == 200
    assert answers == []


async def test_an_endpoint_that_never_gives_a_token_is_said_to_be_none() -> None:
    async def send(request: Request) -> Response:
        return say(request, 200, b"<h1>login</h1>")

    fields = {"token_url": "https://login.example/page", "client_id": "c", "client_secret": Secret("s")}
    connected = connection({"kind": "oauth2", "grant": "client_credentials", **fields})
    async with connected.connect(clock=SimulatedClock(), transport=send) as client:
        with pytest.raises(AuthError, match="without an access token"):
            await client.send(client.request("GET", "/orders"))
