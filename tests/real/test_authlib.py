"""OAuth 1, the password grant and signed assertions against authlib's server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syncline.auth import OAuth2
from syncline.errors import AuthError, SynclineError
from syncline.http import Connection
from syncline.model import Secret, SystemClock, Token
from tests.real.oidc import pem
from tests.real.process import serving
from tests.real.servers import need_module

HERE = Path(__file__).parent
CLOCK = SystemClock()


class Authlib(NamedTuple):
    url: str
    key: str


@pytest.fixture(scope="module")
def authlib() -> Iterator[Authlib]:
    need_module("authlib")
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def command(port: int, folder: Path) -> list[str]:
        folder.joinpath("public.pem").write_text(public)
        return [sys.executable, str(HERE / "authlib_here.py"), str(port), str(folder)]

    with serving(command, health="/health") as url:
        yield Authlib(url, pem(key))


async def status(
    authlib: Authlib, auth: dict[str, Any], method: str = "GET", path: str = "/orders", **more: Any
) -> int:
    connected = Connection.model_validate({"base_url": authlib.url, "auth": auth})
    async with connected.connect() as client:
        return (await client.send(client.request(method, path, **more))).status


def oauth1(**fields: Any) -> dict[str, Any]:
    secrets = {"consumer_secret": Secret("c+s"), "token_secret": Secret("t/s")}
    return {"kind": "oauth1", "consumer_key": "ck", "token": "tk", **secrets, **fields}


@pytest.mark.parametrize("method", ["HMAC-SHA1", "RSA-SHA1", "PLAINTEXT"])
async def test_signatures_of_oauth_1_are_accepted(authlib: Authlib, method: str) -> None:
    auth = oauth1(method=method, key=Secret(authlib.key), realm="x")
    for params in ({}, {"b": "ü &=+", "a": ["2", "1", "1"]}):
        assert await status(authlib, auth, path="/oauth1", params=params) == 200
    body = {"not": "signed"}
    assert await status(authlib, auth, "POST", "/oauth1", json=body, repeatable=True) == 200


@pytest.mark.parametrize(
    "fields", [{"consumer_secret": Secret("wrong")}, {"token_secret": Secret("wrong")}, {"token": "no"}]
)
async def test_wrong_secrets_of_oauth_1_end_with_exit_code_4(authlib: Authlib, fields: dict[str, Any]) -> None:
    with pytest.raises(AuthError) as caught:
        await status(authlib, oauth1(**fields), path="/oauth1")
    assert caught.value.exit_code == 4 and "wrong" not in caught.value.block()


def password(authlib: Authlib, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "oauth2", "grant": "password", "token_url": f"{authlib.url}/token",
        "client_id": "app", "client_auth": "basic_plain",
        "client_secret": Secret("s3cret & more"), "username": "ada", "password": Secret("pass wörd&"), **fields,
    }  # fmt: skip


@pytest.mark.parametrize("client_auth", ["basic_plain", "post"])
async def test_a_password_gets_a_token(authlib: Authlib, client_auth: str) -> None:
    assert await status(authlib, password(authlib, client_auth=client_auth)) == 200


async def test_a_secret_that_the_server_does_not_decode_is_known_by_its_hint(authlib: Authlib) -> None:
    # RFC 6749, 2.3.1 has it form-encoded, which authlib and others do not undo
    with pytest.raises(AuthError) as caught:
        await status(authlib, password(authlib, client_auth="basic"))
    assert "client_auth: basic_plain" in str(caught.value.hint)


async def test_its_refresh_token_is_used_and_where_that_is_dead_the_password_again(authlib: Authlib) -> None:
    auth = OAuth2.model_validate(password(authlib))
    connected = Connection.model_validate({"base_url": authlib.url, "auth": auth})
    async with connected.token_desk(clock=CLOCK, tokens=None) as (tokens, _):

        async def following(current: Token | None) -> Token:
            return await tokens.enter(auth.obtain(current, CLOCK.now(), CLOCK.monotonic(), None))

        first = await following(None)
        second = await following(first)
        third = await following(first)  # whose refresh token the second has used up
    assert first.refresh and second.refresh and third.refresh
    assert len({first.refresh, second.refresh, third.refresh}) == 3


async def test_a_wrong_password_is_explained(authlib: Authlib) -> None:
    with pytest.raises(AuthError) as caught:
        await status(authlib, password(authlib, password=Secret("canary")))
    assert "canary" not in caught.value.block() and "'password'" in str(caught.value.evidence)


async def test_a_service_account_gets_a_token_with_a_signed_assertion(authlib: Authlib) -> None:
    account = {"client_email": "robot@p.example", "private_key": authlib.key, "token_uri": f"{authlib.url}/token"}
    auth = {
        "kind": "oauth2",
        "grant": "jwt_bearer",
        "service_account": Secret(json.dumps(account)),
        "scopes": ["a"],
        "subject": "ada",
    }
    assert await status(authlib, auth) == 200
    with pytest.raises(SynclineError) as caught:
        await status(authlib, {**auth, "subject": "eve"})
    assert "sub" in str(caught.value.evidence)
