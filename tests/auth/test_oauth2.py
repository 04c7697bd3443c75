"""Tokens from an authorisation server."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import OAuth2
from syncline.errors import AuthError, RateLimitedError, RequestError, ServerError
from syncline.model import Request, Response, Secret, Token, reveal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://auth.example/oauth/token"
CANARY = "canary-7f3a+/=&é"


def build(**fields: Any) -> OAuth2:
    given = {"token_url": URL, "client_id": "app", "client_secret": Secret(CANARY), **fields}
    if given.get("grant") == "refresh_token":
        given.setdefault("refresh_token", Secret("first"))
    return OAuth2.model_validate(given)


def answer(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Response(status=status, headers=Response.headers_of({"Content-Type": content_type}), body=body, url=URL)


def exchange(
    auth: OAuth2, *answers: Response, current: Token | None = None, monotonic: float = 1_000.0
) -> tuple[list[Request], Token]:
    steps = auth.obtain(current, NOW, monotonic, None)
    requests = [next(steps)]
    try:
        for response in answers:
            requests.append(steps.send(response))
    except StopIteration as done:
        return requests, done.value
    raise AssertionError("more was asked for than answered")


def refusal(auth: OAuth2, *answers: Response, current: Token | None = None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        exchange(auth, *answers, current=current)
    return caught.value


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((request.content or b"").decode()).items()}


GOOD = {"access_token": "at-1", "token_type": "bearer", "expires_in": 3600}


def test_client_credentials_are_asked_for_as_rfc_6749_4_4_2_has_it() -> None:
    (request,), token = exchange(build(scopes=("a", "b")), answer(GOOD))
    assert (request.method, request.url) == ("POST", URL)
    assert form(request) == {"grant_type": "client_credentials", "scope": "a b"}
    pair = base64.b64decode(reveal(request.headers["Authorization"]).removeprefix("Basic ")).decode()
    assert pair == f"app:{quote_plus(CANARY)}"
    assert token == Token(access=Secret("at-1"), expires_at=4_600.0, obtained_at=NOW, extra={"expires_in": 3600.0})


def test_credentials_can_be_posted() -> None:
    auth = build(
        client_auth="post", scopes=["a", "b"], scope_separator=",", audience="api", token_params={"resource": "r"}
    )
    (request,), _ = exchange(auth, answer(GOOD))
    assert form(request) == {
        "grant_type": "client_credentials", "scope": "a,b", "audience": "api", "resource": "r", "client_id": "app",
        "client_secret": CANARY,
    }  # fmt: skip
    assert "Authorization" not in request.headers


def test_a_public_client_sends_its_name_in_the_form() -> None:
    (request,), _ = exchange(build(grant="refresh_token", client_secret=None), answer(GOOD))
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "first", "client_id": "app"}


def test_r9_a_rotated_refresh_token_replaces_the_one_before() -> None:
    auth = build(grant="refresh_token")
    _, first = exchange(auth, answer({**GOOD, "refresh_token": "second"}))
    (request,), second = exchange(auth, answer(GOOD), current=first)
    assert form(request)["refresh_token"] == "second"
    assert second.refresh == Secret("second"), "an answer without a new one leaves the old one valid (RFC 6749, 6)"


def test_a_refresh_token_renewed_by_hand_is_tried_when_the_rotated_one_is_dead() -> None:
    current = Token(access=Secret("old"), refresh=Secret("rotated"))
    requests, token = exchange(
        build(grant="refresh_token"), answer({"error": "invalid_grant"}, 400), answer(GOOD), current=current
    )
    assert [form(request)["refresh_token"] for request in requests] == ["rotated", "first"]
    assert token.refresh == Secret("first")


def test_client_credentials_never_use_a_refresh_token() -> None:
    _, token = exchange(build(), answer({**GOOD, "refresh_token": "no"}))
    (request,), _ = exchange(build(), answer(GOOD), current=token)
    assert token.refresh is None and form(request)["grant_type"] == "client_credentials"


@pytest.mark.parametrize(
    ("expires_in", "expected"),
    [(3600, 4600.0), ("3600", 4600.0), (1.5, 1001.5), (None, None), (0, None), (-1, None), ("soon", None), ("NaN", None),
     (True, None), ([], None), ("1e999", None)],
)  # fmt: skip
def test_r11_lifetimes_count_from_the_request_on_the_monotonic_clock(expires_in: Any, expected: float | None) -> None:
    _, token = exchange(build(), answer({**GOOD, "expires_in": expires_in}))
    assert token.expires_at == expected


@given(lifetime=st.floats(0.1, 1e6), early=st.floats(0, 1e4), elapsed=st.floats(0, 1e6))
def test_no_token_is_used_too_late_nor_thrown_away_unused(lifetime: float, early: float, elapsed: float) -> None:
    auth = build(early=early)
    _, token = exchange(auth, answer({**GOOD, "expires_in": lifetime}), monotonic=10.0)
    assert auth.fresh(token, 10.0), "a token that is stale at once would be asked for with every request"
    if auth.fresh(token, 10.0 + elapsed):
        assert elapsed <= lifetime - min(early, lifetime / 2) + 1e-6


def test_a_form_encoded_answer_is_read() -> None:
    _, token = exchange(
        build(), answer(b"access_token=at-2&expires_in=10", content_type="application/x-www-form-urlencoded")
    )
    assert (token.access, token.expires_at) == (Secret("at-2"), 1010.0)


@pytest.mark.parametrize(
    ("status", "document", "evidence", "hint"),
    [
        (401, {"error": "invalid_client"}, "invalid_client", "client_auth: basic_plain, or post"),
        (400, {"error": "invalid_scope", "error_description": "no such"}, "invalid_scope: no such", "scopes"),
        (400, {"error": "unauthorized_client"}, "unauthorized_client", "allow the grant"),
        (200, {"error": "bad_verification_code"}, "bad_verification_code", "vendor's documents"),
        (400, {"error": {"code": "E1", "message": "m"}}, "E1: m", "vendor's documents"),
        (200, {"ok": False, "warning": "x"}, "the answer has members ok, warning", "token_url"),
        (404, b"<html>not here</html>", "21 bytes", "token_url"),
        (200, b"", "0 bytes", "token_url"),
        (200, ["x"], "5 bytes", "token_url"),
    ],
)
def test_refusals_are_read_as_rfc_6749_5_2_has_them(status: int, document: Any, evidence: str, hint: str) -> None:
    error = refusal(build(), answer(document, status))
    assert isinstance(error, AuthError) and error.exit_code == 4 and error.status == status
    assert evidence in str(error.evidence) and hint in str(error.hint)


def test_r10_a_dead_refresh_token_says_what_to_do() -> None:
    error = refusal(build(grant="refresh_token"), answer({"error": "invalid_grant"}, 400))
    assert (
        isinstance(error, AuthError) and "authorise again" in str(error.hint) and len(error.block().splitlines()) <= 12
    )


@pytest.mark.parametrize(("status", "kind"), [(503, ServerError), (500, ServerError), (429, RateLimitedError)])
def test_an_unwell_token_endpoint_is_no_mistake_of_the_credentials(status: int, kind: type[RequestError]) -> None:
    error = refusal(build(), answer(b"oops", status))
    assert type(error) is kind and error.retryable


@pytest.mark.parametrize("client_auth", ["basic", "post"])
@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_s9_no_canary_leaves_by_any_error(client_auth: str, status: int) -> None:
    auth = build(grant="refresh_token", client_auth=client_auth, refresh_token=Secret("canary-refresh"),
                 token_params={"pin": Secret("canary-pin")})  # fmt: skip
    current = Token(access=Secret("canary-access"), refresh=Secret("canary-rotated"))
    request = next(auth.obtain(current, NOW, 0.0, None))
    sent = f"{request.headers.get('Authorization', '')!r} {request.content!r}"
    echo = f"x{CANARY} {quote_plus(CANARY)} canary-refresh canary-rotated canary-pin " + sent * 20
    for document in (
        {"error": "invalid_grant", "error_description": echo},
        {"error": echo},
        {echo: 1},
        {"message": echo},
    ):
        error = refusal(auth, answer(document, status), answer(document, status), current=current)
        for text in (str(error), error.block(), json.dumps(error.to_data()), repr(error)):
            assert "canary" not in text
    assert "canary" not in repr(auth) + repr(request) + repr(current) + str(auth.to_data())


@given(text=st.text(max_size=2000))
def test_what_a_server_says_is_bounded_and_printable(text: str) -> None:
    error = refusal(build(), answer({"error": "e", "error_description": text}, 400))
    assert len(str(error.evidence)) <= 200 and str(error.evidence).isprintable()


@given(body=st.binary(max_size=60), status=st.sampled_from([200, 400, 302]))
def test_no_answer_breaks_the_reader(body: bytes, status: int) -> None:
    assert isinstance(refusal(build(), answer(body, status)), AuthError)


@pytest.mark.parametrize(
    ("status", "challenge", "refused"),
    [(401, "", True), (403, 'Bearer error="invalid_token"', True), (400, 'OAuth "x" "invalid_token" "y"', True),
     (403, 'Bearer error="insufficient_scope"', False), (200, "", False), (503, "invalid_token", False)],
)  # fmt: skip
def test_r10_a_refused_token_is_known_by_status_or_challenge(status: int, challenge: str, refused: bool) -> None:
    headers = Response.headers_of({"WWW-Authenticate": challenge})
    assert build().refused(Response(status=status, headers=headers, body=b"", url="https://api.example/")) is refused


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"grant": "authorization_code"}, "needs authorize_url"),
    ({"grant": "device_code"}, "needs device_url"),
    ({"grant": "client_credential"}, "did you mean 'client_credentials'"),
    ({"grant": "refresh_token"}, "needs refresh_token"),
    ({"client_secret": None}, "needs client_secret"),
    ({"token_url": "http://auth.example/token"}, "https://"),
    ({"token_url": "https://me:pw@auth.example/token"}, "user name"),
    ({"token_url": "auth.example/token"}, "not an address"),
    ({"token_url": "https://auth.example:99999/"}, "not an address"),
]


@pytest.mark.parametrize(("fields", "said"), MISTAKES)
def test_what_cannot_work_is_refused_when_the_file_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OAuth2.model_validate({"token_url": URL, "client_id": "app", "client_secret": "${S}", **fields})


def test_s19_a_token_endpoint_by_reference_is_checked_before_anything_is_sent() -> None:
    auth = build().model_copy(update={"token_url": Secret("http://auth.example/t")})
    with pytest.raises(AuthError, match="https"):
        next(auth.obtain(None, NOW, 0.0, None))
    assert next(build(token_url="http://127.0.0.1:8080/t").obtain(None, NOW, 0.0, None)).url.startswith("http://127")
