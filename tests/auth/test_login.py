"""The rules of logging in: what goes out to a browser or a device, and what may come back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import DeviceCode, OAuth2, Poll
from syncline.errors import AuthError
from syncline.model import Secret
from tests.auth.support import NOW, URL, answer, form, walk

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
REDIRECT = "http://127.0.0.1:8765/callback"


def build(**fields: Any) -> OAuth2:
    return OAuth2.model_validate({
        "grant": "authorization_code", "token_url": URL, "authorize_url": "https://auth.example/authorize?tenant=1",
        "client_id": "app", "scopes": ["a", "b"], **fields,
    })  # fmt: skip


def device(**fields: Any) -> OAuth2:
    return build(grant="device_code", device_url="https://auth.example/device", **fields)


def test_s18_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    address = build(authorize_params={"access_type": "offline"}, audience="api").authorization("st", VERIFIER, REDIRECT)
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "auth.example", "/authorize")
    assert dict(parse_qsl(parts.query)) == {
        "tenant": "1", "response_type": "code", "client_id": "app", "redirect_uri": REDIRECT, "state": "st",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256", "scope": "a b",
        "audience": "api", "access_type": "offline",
    }  # fmt: skip
    assert VERIFIER not in address


def test_s18_the_code_is_exchanged_with_the_verifier_and_the_exact_redirect() -> None:
    steps = build(client_secret=Secret("s"), client_auth="post").exchange("c0de", VERIFIER, REDIRECT, NOW, 10.0)
    (request,), token = walk(steps, answer({"access_token": "t", "refresh_token": "r", "expires_in": 60}))
    assert request.url == URL and form(request) == {
        "grant_type": "authorization_code", "code": "c0de", "code_verifier": VERIFIER, "redirect_uri": REDIRECT,
        "client_id": "app", "client_secret": "s",
    }  # fmt: skip
    assert (token.access, token.refresh, token.expires_at) == (Secret("t"), Secret("r"), 70.0)
    assert "c0de" not in repr(request) and VERIFIER not in repr(request)


@pytest.mark.parametrize(
    "redirect",
    ["https://evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://evil.example:8765/callback",
     "http://u:p@127.0.0.1/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1/cb#x", "ftp://127.0.0.1/", "http://[::1",
     "http://127.0.0.1:99999/"],
)  # fmt: skip
def test_s18_a_redirect_leads_to_this_machine_alone(redirect: str) -> None:
    with pytest.raises(ValidationError, match="redirect_uri"):
        build(redirect_uri=redirect)
    with pytest.raises(AuthError, match="redirect_uri"):
        build().authorization("st", VERIFIER, redirect)


@pytest.mark.parametrize("verifier", ["short", "x" * 129, "é" * 50, VERIFIER + " "])
def test_s18_a_verifier_that_is_none_is_a_bug(verifier: str) -> None:
    with pytest.raises(ValueError, match="verifier"):
        build().authorization("st", verifier, REDIRECT)


def test_s18_the_code_comes_with_the_state_that_was_sent() -> None:
    assert build().check_callback({"state": "st", "code": "c", "iss": "https://whoever.example"}, "st") == "c"
    for params in ({"code": "c"}, {"state": "", "code": "c"}, {"state": "ST", "code": "c"}, {}):
        with pytest.raises(AuthError, match="state"):
            build().check_callback(params, "st")


@given(state=st.text(), sent=st.text(min_size=1))
def test_s18_no_other_state_is_taken(state: str, sent: str) -> None:
    if state != sent:
        with pytest.raises(AuthError, match="state"):
            build().check_callback({"state": state, "code": "c"}, sent)


@pytest.mark.parametrize("iss", [None, "https://evil.example", "https://auth.example/"])
def test_s18_a_redirect_names_the_configured_issuer(iss: str | None) -> None:
    auth = build(issuer="https://auth.example")
    params = {"state": "st", "code": "c", **({"iss": iss} if iss else {})}
    with pytest.raises(AuthError, match="issuer"):
        auth.check_callback(params, "st")
    assert auth.check_callback({**params, "iss": "https://auth.example"}, "st") == "c"


def test_a_redirect_that_says_no_is_explained() -> None:
    params = {"state": "st", "error": "access_denied", "error_description": "no\x1b[31m thanks"}
    with pytest.raises(AuthError, match="nobody agreed") as caught:
        build().check_callback(params, "st")
    assert "\x1b" not in caught.value.block() and "agree" in str(caught.value.hint)
    with pytest.raises(AuthError, match="refused"):
        build().check_callback({"state": "st", "error": "invalid_scope"}, "st")
    with pytest.raises(AuthError, match="no code"):
        build().check_callback({"state": "st"}, "st")


@pytest.mark.parametrize("field", ["token_url", "authorize_url", "device_url", "refresh_url"])
def test_s19_every_endpoint_is_https_or_on_this_machine(field: str) -> None:
    with pytest.raises(ValidationError, match=f"{field} must begin with https"):
        build(**{field: "http://auth.example/x"})
    assert build(**{field: "http://localhost:3000/x"})


def test_s19_an_endpoint_by_reference_is_checked_before_anything_is_sent() -> None:
    auth = device().model_copy(update={"device_url": Secret("http://auth.example/d"), "authorize_url": Secret("x")})
    with pytest.raises(AuthError, match="https"):
        auth.device_start(NOW)
    with pytest.raises(AuthError, match="not an address"):
        auth.authorization("st", VERIFIER, REDIRECT)


CODE = {
    "device_code": "dc-canary", "user_code": "WDJB-MJHT", "verification_uri": "https://auth.example/device",
    "expires_in": 1800, "interval": 5,
}  # fmt: skip


def test_a_device_asks_and_polls_as_rfc_8628_has_it() -> None:
    auth = device()
    request = auth.device_start(NOW)
    assert request.url == "https://auth.example/device" and form(request) == {"client_id": "app", "scope": "a b"}
    code = auth.device_code(answer(CODE))
    assert (code.user_code, code.verification_uri, code.interval, code.expires_in) == (
        "WDJB-MJHT", "https://auth.example/device", 5.0, 1800.0,
    )  # fmt: skip
    assert "canary" not in repr(code)
    pending, slow = answer({"error": "authorization_pending"}, 400), answer({"error": "slow_down"}, 400)
    done = answer({"access_token": "t", "refresh_token": "r", "expires_in": 60})
    late = msgspec.structs.replace(done, received_at=500.0, elapsed=1.0)
    polls, token = walk(auth.device_poll(code, NOW, 10.0), pending, slow, pending, late)
    assert [poll.wait for poll in polls] == [5.0, 5.0, 10.0, 10.0]
    assert form(polls[0].request) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "dc-canary", "client_id": "app",
    }  # fmt: skip
    assert token.expires_at == 559.0, "a lifetime counts from the poll that got it, not from the first"
    assert token.refresh == Secret("r")


@pytest.mark.parametrize(
    ("error", "hint"),
    [("expired_token", "syncline login FILE"), ("access_denied", "agree"), ("invalid_grant", "login")],
)
def test_polling_ends_with_a_refusal(error: str, hint: str) -> None:
    with pytest.raises(AuthError) as caught:
        walk(device().device_poll(device().device_code(answer(CODE)), NOW, 0.0), answer({"error": error}, 400))
    assert error in str(caught.value.evidence) and hint in str(caught.value.hint)


def test_polling_ends_when_the_code_has_run_out() -> None:
    code = DeviceCode(device_code=Secret("d"), user_code="U", verification_uri="https://a.example", expires_in=11.0)
    steps, pending = device().device_poll(code, NOW, 0.0), answer({"error": "authorization_pending"}, 400)
    assert isinstance(next(steps), Poll) and isinstance(steps.send(pending), Poll)
    with pytest.raises(AuthError, match="ran out"):
        steps.send(pending)


@pytest.mark.parametrize(
    "document",
    [{}, {**CODE, "user_code": "\x1b]0;x"}, {**CODE, "verification_uri": "javascript:alert(1)"}, {**CODE, "device_code": 7},
     {"error": "invalid_client"}, []],
)  # fmt: skip
def test_an_answer_that_cannot_be_shown_is_refused(document: Any) -> None:
    with pytest.raises(AuthError):
        device().device_code(answer(document))


def test_odd_times_and_spellings_of_a_device_code_are_read() -> None:
    document = {**CODE, "interval": 0, "expires_in": "NaN", "verification_url": "https://g.example/d"}
    del document["verification_uri"]
    code = device().device_code(answer(document))
    assert (code.interval, code.expires_in, code.verification_uri) == (5.0, 600.0, "https://g.example/d")
