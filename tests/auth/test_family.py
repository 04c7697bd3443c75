"""Every kind as the file spells it, combinations, and what is never shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import Field, ValidationError

from syncline.auth import (
    ApiKey,
    Auth,
    AuthField,
    AwsSigV4,
    Basic,
    Bearer,
    Combined,
    Digest,
    Hmac,
    Jwt,
    Mtls,
    OAuth1,
    OAuth2,
    Session,
)
from syncline.model import Part, Request, Response, Secret, Token, kinds, reveal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUEST = Request(url="https://api.example/orders")
OAUTH = {"kind": "oauth2", "token_url": "https://a.example/t", "client_id": "${ID}", "client_secret": "${SECRET}"}

FILES: list[dict[str, Any]] = [
    {"kind": "api_key", "key": "${K}"},
    {"kind": "api_key", "key": "${K}", "in": "query", "name": "key", "prefix": "x="},
    {"kind": "bearer", "token": "${file:/run/secrets/t}"},
    {"kind": "basic", "username": "me", "password": "${P}"},
    {"kind": "basic", "username": "${STRIPE_KEY}"},
    {**OAUTH, "scopes": ["a"], "early": "2m", "token_params": {"resource": "${R}"}, "client_auth": "post"},
    {**OAUTH, "grant": "refresh_token", "refresh_token": "${RT}", "audience": "x"},
    {"kind": "jwt", "algorithm": "HS256", "key": "${K}", "claims": {"iss": "${I}", "n": [1]}, "lifetime": "10m"},
    {
        "kind": "hmac",
        "key": "${K}",
        "sign": ["method", "\n", {"text": "body"}, "${SALT}", "body"],
        "encoding": "base64",
    },
    {"kind": "hmac", "key": "${K}", "sign": [{"header": "Date"}, "url"], "in": "query", "header": "sig"},
    {
        "kind": "oauth2", "grant": "authorization_code", "token_url": "https://${SUB}.a.example/t",
        "authorize_url": "https://${SUB}.a.example/authorize", "client_id": "app", "issuer": "https://a.example",
        "redirect_uri": "http://127.0.0.1:8765/callback", "authorize_params": {"prompt": "${P}"}, "token_body": "json",
    },
    {
        "kind": "oauth2", "grant": "jwt_bearer", "service_account": "${file:/run/secrets/account.json}",
        "scopes": ["a"], "subject": "me@a.example",
    },
    {
        **{name: text for name, text in OAUTH.items() if name != "client_secret"}, "client_auth": "private_key_jwt",
        "client_assertion": {"key": "${K}", "claims": {"x": "${Y}"}, "lifetime": "1m"}, "token_path": "data.token",
    },
    {"kind": "session", "path": "/login", "json": {"user": "me", "password": "${P}"}, "token": "data.token"},
    {"kind": "session", "url": "https://a.example/login", "form": {"p": "${P}"}, "token_cookie": "sid", "in": "header",
     "name": "X-Sid", "template": "s {token}", "login_auth": {"kind": "basic", "username": "u", "password": "${P}"}},
    {"kind": "aws_sigv4", "access_key": "${A}", "secret_key": "${B}", "service": "es", "region": "eu-central-1"},
    {"kind": "oauth1", "consumer_key": "ck", "consumer_secret": "${S}", "token": "${T}", "token_secret": "${TS}"},
    {"kind": "digest", "username": "me", "password": "${P}"},
    {"kind": "mtls", "certificate": "client.pem", "key": "${file:/run/secrets/client.key}", "password": "${P}"},
    {"kind": "rotate", "auths": [{"kind": "bearer", "token": "${A}"}, {"kind": "bearer", "token": "${B}"}]},
]  # fmt: skip


class Holder(Part):
    auth: AuthField = Field(default=None, description="Any auth")


@pytest.mark.parametrize("data", FILES, ids=lambda data: str(data["kind"]))
def test_every_kind_reads_back_what_it_writes(data: dict[str, Any]) -> None:
    auth = Holder.model_validate({"auth": data}).auth
    assert auth is not None and auth.to_data() == data
    assert type(auth).model_validate(auth.to_data()) == auth


def test_every_kind_is_known_by_its_name_and_every_field_is_described() -> None:
    assert set(kinds("auth")) >= {"api_key", "bearer", "basic", "oauth2", "jwt", "hmac", "combined"} | {
        "session", "aws_sigv4", "oauth1", "digest", "mtls", "rotate",
    }  # fmt: skip
    for part in kinds("auth").values():
        if not part.__module__.startswith("syncline."):
            continue  # other tests register theirs
        assert part.__doc__ and all(field.description for field in part.model_fields.values())
        assert part.model_json_schema()["properties"]


def test_none_and_lists_are_read_as_auth() -> None:
    assert Holder.model_validate({"auth": None}) == Holder() == Holder.model_validate({})
    both = Holder.model_validate({"auth": FILES[:3]})
    assert isinstance(both.auth, Combined) and both.to_data() == {"auth": FILES[:3]}
    assert Combined.model_validate(both.auth.to_data()) == both.auth
    assert Holder.model_validate(both.to_data()) == both


def test_a_combination_applies_each_in_order_with_the_one_token() -> None:
    auth = Combined.model_validate([
        ApiKey(key=Secret("k")),
        Jwt(algorithm="HS256", key=Secret("s" * 32)),
        Hmac.model_validate({"key": Secret("h"), "sign": ["path"]}),
    ])  # fmt: skip
    assert auth.needs_token
    try:
        next(auth.obtain(None, NOW, 5.0, None))
    except StopIteration as done:
        token: Token = done.value
    assert auth.fresh(token, 5.0) and not auth.fresh(token, 5.0 + 300)
    signed = auth.sign(REQUEST, token, NOW)
    assert list(signed.headers) == ["X-API-Key", "Authorization", "X-Signature"]
    assert auth.refused(Response(status=401, headers=Response.headers_of({}), body=b"", url=REQUEST.url))


@pytest.mark.parametrize(
    "data", [[], [OAUTH, OAUTH], [{"kind": "baerer", "token": "${T}"}], "bearer", [{"token": "${T}"}]]
)
def test_combinations_that_cannot_work_are_refused(data: Any) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"auth": data})


def test_what_has_no_token_says_so() -> None:
    assert not Bearer(token=Secret("t")).needs_token
    with pytest.raises(TypeError, match="bearer"):
        Bearer(token=Secret("t")).obtain(None, NOW, 0.0, None)
    with pytest.raises(TypeError, match="token"):
        Jwt(algorithm="HS256", key=Secret("s")).sign(REQUEST, None, NOW)


SECRETS: list[Auth] = [
    ApiKey(key=Secret("canary")),
    Bearer(token=Secret("canary")),
    Bearer.model_validate({"token": Secret("canary"), "in": "query"}),
    OAuth2.model_validate(
        {"token_url": "https://a.example/t", "client_id": "c", "client_secret": Secret("canary"), "in": "query"}
    ),
    Basic(username="u", password=Secret("canary")),
    OAuth2(token_url="https://a.example/t", client_id=Secret("canary"), client_secret=Secret("canary")),
    Jwt(algorithm="HS256", key=Secret("canary"), claims={"sub": Secret("canary")}),
    Hmac.model_validate({"key": Secret("canary"), "sign": ["body", Secret("canary")]}),
    OAuth1(
        consumer_key="c", consumer_secret=Secret("canary"), token="t", token_secret=Secret("canary"), method="PLAINTEXT"
    ),
    AwsSigV4(access_key="a", secret_key=Secret("canary"), session_token=Secret("canary"), service="s", region="r"),
    Session(path="/", token="t", document={"password": Secret("canary")}),
    Digest(username="u", password=Secret("canary")),
    Mtls(certificate="c", key=Secret("canary"), password=Secret("canary")),
]


@pytest.mark.parametrize("auth", [*SECRETS, Combined(auths=tuple(SECRETS[:3]))], ids=lambda auth: type(auth).__name__)
def test_s9_a_canary_is_in_no_spelling_of_an_auth_or_of_what_it_signs(auth: Auth) -> None:
    token = Token(access=Secret("canary"))
    signed = auth.sign(REQUEST, token, NOW)
    shown = [repr(auth), str(auth), f"{auth}", str(auth.to_data()), auth.model_dump_json(), repr(signed), signed.shown]
    assert not any("canary" in text or "Y2FuYXJ5" in text for text in shown)
    sent = [*signed.headers.values(), *(value for _, value in signed.params)]
    assert "canary" in "".join(map(reveal, sent)) or not isinstance(auth, ApiKey | Bearer | OAuth2)


@pytest.mark.parametrize("name", [None, "oauth_token"])
def test_a_token_is_sent_in_the_query_where_the_api_reads_it_there(name: str | None) -> None:
    more = {"in": "query", **({"name": name} if name else {})}
    fixed = Bearer.model_validate({"token": Secret("t&1"), **more})
    asked = OAuth2.model_validate(
        {"token_url": "https://a.example/t", "client_id": "c", "client_secret": "${S}", **more}
    )
    for auth in (fixed, asked):
        signed = auth.sign(REQUEST, Token(access=Secret("t&1")), NOW)
        assert {key: reveal(value) for key, value in signed.params}[name or "access_token"] == "t&1"
        assert "Authorization" not in signed.headers
        assert auth.to_data()["in"] == "query"
