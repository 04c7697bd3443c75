"""Every grant and client authentication against oidc-provider, which refuses what the RFCs forbid."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.auth import OAuth2
from syncline.errors import AuthError, SynclineError
from syncline.http import Connection
from syncline.http.tokens import Kept as Empty
from syncline.model import Request, Response, Secret, SystemClock, Token
from tests.real.oidc import LIFETIME, REDIRECT, Browser, Oidc

CLOCK = SystemClock()


def oauth(oidc: Oidc, client_id: str, *, base: str | None = None, **fields: Any) -> OAuth2:
    base = base or oidc.url
    return OAuth2.model_validate({
        "token_url": f"{base}/token", "authorize_url": f"{base}/auth", "device_url": f"{base}/device/auth",
        "client_id": client_id, **fields,
    })  # fmt: skip


def interactive(oidc: Oidc, client_id: str, grant: str = "authorization_code", **fields: Any) -> OAuth2:
    return oauth(
        oidc,
        client_id,
        grant=grant,
        scopes=["openid", "offline_access"],
        authorize_params={"prompt": "consent"},
        **fields,
    )


def connection(oidc: Oidc, auth: OAuth2, **fields: Any) -> Connection:
    return Connection.model_validate({"base_url": oidc.url, "auth": auth, **fields})


async def orders(connected: Connection, tokens: Any = None, method: str = "GET") -> Any:
    async with connected.connect(tokens=tokens) as client:
        response = await client.send(client.request(method, "/orders"))
        return response.status


class Kept:
    """A token store in memory."""

    def __init__(self) -> None:
        self.kept = Empty()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        yield

    async def load(self) -> Any:
        return self.kept

    async def save(self, kept: Any) -> Any:
        self.kept = kept
        return kept


async def log_in(oidc: Oidc, auth: OAuth2, redirect: str = REDIRECT) -> Kept:
    """Go through the browser, and exchange the code."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    address = await asyncio.to_thread(Browser().agree, auth.authorization(state, verifier, redirect), redirect)
    code = auth.check_callback(dict(parse_qsl(urlsplit(address).query)), state)
    store = Kept()
    async with connection(oidc, auth).token_desk(clock=CLOCK, tokens=store) as (tokens, _):
        await tokens.enter(auth.exchange(code, verifier, redirect, CLOCK.now(), CLOCK.monotonic()))
    return store


@pytest.mark.parametrize(
    ("client_id", "fields"),
    [("basic:robot", {"client_secret": Secret("a:b c&d")}),
     ("posting", {"client_secret": Secret("post secret"), "client_auth": "post"})],
)  # fmt: skip
async def test_an_application_gets_a_token_with_its_secret(oidc: Oidc, client_id: str, fields: dict[str, Any]) -> None:
    assert await orders(connection(oidc, oauth(oidc, client_id, **fields))) == 200


async def test_an_application_signs_for_itself_and_never_the_same_twice(oidc: Oidc) -> None:
    auth = oauth(oidc, "signing", client_auth="private_key_jwt",
                 client_assertion={"key": Secret(oidc.robot_key), "key_id": "k1"})  # fmt: skip
    connected = connection(oidc, auth)
    for _ in range(3):  # the server refuses a jti that it has seen
        assert await orders(connected) == 200


async def test_a_wrong_secret_is_explained(oidc: Oidc) -> None:
    with pytest.raises(AuthError, match="refused the grant client_credentials") as caught:
        await orders(connection(oidc, oauth(oidc, "basic:robot", client_secret=Secret("canary"))))
    assert "invalid_client" in str(caught.value.evidence) and "canary" not in caught.value.block()


async def test_r10_a_token_revoked_in_the_middle_is_renewed_once_and_nothing_is_lost(oidc: Oidc) -> None:
    auth = oauth(oidc, "basic:robot", client_secret=Secret("a:b c&d"))
    async with connection(oidc, auth).connect() as client:
        assert (await client.send(client.request("DELETE", "/orders"))).status == 204
        before = oidc.grants()["client_credentials"]
        answers = await asyncio.gather(*(client.send(client.request("GET", "/orders")) for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
        assert oidc.grants()["client_credentials"] == before + 1


async def test_s18_a_log_in_goes_through_the_browser_with_pkce(oidc: Oidc) -> None:
    auth = interactive(oidc, "web", client_secret=Secret("web secret+/%"), issuer=oidc.url)
    store = await log_in(oidc, auth)
    assert store.kept.token.refresh is not None
    assert await orders(connection(oidc, auth), store) == 200


async def test_s18_a_native_application_comes_back_on_any_port_of_this_machine(oidc: Oidc) -> None:
    auth = interactive(oidc, "native", client_auth="none")
    store = await log_in(oidc, auth, "http://127.0.0.1:54321/callback")
    assert await orders(connection(oidc, auth), store) == 200


async def test_s18_another_verifier_or_redirect_gets_no_token(oidc: Oidc) -> None:
    auth = interactive(oidc, "native", client_auth="none")
    for verifier, redirect in (("x" * 43, REDIRECT), (None, "http://127.0.0.1:1/callback")):
        right = secrets.token_urlsafe(64)
        address = await asyncio.to_thread(Browser().agree, auth.authorization("st", right, REDIRECT), REDIRECT)
        code = auth.check_callback(dict(parse_qsl(urlsplit(address).query)), "st")
        async with connection(oidc, auth).token_desk(clock=CLOCK, tokens=None) as (tokens, _):
            with pytest.raises(AuthError, match="refused") as caught:
                await tokens.enter(auth.exchange(code, verifier or right, redirect, CLOCK.now(), 0.0))
        assert "invalid_grant" in str(caught.value.evidence)


async def test_r9_a_refresh_token_is_rotated_and_the_old_one_worth_nothing(oidc: Oidc) -> None:
    auth = interactive(oidc, "web", client_secret=Secret("web secret+/%"))
    store = await log_in(oidc, auth)
    first = store.kept.token
    assert await orders(connection(oidc, auth), store, "DELETE") == 204
    before = oidc.grants().get("refresh_token", 0)
    async with connection(oidc, auth).connect(tokens=store) as client:
        answers = await asyncio.gather(*(client.send(client.request("GET", "/orders")) for _ in range(50)))
    assert [answer.status for answer in answers] == [200] * 50
    assert oidc.grants()["refresh_token"] == before + 1, "50 requests that find the token dead ask for one"
    second = store.kept.token
    assert second.refresh != first.refresh and second.access != first.access
    with pytest.raises(AuthError, match="refresh_token") as caught:
        await walk(oidc, auth, first)
    assert "login FILE" in str(caught.value.hint)


async def walk(oidc: Oidc, auth: OAuth2, current: Token | None) -> Token:
    async with connection(oidc, auth).token_desk(clock=CLOCK, tokens=None) as (tokens, _):
        return await tokens.enter(auth.obtain(current, CLOCK.now(), CLOCK.monotonic(), None))


async def test_a_device_logs_in_by_a_code_that_is_typed_in_elsewhere(oidc: Oidc) -> None:
    auth = interactive(oidc, "tv", "device_code", client_auth="none")
    async with connection(oidc, auth).token_desk(clock=CLOCK, tokens=None) as (_, send):
        code = auth.device_code(await send(auth.device_start(CLOCK.now())))
        assert code.verification_uri == f"{oidc.url}/device" and code.interval == 5.0
        poll = next(auth.device_poll(code, CLOCK.now(), 0.0))
        pending = await send(poll.request)
        assert b"authorization_pending" in pending.body
        page = await asyncio.to_thread(Browser().agree, code.verification_uri, "never", user_code=code.user_code)
        assert "Sign-in Success" in page
        steps = auth.device_poll(code, CLOCK.now(), CLOCK.monotonic())
        with pytest.raises(StopIteration) as done:
            steps.send(await send(next(steps).request))
    token: Token = done.value.value
    assert token.refresh is not None and token.expires_at is not None
    assert 0 < token.expires_at - CLOCK.monotonic() <= LIFETIME
    assert (await walk(oidc, auth, token)).refresh not in (None, token.refresh)


async def test_a_certificate_proves_the_application_and_binds_its_token(oidc: Oidc) -> None:
    auth = oauth(oidc, "certified", base=oidc.secure, client_auth="tls_client_auth",
                 mtls={"certificate": Secret(oidc.client_certificate), "key": Secret(oidc.client_key)})  # fmt: skip
    connected = Connection.model_validate({"base_url": oidc.secure, "auth": auth, "tls": {"ca": Secret(oidc.ca)}})
    async with connected.connect() as client:
        response = await client.send(client.request("GET", "/orders"))
        assert b'"bound":"' in response.body, "the server has bound the token to the certificate (RFC 8705)"


async def test_a_certificate_that_does_not_fit_is_explained(oidc: Oidc) -> None:
    auth = oauth(oidc, "certified", base=oidc.secure, client_auth="tls_client_auth",
                 mtls={"certificate": Secret(oidc.client_certificate), "key": Secret(oidc.robot_key)})  # fmt: skip
    connected = Connection.model_validate({"base_url": oidc.secure, "auth": auth, "tls": {"ca": Secret(oidc.ca)}})
    with pytest.raises(SynclineError, match="client certificate cannot be used") as caught:
        await orders(connected)
    assert "PRIVATE" not in caught.value.block() and "belong together" in str(caught.value.hint)


async def test_s1_a_certificate_is_shown_to_nobody_else(oidc: Oidc) -> None:
    auth = {"kind": "mtls", "certificate": Secret(oidc.client_certificate), "key": Secret(oidc.client_key)}
    port = urlsplit(oidc.secure).port
    elsewhere = f"https://127.0.0.1:{port}"
    connected = Connection.model_validate(
        {"base_url": elsewhere, "allow_hosts": [f"localhost:{port}"], "auth": auth, "tls": {"ca": Secret(oidc.ca)}}
    )
    statuses = []
    async with connected.connect() as client:
        for base in (elsewhere, oidc.secure):
            request = client.request("POST", f"{base}/token", body=b"grant_type=client_credentials&client_id=certified", headers={
                "Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
            statuses.append(await _status(client, request))
    assert statuses == [200, 401], "the home origin sees the certificate, the listed host does not"


async def _status(client: Any, request: Request) -> int:
    try:
        response: Response = await client.send(request)
    except SynclineError as error:
        return int(getattr(error, "status", 0) or 0)
    return response.status
