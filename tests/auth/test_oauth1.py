"""OAuth 1.0a against its RFC and against another implementation."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from oauthlib.common import Request as OtherRequest
from oauthlib.oauth1.rfc5849 import signature as other
from pydantic import ValidationError

from syncline.auth import OAuth1
from syncline.auth.oauth1 import base_string
from syncline.errors import AuthError
from syncline.model import Request, Secret, reveal
from tests.auth.support import NOW

PRIVATE = rsa.generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def build(**fields: Any) -> OAuth1:
    return OAuth1.model_validate({
        "consumer_key": "ck", "consumer_secret": Secret("cs&%é"), "token": "tk", "token_secret": Secret("ts+/"), **fields,
    })  # fmt: skip


def header(auth: OAuth1, request: Request) -> dict[str, str]:
    value = reveal(auth.sign(request, None, NOW).headers["Authorization"])
    assert value.startswith("OAuth ")
    return {unquote(name): unquote(text) for name, text in re.findall(r'(\w+)="([^"]*)"', value)}


def test_the_base_string_is_that_of_rfc_5849_3_4_1_1() -> None:
    request = Request(
        method="POST",
        url="http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        form=(("c2", ""), ("a3", "2 q")),
    )
    own = [("oauth_consumer_key", "9djdj82h48djs9d2"), ("oauth_token", "kkk9d7dh3k39sjv7"),
           ("oauth_signature_method", "HMAC-SHA1"), ("oauth_timestamp", "137131201"), ("oauth_nonce", "7d8f3e4a")]  # fmt: skip
    assert base_string(request, own) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26"
        "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_signature_is_that_of_rfc_5849_1_2() -> None:
    request = Request(url="http://photos.example.net/photos", params=(("file", "vacation.jpg"), ("size", "original")))
    own = [("oauth_consumer_key", "dpf43f3p2l4k3l03"), ("oauth_token", "nnch734d00sl2jdk"),
           ("oauth_signature_method", "HMAC-SHA1"), ("oauth_timestamp", "137131202"), ("oauth_nonce", "chapoH")]  # fmt: skip
    digest = hmac.digest(b"kd94hf93k423kf44&pfkkdhi9sl3r4s00", base_string(request, own).encode(), "sha1")
    assert base64.b64encode(digest) == b"MdpQcU8iPSUjWoN/UDMsK2sui9I="


VERIFIERS = {
    "HMAC-SHA1": other.verify_hmac_sha1, "HMAC-SHA256": other.verify_hmac_sha256, "HMAC-SHA512": other.verify_hmac_sha512,
    "RSA-SHA1": other.verify_rsa_sha1, "RSA-SHA256": other.verify_rsa_sha256, "PLAINTEXT": other.verify_plaintext,
}  # fmt: skip
REQUESTS = [
    Request(url="https://api.example:8443/a%20b/c?x=1&x=0&%C3%A9=%2B", params=(("q", "a b"), ("q", "A"), ("e", ""))),
    Request(method="POST", url="https://API.example:443/f", form=(("b", "2 3"), ("a", "ü&="))),
    Request(method="PUT", url="https://api.example", json={"not": "signed"}),
]


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("method", list(VERIFIERS))
@pytest.mark.parametrize("user", [True, False])
def test_another_implementation_accepts_every_signature(method: str, request_: Request, user: bool) -> None:
    fields = {"key": Secret(PEM)} if method.startswith("RSA") else {}
    nobody = {} if user else {"token": None, "token_secret": None}
    auth = build(method=method, realm="r/1", **fields, **nobody)
    sent = header(auth, request_)
    assert sent.pop("realm") == "r/1" and (sent.get("oauth_token") == "tk") is user
    theirs = OtherRequest(request_.target, request_.method)
    pairs = other.collect_parameters(
        uri_query=request_.target.partition("?")[2],
        body=(request_.content or b"").decode() if request_.form else [],
        headers={"Authorization": reveal(auth.sign(request_, None, NOW).headers["Authorization"])},
        exclude_oauth_signature=True,
    )
    theirs.params, theirs.signature = pairs, sent["oauth_signature"]
    verify = VERIFIERS[method]
    if method.startswith("RSA"):
        assert verify(theirs, PUBLIC)
        theirs.http_method = "DELETE"
        assert not verify(theirs, PUBLIC)
    else:
        assert verify(theirs, "cs&%é", "ts+/" if user else "")
        assert not verify(theirs, "wrong", "ts+/")


def test_each_attempt_has_a_nonce_of_its_own() -> None:
    request = REQUESTS[0]
    first, again = header(build(), request), header(build(), request.with_params({"q": "other"}))
    assert first["oauth_nonce"] != again["oauth_nonce"] and first["oauth_timestamp"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"method": "RSA-SHA1"}, "needs key"), ({"consumer_secret": None}, "needs consumer_secret"),
     ({"token_secret": None}, "come together"), ({"method": "MD5"}, "HMAC-SHA1")],
)  # fmt: skip
def test_what_cannot_work_is_refused_when_the_file_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        build(**fields)


def test_a_key_that_cannot_sign_is_said_without_showing_it() -> None:
    with pytest.raises(AuthError, match="RSA") as caught:
        header(build(method="RSA-SHA256", key=Secret("canary")), REQUESTS[0])
    assert "canary" not in caught.value.block()
