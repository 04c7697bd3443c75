"""Keys, tokens, user name and password."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import ApiKey, Auth, Basic, Bearer
from syncline.errors import AuthError
from syncline.model import LITERAL_SECRET, Reference, Request, Secret, reveal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUEST = Request(
    url="https://api.example/v2/orders", params=(("status", "any"),), headers={"Accept": "application/json"}
)
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def signed(auth: Auth, request: Request = REQUEST) -> dict[str, str]:
    return {name: reveal(value) for name, value in auth.sign(request, None, NOW).headers.items()}


def test_api_key_goes_into_a_header_beside_the_others() -> None:
    assert signed(ApiKey(key=Secret("k1"))) == {"Accept": "application/json", "X-API-Key": "k1"}


def test_api_key_replaces_a_header_of_its_name_whatever_its_case() -> None:
    request = Request(url="https://api.example/", headers={"x-api-key": "old"})
    assert signed(ApiKey(key=Secret("new")), request) == {"X-API-Key": "new"}


def test_api_key_goes_into_the_query_after_the_other_parameters() -> None:
    auth = ApiKey.model_validate({"kind": "api_key", "key": "${K}", "in": "query", "name": "token"})
    resolved = auth.model_copy(update={"key": Secret("a&b=c")})
    assert resolved.sign(REQUEST, None, NOW).target == "https://api.example/v2/orders?status=any&token=a%26b%3Dc"


def test_api_key_joins_a_cookie_that_is_there_already() -> None:
    auth = ApiKey(key=Secret("k1"), in_="cookie", name="sid")  # type: ignore[call-arg]
    assert signed(auth, Request(url="https://api.example/", headers={"cookie": "lang=fr"})) == {
        "Cookie": "lang=fr; sid=k1"
    }


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("Token", "Token k1"), ("GenieKey", "GenieKey k1"), ("key=", "key=k1"), ("SSWS ", "SSWS k1"), (None, "k1")],
)
def test_a_prefix_that_is_a_word_is_followed_by_a_space(prefix: str | None, expected: str) -> None:
    assert signed(ApiKey(key=Secret("k1"), name="Authorization", prefix=prefix))["Authorization"] == expected


@pytest.mark.parametrize("key", ["k1\n", "k1\r\nX-Evil: 1", " k1", "k\x001"])
def test_a_key_that_would_break_out_of_its_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(AuthError) as caught:
        signed(ApiKey(key=Secret(key)))
    assert "k1" not in caught.value.block() and caught.value.hint


def test_a_key_with_a_semicolon_cannot_become_two_cookies() -> None:
    with pytest.raises(AuthError, match="semicolon"):
        signed(ApiKey(key=Secret("a; admin=1"), in_="cookie", name="sid"))  # type: ignore[call-arg]


def test_bearer_sends_its_token() -> None:
    assert signed(Bearer(token=Secret("t1")))["Authorization"] == "Bearer t1"


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617, 2
        ("test", "123£", "dGVzdDoxMjPCow=="),  # RFC 7617, 2.1
    ],
)
def test_basic_gives_the_values_of_rfc_7617(username: str, password: str, expected: str) -> None:
    assert signed(Basic(username=username, password=Secret(password)))["Authorization"] == f"Basic {expected}"


def test_basic_without_a_password_sends_the_colon_all_the_same() -> None:
    auth = Basic.model_validate({"username": "${STRIPE_KEY}", "password": ""})
    resolved = auth.model_copy(update={"username": Secret("sk_test_1")})
    assert base64.b64decode(signed(resolved)["Authorization"].removeprefix("Basic ")) == b"sk_test_1:"


def test_basic_refuses_a_user_name_with_a_colon() -> None:
    with pytest.raises(AuthError, match="colon"):
        signed(Basic(username=Secret("a:b"), password=Secret("c")))


@given(username=printable.filter(lambda text: ":" not in text), password=printable)
def test_basic_comes_apart_into_what_went_in(username: str, password: str) -> None:
    value = signed(Basic(username=Secret(username), password=Secret(password)))["Authorization"]
    assert base64.b64decode(value.split(" ")[1]).decode().partition(":") == (username, ":", password)


@pytest.mark.parametrize(
    ("part", "data"),
    [
        (ApiKey, {"key": "sk_live_123"}),
        (Bearer, {"token": "abc"}),
        (Basic, {"username": "me", "password": "hunter2"}),
        (Basic, {"username": "sk_live_123"}),
    ],
)
def test_u_a_literal_secret_is_refused_and_not_repeated(part: type[Auth], data: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        part.model_validate(data)
    assert [error["type"] for error in caught.value.errors()] == [LITERAL_SECRET]
    assert not any(secret in str(caught.value) for secret in ("sk_live_123", "abc", "hunter2"))


def test_a_reference_stays_a_reference_until_somebody_resolves_it() -> None:
    auth = Bearer.model_validate({"token": "${SHOP_TOKEN}"})
    assert auth.token == Reference("${SHOP_TOKEN}")
    with pytest.raises(TypeError, match="SHOP_TOKEN"):
        auth.sign(REQUEST, None, NOW)
