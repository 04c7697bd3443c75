"""Every grant of OAuth 2, every way to prove the application, and the odd answers of odd servers."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import OAuth2
from syncline.auth.token_endpoint import lifetime
from syncline.errors import AuthError
from syncline.model import Request, Secret, Token, reveal
from tests.auth.support import NOW, URL, answer, form, walk

GOOD = {"access_token": "at-1", "token_type": "bearer", "expires_in": 3600}
PRIVATE = rsa.generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def build(**fields: Any) -> OAuth2:
    return OAuth2.model_validate({"token_url": URL, "client_id": "app", **fields})


def first(auth: OAuth2, current: Token | None = None, monotonic: float = 0.0) -> Request:
    return next(auth.obtain(current, NOW, monotonic, None))


def claims(token: str, audience: str) -> dict[str, Any]:
    found: dict[str, Any] = pyjwt.decode(
        token, PRIVATE.public_key(), ["RS256"], audience=audience, options={"verify_exp": False, "verify_iat": False}
    )
    return found


def test_password_is_asked_for_as_rfc_6749_4_3_2_has_it_and_refreshed_afterwards() -> None:
    auth = build(grant="password", username="me", password=Secret("pw"), client_auth="none", scopes=["a"])
    (request,), token = walk(auth.obtain(None, NOW, 0.0, None), answer({**GOOD, "refresh_token": "r1"}))
    assert form(request) == {
        "grant_type": "password", "username": "me", "password": "pw", "scope": "a", "client_id": "app",
    }  # fmt: skip
    assert form(first(auth, token)) == {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "app"}
    requests, _ = walk(auth.obtain(token, NOW, 0.0, None), answer({"error": "invalid_grant"}, 400), answer(GOOD))
    assert [form(request)["grant_type"] for request in requests] == ["refresh_token", "password"]


def test_token_exchange_is_asked_for_as_rfc_8693_2_1_has_it() -> None:
    auth = build(grant="token_exchange", client_id=None, subject_token=Secret("st"), actor_token=Secret("ac"),
                 audience="api", scopes=["a"], token_params={"requested_token_type": "x"})  # fmt: skip
    kind = "urn:ietf:params:oauth:token-type:access_token"
    assert form(first(auth)) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "st",
        "subject_token_type": kind, "actor_token": "ac", "actor_token_type": kind, "audience": "api", "scope": "a",
        "requested_token_type": "x",
    }  # fmt: skip


def test_a_service_account_signs_what_google_wants() -> None:
    account = {
        "type": "service_account", "client_email": "robot@p.iam.example", "private_key": PEM, "private_key_id": "k1",
        "token_uri": "https://oauth2.example/token",
    }  # fmt: skip
    auth = OAuth2(
        grant="jwt_bearer", service_account=Secret(json.dumps(account)), subject="user@p.example", scopes=("s1", "s2")
    )
    request = first(auth)
    assert request.url == "https://oauth2.example/token"
    sent = form(request)
    assert sent.keys() == {"grant_type", "assertion"}
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    issued = int(NOW.timestamp())
    found = claims(sent["assertion"], "https://oauth2.example/token")
    assert len(found.pop("jti")) == 32
    assert found == {
        "iss": "robot@p.iam.example", "sub": "user@p.example", "aud": "https://oauth2.example/token",
        "scope": "s1 s2", "iat": issued, "exp": issued + 3600,
    }  # fmt: skip
    assert pyjwt.get_unverified_header(sent["assertion"]) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"client_email": 1, "private_key": "x"}', "canary"])
def test_what_is_no_key_file_is_said_without_showing_it(text: str) -> None:
    auth = OAuth2(grant="jwt_bearer", service_account=Secret(text), token_url=URL)
    with pytest.raises(AuthError, match="key file") as caught:
        first(auth)
    assert "canary" not in caught.value.block()


def test_an_assertion_names_who_and_for_whom() -> None:
    auth = build(grant="jwt_bearer", assertion={"key": Secret(PEM), "subject": "u", "audience": "https://login.example",
                                                "key_id": "7", "claims": {"box_sub_type": "user"}})  # fmt: skip
    found = claims(form(first(auth))["assertion"], "https://login.example")
    assert (found["iss"], found["sub"], found["box_sub_type"]) == ("app", "u", "user")
    assert "scope" not in found


def test_private_key_jwt_proves_the_application_as_rfc_7523_2_2_has_it() -> None:
    auth = build(client_auth="private_key_jwt", client_assertion={"key": Secret(PEM)})
    sent = form(first(auth))
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    found = claims(sent["client_assertion"], URL)
    assert (found["iss"], found["sub"], found["exp"] - found["iat"]) == ("app", "app", 300)
    again = claims(form(first(auth, monotonic=1.0))["client_assertion"], URL)
    assert found["jti"] != again["jti"], "each assertion is used once"


def test_tls_client_auth_says_its_name_and_describes_its_certificate() -> None:
    auth = build(
        client_auth="tls_client_auth",
        mtls={"certificate": "client.pem", "key": Secret("PEM"), "password": Secret("pw")},
    )
    assert form(first(auth)) == {"grant_type": "client_credentials", "client_id": "app"}
    certificate = auth.client_certificate
    assert certificate is not None and certificate.chain == Secret("client.pem")
    assert certificate.key == Secret("PEM") and certificate.password == Secret("pw")
    assert "pw" not in repr(certificate) and auth.addresses == (URL,)


def test_refreshing_has_its_own_address_and_parameters() -> None:
    auth = build(grant="refresh_token", refresh_token=Secret("r"), refresh_url="https://auth.example/refresh",
                 token_params={"a": "1"}, refresh_params={"b": "2"})  # fmt: skip
    request = first(auth)
    assert request.url == "https://auth.example/refresh"
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "app", "b": "2"}


def test_bodies_may_be_json_and_names_may_be_odd() -> None:
    auth = build(client_secret=Secret("canary"), client_auth="post", token_body="json", scopes=["a"],
                 param_names={"client_id": "client_key", "client_secret": "secret"})  # fmt: skip
    request = first(auth)
    assert json.loads(request.content or b"") == {
        "grant_type": "client_credentials", "client_key": "app", "secret": "canary", "scope": "a",
    }  # fmt: skip
    assert "canary" not in repr(request)


def test_a_token_may_stand_deep_in_its_answer() -> None:
    auth = build(client_secret=Secret("s"), token_path="data.token", grant="refresh_token", refresh_token=Secret("r"))
    document = {"code": 0, "data": {"token": "t", "refresh_token": "r2", "expires_in": "7200"}}
    _, token = walk(auth.obtain(None, NOW, 100.0, None), answer(document))
    assert (token.access, token.refresh, token.expires_at) == (Secret("t"), Secret("r2"), 7300.0)
    auth = auth.model_copy(update={"refresh_path": "renew", "expires_path": "data.until"})
    document = {"renew": "r3", "data": {"token": "t", "until": (NOW + timedelta(hours=1)).isoformat()}}
    _, token = walk(auth.obtain(None, NOW, 100.0, None), answer(document))
    assert (token.refresh, token.expires_at) == (Secret("r3"), 3700.0)


def test_a_silent_server_has_the_configured_lifetime() -> None:
    auth = build(client_secret=Secret("s"), lifetime="1h")
    _, token = walk(auth.obtain(None, NOW, 0.0, None), answer({"access_token": "t"}))
    assert token.expires_at == 3600.0


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(minutes=10), timedelta(minutes=-10), timedelta(days=400)])
@pytest.mark.parametrize("unit", [1, 1000])
def test_r11_the_moment_of_an_end_is_read_by_the_servers_own_clock(skew: timedelta, unit: int) -> None:
    theirs = NOW + skew
    document = {"access_token": "t", "expires_at": int((theirs.timestamp() + 1800) * unit)}
    _, token = walk(
        build(client_secret=Secret("s")).obtain(None, NOW, 50.0, None),
        answer(document, Date=format_datetime(theirs, usegmt=True)),
    )
    assert token.expires_at == 1850.0


@pytest.mark.parametrize("skew", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_r11_a_lifetime_does_not_care_for_any_clock_of_the_wall(skew: timedelta) -> None:
    _, token = walk(
        build(client_secret=Secret("s")).obtain(None, NOW, 50.0, None),
        answer(GOOD, Date=format_datetime(NOW + skew, usegmt=True)),
    )
    assert token.expires_at == 3650.0


@given(
    value=st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=30), st.lists(st.integers()))
)
def test_no_lifetime_breaks_the_reader(value: Any) -> None:
    seconds = lifetime(value, NOW)
    assert seconds is None or seconds > 0


@pytest.mark.parametrize("error", [None, 0, "", False])
def test_an_error_that_is_none_is_no_error(error: Any) -> None:
    _, token = walk(build(client_secret=Secret("s")).obtain(None, NOW, 0.0, None), answer({**GOOD, "error": error}))
    assert token.access == Secret("at-1")


@pytest.mark.parametrize("grant", ["authorization_code", "device_code"])
def test_without_a_log_in_the_way_to_it_is_said(grant: str) -> None:
    auth = build(grant=grant, authorize_url="https://auth.example/authorize", device_url="https://auth.example/device")
    with pytest.raises(AuthError, match="nobody has agreed") as caught:
        first(auth)
    assert caught.value.hint == "syncline login FILE" and caught.value.exit_code == 4
    with pytest.raises(AuthError, match="no refresh token") as caught:
        first(auth, Token(access=Secret("t")))
    assert caught.value.hint == "syncline login FILE"
    request = first(auth, Token(access=Secret("t"), refresh=Secret("r")))
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "app"}


def test_parts_of_addresses_may_come_by_reference() -> None:
    auth = build(token_url="https://${SUBDOMAIN}.shop.example/token", client_secret="${S}")
    assert auth.to_data()["token_url"] == "https://${SUBDOMAIN}.shop.example/token"
    resolved = auth.model_copy(
        update={"token_url": Secret("https://acme.shop.example/token"), "client_secret": Secret("s")}
    )
    assert first(resolved).url == "https://acme.shop.example/token"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"grant": "password", "username": "me"}, "needs password"),
    ({"grant": "token_exchange"}, "needs subject_token"),
    ({"grant": "jwt_bearer"}, "needs assertion or service_account"),
    ({"token_url": None, "client_secret": "${S}"}, "needs token_url"),
    ({"client_auth": "private_key_jwt"}, "needs client_assertion"),
    ({"client_auth": "tls_client_auth"}, "needs mtls"),
    ({"client_auth": "post"}, "needs client_secret"),
    ({"grant": "jwt_bearer", "assertion": {"key": "literal"}}, "a secret stands in the file"),
    ({"client_secret": "${S}", "token_path": "a..b"}, "no path"),
    ({"client_secret": "${S}", "refresh_url": "http://auth.example"}, "https"),
    ({"client_auth": "tls_client_auth", "mtls": {"certificate": "c", "key": "-----BEGIN PRIVATE KEY-----"}}, "private key"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "said"), MISTAKES)
def test_what_cannot_work_is_refused_when_the_file_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        build(**fields)


def test_s9_no_canary_of_any_grant_leaves_by_an_error() -> None:
    secrets = ["canary-pw", "canary-st", "canary-ac", PEM]
    for auth in (
        build(grant="password", username="u", password=Secret("canary-pw"), token_body="json"),
        build(grant="token_exchange", subject_token=Secret("canary-st"), actor_token=Secret("canary-ac")),
        build(client_auth="private_key_jwt", client_assertion={"key": Secret(PEM)}),
    ):
        request = first(auth)
        echo = " ".join([*secrets[:3], *(reveal(value) for _, value in request.form)])
        with pytest.raises(AuthError) as caught:
            walk(auth.obtain(None, NOW, 0.0, None), answer({"error": "x", "error_description": echo}, 400))
        shown = caught.value.block() + repr(request) + repr(auth) + json.dumps(caught.value.to_data())
        for _, value in request.form:
            assert not isinstance(value, Secret) or len(value.reveal()) < 8 or value.reveal() not in shown
        assert PEM not in shown and (auth.password is None or "canary-pw" not in shown)
