"""Tokens that we sign ourselves."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import Jwt
from syncline.auth.jwt import compact
from syncline.errors import AuthError
from syncline.model import Request, Secret, Token, reveal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUEST = Request(url="https://api.example/")
LONG = "s" * 64


def obtain(auth: Jwt, now: datetime = NOW, monotonic: float = 1_000.0) -> Token:
    try:
        next(auth.obtain(None, now, monotonic, None))
    except StopIteration as done:
        assert isinstance(done.value, Token)
        return done.value
    raise AssertionError("a token that is signed here needs no request")


def pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_hs256_gives_the_example_of_rfc_7515_a1_and_rfc_7519_3_1() -> None:
    key = Secret("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    header = b'{"typ":"JWT",\r\n "alg":"HS256"}'
    payload = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    assert compact(header, payload, "HS256", key, "base64") == (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )


def test_eddsa_gives_the_example_of_rfc_8037_a4() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(unpadded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    assert compact(b'{"alg":"EdDSA"}', b"Example of Ed25519 signing", "EdDSA", Secret(pem(key))).split(".")[2] == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_another_implementation_accepts_what_is_signed(algorithm: str) -> None:
    auth = Jwt.model_validate(
        {"algorithm": algorithm, "key": "${K}", "claims": {"iss": "me", "roles": ["a"]}, "headers": {"kid": "1"}}
    ).model_copy(update={"key": Secret(LONG)})
    token = obtain(auth).access.reveal()
    claims = pyjwt.decode(token, LONG, [algorithm], options={"verify_exp": False, "verify_iat": False})
    assert claims == {"iss": "me", "roles": ["a"], "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 300}
    assert pyjwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "1"}


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("one_line", [False, True])
def test_private_keys_sign_also_where_their_line_breaks_are_written_out(algorithm: str, one_line: bool) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm in ("RS256", "PS256"):
        key = rsa.generate_private_key(65537, 2048)
    elif algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    text = pem(key).replace("\n", "\\n") if one_line else pem(key)
    token = obtain(Jwt(algorithm=algorithm, key=Secret(text))).access.reveal()  # type: ignore[arg-type]
    assert pyjwt.decode(token, key.public_key(), [algorithm], options={"verify_exp": False, "verify_iat": False})


def test_claims_may_be_references() -> None:
    auth = Jwt.model_validate({"algorithm": "HS256", "key": "${K}", "claims": {"iss": "${ISSUER}", "sub": 1}})
    assert auth.to_data()["claims"] == {"iss": "${ISSUER}", "sub": 1}
    resolved = auth.model_copy(update={"key": Secret(LONG), "claims": {"iss": Secret("acme"), "sub": 1}})
    assert b'"iss":"acme"' in unpadded(obtain(resolved).access.reveal().split(".")[1])


@given(lifetime=st.floats(1, 86_400), elapsed=st.floats(0, 100_000), backdate=st.floats(0, 0.9))
def test_a_token_is_replaced_before_it_runs_out_and_never_at_once(
    lifetime: float, elapsed: float, backdate: float
) -> None:
    auth = Jwt(algorithm="HS256", key=Secret(LONG), lifetime=lifetime, backdate=backdate * lifetime)
    token = obtain(auth, monotonic=50.0)
    claims = pyjwt.decode(token.access.reveal(), options={"verify_signature": False})
    if auth.fresh(token, 50.0 + elapsed):
        assert claims["exp"] > NOW.timestamp() + elapsed - 2  # the claim counts whole seconds
    assert backdate > 0.7 or auth.fresh(token, 50.0)


def test_the_token_is_borne_in_the_header_asked_for() -> None:
    auth = Jwt(algorithm="HS256", key=Secret(LONG), header="X-Token", prefix=None)
    token = obtain(auth)
    assert {name: reveal(value) for name, value in auth.sign(REQUEST, token, NOW).headers.items()} == {
        "X-Token": token.access.reveal()
    }


def test_a_key_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing a PEM takes fifty times as long as signing with what comes of it."""
    parsed = []
    parse = pyjwt.algorithms.RSAAlgorithm.prepare_key

    def counting(self: pyjwt.algorithms.RSAAlgorithm, key: Any) -> Any:
        parsed.append(key)
        return parse(self, key)

    monkeypatch.setattr(pyjwt.algorithms.RSAAlgorithm, "prepare_key", counting)
    auth = Jwt(algorithm="RS256", key=Secret(pem(rsa.generate_private_key(65537, 2048))))
    for _ in range(3):
        obtain(auth)
    assert len(parsed) == 1


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt.algorithms.has_crypto", False)
    with pytest.raises(AuthError) as caught:
        obtain(Jwt(algorithm="ES512", key=Secret("any")))
    assert "syncline[crypto]" in str(caught.value.hint)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_wrong_key_is_said_without_showing_it(algorithm: str) -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    for text in ("canary-key", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()):
        with pytest.raises(AuthError) as caught:
            obtain(Jwt(algorithm=algorithm, key=Secret(text)))  # type: ignore[arg-type]
        assert text[:30] not in caught.value.block() and caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        {"claims": {"exp": 1}},
        {"headers": {"alg": "none"}},
        {"algorithm": "none"},
        {"backdate": "5m"},
        {"lifetime": "10ms"},
    ],
)
def test_what_cannot_work_is_refused_when_the_file_is_read(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Jwt.model_validate({"algorithm": "HS256", "key": "${K}", **data})
