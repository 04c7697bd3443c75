"""Logging in with one request."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import Session
from syncline.errors import AuthError, RateLimitedError, RequestError, ServerError
from syncline.model import Request, Response, Secret, Token, reveal
from tests.auth.support import NOW, answer, walk

REQUEST = Request(url="https://api.example/orders", headers={"Cookie": "a=1"})


def build(**fields: Any) -> Session:
    given = {"url": "https://api.example/login", "token": "data.token", **fields}
    return Session.model_validate({name: value for name, value in given.items() if value is not None})


def log_in(auth: Session, response: Response, monotonic: float = 0.0) -> tuple[Request, Token]:
    (request,), token = walk(auth.obtain(None, NOW, monotonic, None), response)
    return request, token


def sent(auth: Session, token: str = "t0k") -> dict[str, str]:
    signed = auth.sign(REQUEST, Token(access=Secret(token)), NOW)
    return {name: reveal(value) for name, value in [*signed.headers.items(), *signed.params]}


def test_a_json_body_carries_the_secrets_and_shows_none() -> None:
    auth = build(json={"user": "me", "nested": [{"password": Secret("canary")}]}, headers={"X-App": "1"})
    request, token = log_in(auth, answer({"data": {"token": "canary-t"}}))
    assert (request.method, request.url, request.repeatable) == ("POST", "https://api.example/login", True)
    assert json.loads(request.content or b"") == {"user": "me", "nested": [{"password": "canary"}]}
    assert reveal(request.headers["X-App"]) == "1"
    assert "canary" not in repr((auth, request, token))
    assert token.access == Secret("canary-t") and token.expires_at is None


def test_a_form_and_a_log_in_of_its_own_are_sent() -> None:
    auth = build(
        form={"user": "me", "pass": Secret("a&b")}, login_auth={"kind": "basic", "username": "u", "password": "${P}"}
    )
    auth = auth.model_copy(update={"login_auth": auth.login_auth.model_copy(update={"password": Secret("p")})})  # type: ignore[union-attr]
    request, _ = log_in(auth, answer({"data": {"token": "t"}}))
    assert request.content == b"user=me&pass=a%26b" and reveal(request.headers["Authorization"]) == "Basic dTpw"


@pytest.mark.parametrize(
    ("fields", "response", "expected"),
    [
        ({"token": "."}, answer("whole"), "whole"),
        ({"token": "ids[0]"}, answer({"ids": [7]}), "7"),
        ({"token": None, "token_header": "X-Subject-Token"}, answer({}, 201, X_Subject_Token="h"), "h"),
        ({"token": None, "token_cookie": "sid"}, answer(b"", 302, Set_Cookie=["x=1", "sid=c; Path=/; HttpOnly"]), "c"),
    ],
)
def test_the_token_is_taken_from_where_it_is(fields: dict[str, Any], response: Response, expected: str) -> None:
    assert log_in(build(**fields), response)[1].access == Secret(expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"Cookie": "a=1", "Authorization": "Bearer t0k"}),
        ({"template": "Token token={token}"}, {"Cookie": "a=1", "Authorization": "Token token=t0k"}),
        ({"name": "X-Session"}, {"Cookie": "a=1", "X-Session": "t0k"}),
        ({"in": "query", "name": "sid"}, {"Cookie": "a=1", "sid": "t0k"}),
        ({"token": None, "token_cookie": "sid"}, {"Cookie": "a=1; sid=t0k"}),
        ({"token": None, "token_cookie": "sid", "in": "header", "name": "X-Sid"}, {"Cookie": "a=1", "X-Sid": "t0k"}),
    ],
)
def test_the_token_is_sent_as_told(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert sent(build(**fields)) == expected


def test_a_token_cannot_break_out_of_its_header() -> None:
    with pytest.raises(AuthError, match="line breaks"):
        sent(build(), "t\r\nX-Evil: 1")


@pytest.mark.parametrize(
    ("fields", "response", "expected"),
    [
        ({"lifetime": "30m"}, answer({"data": {"token": "t"}}), 1900.0),
        ({"expires_path": "ttl", "lifetime": "30m"}, answer({"data": {"token": "t"}, "ttl": 60}), 160.0),
        ({"token": None, "token_cookie": "s"}, answer({}, Set_Cookie="s=1; max-age=300"), 400.0),
        (
            {"expires_path": "until"},
            answer(
                {"data": {"token": "t"}, "until": (NOW + timedelta(hours=5, seconds=90)).isoformat()},
                Date=format_datetime(NOW + timedelta(hours=5), usegmt=True),
            ),
            190.0,
        ),
    ],
)
def test_r11_lifetimes_are_read_or_configured(fields: dict[str, Any], response: Response, expected: float) -> None:
    auth = build(**fields)
    _, token = log_in(auth, response, 100.0)
    assert token.expires_at == expected and auth.fresh(token, 100.0) and not auth.fresh(token, expected - 5)


def test_r10_a_session_that_ran_out_is_known_by_its_status() -> None:
    usual, odd = build(), build(renew_on=[401, 419])
    assert [usual.refused(answer({}, status)) for status in (401, 403, 419, 200)] == [True, False, False, False]
    assert [odd.refused(answer({}, status)) for status in (401, 419)] == [True, True]


def test_a_path_is_below_the_base() -> None:
    auth = build(url=None, path="/login").at("https://api.example/v2/")
    assert log_in(auth, answer({"data": {"token": "t"}}))[0].url == "https://api.example/v2/login"
    assert auth.addresses == ("https://api.example/v2/login",)


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (answer({"error": "bad canary"}, 401), AuthError, "was refused"),
        (answer({"message": "x", "data": {}}), AuthError, "without a token"),
        (answer(b"<html>", 200), AuthError, "without a token"),
        (answer({"data": {"token": ""}}), AuthError, "without a token"),
        (answer({"data": {"token": True}}), AuthError, "without a token"),
        (answer({"data": {"token": "canary"}}, 403), AuthError, "was refused"),
        (answer({}, 503), ServerError, "503"),
        (answer({}, 429), RateLimitedError, "wait"),
    ],
)
def test_a_log_in_that_fails_says_why_and_nothing_secret(response: Response, kind: type, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        log_in(build(json={"password": Secret("canary")}), response)
    assert type(caught.value) is kind and "canary" not in caught.value.block()
    if kind is AuthError:
        assert caught.value.hint and caught.value.evidence


@given(body=st.binary(max_size=60), cookie=st.text(st.characters(codec="latin-1"), max_size=40))
def test_no_answer_breaks_the_reader(body: bytes, cookie: str) -> None:
    for fields in ({}, {"token": "."}, {"token": None, "token_cookie": "s"}):
        try:
            _, token = log_in(build(**fields), answer(body, Set_Cookie=cookie))
        except AuthError:
            continue
        assert token.access


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"path": "/login"}, "one of url or path"),
    ({"url": None}, "one of url or path"),
    ({"token": None}, "one of token or"),
    ({"token_cookie": "s"}, "one of token or"),
    ({"json": {"a": 1}, "form": {"a": "1"}}, "one of json or form"),
    ({"json": {"user": {"password": "hunter2"}}}, "a secret stands in the file"),
    ({"form": {"api_key": "hunter2"}}, "a secret stands in the file"),
    ({"url": "http://api.example/login"}, "https"),
    ({"url": None, "path": "//evil.example/login"}, "one slash"),
    ({"template": "Bearer token"}, "no {token}"),
    ({"in": "query"}, "parameter's name"),
    ({"login_auth": {"kind": "jwt", "algorithm": "HS256", "key": "${K}"}}, "cannot have a token"),
]


@pytest.mark.parametrize(("fields", "said"), MISTAKES)
def test_what_cannot_work_is_refused_when_the_file_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        build(**fields)


def test_s19_an_address_by_reference_is_checked_before_anything_is_sent() -> None:
    with pytest.raises(AuthError, match="https"):
        next(build(url=Secret("http://api.example/login")).obtain(None, NOW, 0.0, None))
