"""Several keys in turn, and certificates."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from syncline.auth import Combined, Mtls, Rotate
from syncline.model import Request, Response, Secret, Token, reveal
from tests.auth.support import NOW, answer, walk

REQUEST = Request(url="https://api.example/")


def build(number: int = 3) -> Rotate:
    return Rotate.model_validate({"auths": [{"kind": "bearer", "token": Secret(f"k{n}")} for n in range(number)]})


def following(auth: Rotate, current: Token | None, challenge: Response | None, monotonic: float = 0.0) -> Token:
    return walk(auth.obtain(current, NOW, monotonic, challenge))[1]


def key(auth: Rotate, token: Token) -> str:
    return reveal(auth.sign(REQUEST, token, NOW).headers["Authorization"]).removeprefix("Bearer ")


def test_one_key_is_used_until_it_is_refused_and_then_the_next() -> None:
    auth = build()
    first = following(auth, None, None)
    second = following(auth, first, answer({}, 429))
    third = following(auth, second, answer({}, 429))
    assert [key(auth, token) for token in (first, second, third)] == ["k0", "k1", "k2"]
    assert auth.renewals == 2 and auth.fresh(first, 1e9)
    assert [auth.refused(answer({}, status)) for status in (401, 429, 403, 500)] == [True, True, False, False]


def test_the_key_whose_rest_ends_first_comes_next() -> None:
    auth = build()
    token = following(auth, None, None)
    token = following(auth, token, answer({}, 429, Retry_After="100"), 0.0)
    token = following(auth, token, answer({}, 429, Retry_After="10"), 0.0)
    assert key(auth, following(auth, token, answer({}, 429, Retry_After="500"), 1.0)) == "k1"


def test_a_key_that_was_refused_is_the_last_resort() -> None:
    auth = build(2)
    token = following(auth, following(auth, None, None), answer({}, 401))
    assert key(auth, token) == "k1"
    assert key(auth, following(auth, token, answer({}, 429, Retry_After="3600"), 1.0)) == "k1"


def test_a_key_that_still_rests_is_not_fresh() -> None:
    auth = build(2)
    token = following(auth, following(auth, None, None), answer({}, 429, Retry_After="5"), 10.0)
    assert auth.fresh(token, 10.0)
    token = following(auth, token, answer({}, 429, Retry_After="50"), 11.0)
    assert key(auth, token) == "k0" and not auth.fresh(token, 14.0) and auth.fresh(token, 15.0)


def test_a_key_that_has_rested_is_used_again_in_turn() -> None:
    auth = build(2)
    token = following(auth, following(auth, None, None), answer({}, 429, Retry_After="5"))
    assert key(auth, following(auth, token, answer({}, 429, Retry_After="5"), 60.0)) == "k0"


@pytest.mark.parametrize(
    "auths",
    [[], [{"kind": "bearer", "token": "${A}"}],
     [{"kind": "bearer", "token": "${A}"}, {"kind": "jwt", "algorithm": "HS256", "key": "${K}"}]],
)  # fmt: skip
def test_what_cannot_be_used_in_turn_is_refused(auths: list[Any]) -> None:
    with pytest.raises(ValidationError):
        Rotate.model_validate({"auths": auths})


def test_a_certificate_is_described_and_the_request_left_alone() -> None:
    auth = Mtls(certificate="client.pem", key="client.key")
    assert auth.sign(REQUEST, None, NOW) is REQUEST and not auth.needs_token
    both = Combined.model_validate([{"kind": "api_key", "key": "${K}"}, auth])
    certificate = both.client_certificate
    assert certificate is not None and certificate.key == Secret("client.key") and certificate.password is None
    assert Mtls.model_validate(auth.to_data()) == auth


def test_a_private_key_in_the_file_is_refused() -> None:
    with pytest.raises(ValidationError, match="a private key stands in the file"):
        Mtls.model_validate({"certificate": "c.pem", "key": "-----BEGIN PRIVATE KEY-----\nMII"})
