"""AWS's own signatures, from its published test suite for Signature Version 4 (aws-signing-test-suite/v4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncline.auth import AwsSigV4
from syncline.model import Request, Secret, reveal

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
LONG_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI"
    "/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT"
    "38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
WORDS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# name, method, path and query as sent, signature
VECTORS = [
    ("get-relative", "GET", "/example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-slash", "GET", "//", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-slash-pointless-dot", "GET", "/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    ("get-slashes", "GET", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("get-space", "GET", "/example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("get-unreserved", "GET", f"/{WORDS}", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", "GET", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("empty-query-key", "GET", "/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("query-order-key-case", "GET", "/?Param2=value2&Param1=value1",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("query-unreserved", "GET", f"/?{WORDS}={WORDS}", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("utf8-query", "GET", "/?ሴ=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("post-vanilla-query", "POST", "/?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
]  # fmt: skip


def build(**fields: Any) -> AwsSigV4:
    return AwsSigV4.model_validate({
        "access_key": "AKIDEXAMPLE", "secret_key": Secret(SECRET), "service": "service", "region": "us-east-1", **fields,
    })  # fmt: skip


def headers(auth: AwsSigV4, **request: Any) -> dict[str, str]:
    given = {"url": "https://example.amazonaws.com/", **request}
    return {name: reveal(value) for name, value in auth.sign(Request(**given), None, NOW).headers.items()}


def signature(auth: AwsSigV4, **request: Any) -> tuple[str, str]:
    """The signed headers' names, and the signature."""
    value = headers(auth, **request)["Authorization"]
    credential, names, found = value.removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    assert credential.startswith("Credential=AKIDEXAMPLE/20150830/us-east-1/")
    return names.removeprefix("SignedHeaders="), found.removeprefix("Signature=")


@pytest.mark.parametrize(
    ("method", "target", "expected"), [row[1:] for row in VECTORS], ids=[row[0] for row in VECTORS]
)
def test_signatures_are_those_that_aws_published(method: str, target: str, expected: str) -> None:
    found = signature(build(), method=method, url=f"https://example.amazonaws.com{target}")
    assert found == ("host;x-amz-date", expected)


@pytest.mark.parametrize(
    ("method", "token", "expected"),
    [("GET", TOKEN, "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
     ("POST", LONG_TOKEN, "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")],
)  # fmt: skip
def test_a_session_token_is_sent_and_signed(method: str, token: str, expected: str) -> None:
    auth = build(session_token=Secret(token))
    assert signature(auth, method=method) == ("host;x-amz-date;x-amz-security-token", expected)
    assert headers(auth, method=method)["X-Amz-Security-Token"] == token


def test_other_headers_are_signed_with_their_spaces_folded() -> None:
    own = {"My-Header1": " value1", "My-Header2": ' "a   b   c"', "User-Agent": "not signed"}
    assert signature(build(), headers=own) == (
        "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    )  # fmt: skip


def test_a_body_is_signed_by_its_hash() -> None:
    own = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": "13",
        "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
    }
    assert signature(build(), method="POST", headers=own, form=(("Param1", "value1"),)) == (
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    )


def test_storage_wants_its_path_as_sent_and_the_hash_in_a_header() -> None:
    # the example "GET Object" of Amazon's guide to Signature Version 4 in S3
    auth = AwsSigV4(access_key="AKIAIOSFODNN7EXAMPLE", secret_key=Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                    service="s3", region="us-east-1")  # fmt: skip
    request = Request(url="https://examplebucket.s3.amazonaws.com/test.txt", headers={"Range": "bytes=0-9"})
    signed = auth.sign(request, None, datetime(2013, 5, 24, tzinfo=UTC))
    assert reveal(signed.headers["Authorization"]).endswith(
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    assert signed.headers["X-Amz-Content-Sha256"].startswith("e3b0c44298fc1c149afb")  # type: ignore[union-attr]


def test_a_space_in_a_parameter_means_the_same_to_everybody() -> None:
    request = Request(url="https://example.amazonaws.com/?b=1", params=(("a", "x y"), ("c", "+")))
    signed = build().sign(request, None, NOW)
    assert signed.target == "https://example.amazonaws.com/?b=1&a=x%20y&c=%2B"
    apart = build().sign(Request(url=signed.target), None, NOW)
    assert signed.headers == apart.headers


def test_a_json_body_says_what_it_is_before_it_is_signed() -> None:
    names, _ = signature(build(), method="POST", json={"a": 1})
    assert names == "content-type;host;x-amz-date"
    assert signature(build(), url="https://example.amazonaws.com:8443/")[1] != signature(build())[1]
