"""Signatures over parts of the request."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from syncline.auth import Hmac
from syncline.errors import AuthError
from syncline.model import Request, Secret, reveal

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
REQUEST = Request(
    method="POST",
    url="https://api.example:8443/v2/a%20b?z=1&a=2",
    params=(("m", "x y"), ("a", "1")),
    body=b'{"n":1}',
)


def build(key: str = "k", **fields: Any) -> Hmac:
    return Hmac.model_validate({"key": Secret(key), **fields})


def headers(auth: Hmac, request: Request = REQUEST, now: datetime = NOW) -> dict[str, str]:
    return {name: reveal(value) for name, value in auth.sign(request, None, now).headers.items()}


def over(text: str, key: str = "k") -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("key", "data", "algorithm", "expected"),
    [
        ("0b" * 20, b"Hi There", "sha256", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".hex(),
            b"what do ya want for nothing?",
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        ("aa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First", "sha256",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        (b"Jefe".hex(), b"what do ya want for nothing?", "sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ],
)  # fmt: skip
def test_signatures_are_those_of_rfc_4231_and_rfc_2202(key: str, data: bytes, algorithm: str, expected: str) -> None:
    auth = build(key, key_encoding="hex", sign=["body"], algorithm=algorithm)
    assert headers(auth, msgspec.structs.replace(REQUEST, body=data))["X-Signature"] == expected


def test_a_signature_is_that_of_a_known_vendor() -> None:
    auth = build("It's a Secret to Everybody", sign=["body"], header="X-Hub-Signature-256", prefix="sha256=")
    signed = headers(auth, Request(url="https://api.example/", body=b"Hello, World!"))
    assert signed == {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (["method", "\n", "path", "\n", "query"], "POST\n/v2/a%20b\na=1&a=2&m=x+y&z=1"),
        (["target"], "/v2/a%20b?z=1&a=2&m=x+y&a=1"),
        (["host", "|", "body"], 'api.example:8443|{"n":1}'),
        (["body_sha256"], hashlib.sha256(b'{"n":1}').hexdigest()),
        ([{"text": "method"}, ":", "method"], "method:POST"),
    ],
)
def test_parts_are_joined_as_they_stand(sign: list[Any], text: str) -> None:
    assert headers(build(sign=sign))["X-Signature"] == over(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("unix", "1795348800"),
        ("unix_ms", "1795348800250"),
        ("iso8601", "2026-11-22T12:00:00Z"),
        ("http_date", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ],
)
def test_the_timestamp_signed_is_the_one_sent(form: str, text: str) -> None:
    signed = headers(build(sign=["timestamp", ".", "body"], timestamp_header="X-Time", timestamp_format=form))
    assert signed == {"X-Time": text, "X-Signature": over(f'{text}.{{"n":1}}')}


def test_a_json_body_is_signed_as_it_will_be_sent() -> None:
    request = Request(method="POST", url="https://api.example/", json={"b": [1, "é"]})
    assert headers(build(sign=["body"]), request)["X-Signature"] == over((request.content or b"").decode())


MD5 = hashlib.md5(b'{"n":1}').digest()


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (["query_as_sent"], "z=1&a=2&m=x+y&a=1"),
        (["url"], REQUEST.target),
        (["body_sha256_base64"], base64.b64encode(hashlib.sha256(b'{"n":1}').digest()).decode()),
        (["body_md5", " ", "body_md5_base64"], f"{MD5.hex()} {base64.b64encode(MD5).decode()}"),
        ([{"header": "x-time"}, "|", {"header": "X-None"}, "|", {"header": "Content-Type"}], "1795348800||text/x"),
    ],
)
def test_further_parts_can_be_signed(sign: list[Any], text: str) -> None:
    request = REQUEST.with_headers({"content-type": "text/x"})
    signed = headers(build(sign=[*sign], timestamp_header="X-Time"), request)
    assert signed["X-Signature"] == over(text)


def test_a_signature_in_the_query_covers_what_is_sent_beside_it() -> None:
    # the example of Binance's documents for signed endpoints
    auth = build("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j", sign=["query_as_sent"],
                 header="signature", **{"in": "query"})  # fmt: skip
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    signed = auth.sign(Request(method="POST", url=f"https://api.example/order?{query}"), None, NOW)
    assert signed.target.endswith("&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71")
    assert "c8db" not in repr(signed)
    timed = build(sign=["query_as_sent"], header="sig", timestamp_header="t", **{"in": "query"})
    assert timed.sign(REQUEST, None, NOW).params[-2:] == (
        ("t", Secret("1795348800")), ("sig", Secret(over("z=1&a=2&m=x+y&a=1&t=1795348800"))),
    )  # fmt: skip


def test_a_template_says_everything_in_one_header() -> None:
    auth = build(sign=["timestamp", "nonce"], header="Authorization", key_id="app {nonce}", encoding="base64url",
                 template="HMAC {key_id}:{timestamp}:{nonce}:{signature}", algorithm="sha384")  # fmt: skip
    value = headers(auth)["Authorization"]
    name, moment, nonce, signature = value.removeprefix("HMAC ").split(":")
    expected = hmac.digest(b"k", f"{moment}{nonce}".encode(), "sha384")
    assert (name, moment) == ("app {nonce}", "1795348800")
    assert base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) == expected


def test_the_address_of_a_request_without_query_or_path_can_be_signed() -> None:
    auth = build(sign=["target", "query", "body"])
    assert headers(auth, Request(url="https://api.example"))["X-Signature"] == over("/")


def test_each_attempt_gets_a_fresh_signature_and_nonce() -> None:
    auth = build(sign=["timestamp", "nonce"], timestamp_header="X-Time", nonce_header="X-Nonce")
    attempts = [
        headers(auth, msgspec.structs.replace(REQUEST, attempt=n), NOW + timedelta(seconds=2 * n)) for n in range(50)
    ]
    attempts.append(headers(auth, msgspec.structs.replace(REQUEST, attempt=99), NOW))
    assert len({signed["X-Signature"] for signed in attempts}) == 51
    assert len({signed["X-Nonce"] for signed in attempts}) == 51


def test_the_key_id_is_sent_and_the_key_is_not() -> None:
    signed = headers(build("canary-key", sign=["method"], encoding="base64", key_id="app-1", key_id_header="X-Key"))
    assert signed["X-Key"] == "app-1" and "canary" not in str(signed)
    assert build("canary-key", sign=["method"]).__repr__().find("canary") == -1


@given(pairs=st.lists(st.tuples(st.text("ab=&é ", max_size=3), st.text("ab=&é ", max_size=3)), max_size=6))
def test_the_order_of_the_parameters_does_not_change_the_signature(pairs: list[tuple[str, str]]) -> None:
    auth = build(sign=["query"])
    there = Request(url="https://api.example/", params=tuple(pairs))
    back = Request(url="https://api.example/", params=tuple(reversed(pairs)))
    assert headers(auth, there) == headers(auth, back)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sign": ["timestmp"]}, "timestamp"),
        ({"sign": ["timestamp"]}, "timestamp_header"),
        ({"sign": ["nonce"]}, "nonce_header"),
        ({"sign": []}, "at least 1"),
        ({"sign": [7]}, "quotes"),
        ({"sign": [{"txt": "x"}]}, "text"),
        ({"sign": ["body"], "key_id": "a"}, "come together"),
        ({"sign": ["body"], "template": "x"}, "no {signature}"),
        ({"sign": ["body"], "template": "{signature}", "prefix": "v1="}, "remove prefix"),
        ({"sign": ["body"], "template": "{key_id}{signature}"}, "come together"),
        ({"sign": [{"header": 7}]}, "write the name"),
        ({"sign": ["body"], "header": "X Y"}, "cannot name a header"),
    ],
)
def test_what_cannot_work_is_refused_when_the_file_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        build(**fields)


def test_a_key_in_another_encoding_is_said_without_showing_it() -> None:
    with pytest.raises(AuthError) as caught:
        headers(build("canary-not-hex", key_encoding="hex", sign=["body"]))
    assert "canary" not in caught.value.block() and "key_encoding" in str(caught.value.hint)
