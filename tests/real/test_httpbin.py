"""Digest, Basic, bearer and cookies against httpbin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from syncline.errors import AuthError
from syncline.http import Client, Connection
from syncline.model import Secret
from tests.real.process import serving
from tests.real.servers import need_module


@pytest.fixture(scope="module")
def httpbin() -> Iterator[str]:
    need_module("httpbin")
    with serving(
        lambda port, folder: [sys.executable, "-W", "ignore", "-m", "httpbin.core", "--port", str(port)],
        health="/status/200",
    ) as url:
        yield url


def connection(url: str, auth: dict[str, Any]) -> Connection:
    return Connection.model_validate({"base_url": url, "auth": auth})


def digest(password: str = "s3cret") -> dict[str, Any]:
    return {"kind": "digest", "username": "ada", "password": Secret(password)}


async def get(client: Client, path: str, **more: Any) -> Any:
    return await client.send(client.request("GET", path, **more))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", "none"])
async def test_a_digest_is_accepted(httpbin: str, algorithm: str, qop: str) -> None:
    async with connection(httpbin, digest()).connect() as client:
        for _ in range(3):
            response = await get(client, f"/digest-auth/{qop}/ada/s3cret/{algorithm}")
            assert response.status == 200


async def test_a_wrong_password_ends_with_exit_code_4(httpbin: str) -> None:
    async with connection(httpbin, digest("canary")).connect() as client:
        with pytest.raises(AuthError, match="refused the credentials") as caught:
            await get(client, "/digest-auth/auth/ada/right/MD5")
    assert caught.value.exit_code == 4 and "canary" not in caught.value.block()


async def test_an_api_without_digest_is_known(httpbin: str) -> None:
    async with connection(httpbin, digest()).connect() as client:
        with pytest.raises(AuthError, match="does not ask for a digest") as caught:
            await get(client, "/basic-auth/ada/x")
    assert "basic" in str(caught.value.evidence)


async def test_basic_and_bearer_are_accepted(httpbin: str) -> None:
    basic = {"kind": "basic", "username": "ada", "password": Secret("a:b")}
    async with connection(httpbin, basic).connect() as client:
        assert (await get(client, "/basic-auth/ada/a:b")).status == 200
    async with connection(httpbin, {"kind": "bearer", "token": Secret("t0k")}).connect() as client:
        assert b'"t0k"' in (await get(client, "/bearer")).body


async def test_a_session_keeps_the_cookie_of_its_log_in(httpbin: str) -> None:
    log_in = {"kind": "session", "path": "/cookies/set?sid=c00kie", "method": "GET", "token_cookie": "sid"}
    async with connection(httpbin, log_in).connect() as client:
        assert b'"sid": "c00kie"' in (await get(client, "/cookies")).body


async def test_a_session_takes_its_token_from_where_the_answer_has_it(httpbin: str) -> None:
    echoed = {"kind": "session", "path": "/anything", "json": {"password": Secret("p"), "n": {"t": "from here"}},
              "token": "json.n.t", "name": "X-Session", "template": "s {token}"}  # fmt: skip
    async with connection(httpbin, echoed).connect() as client:
        assert b'"X-Session": "s from here"' in (await get(client, "/headers")).body
