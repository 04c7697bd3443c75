"""From bytes to documents, and what the errors show of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from syncline.errors import BodyError, BrokenBodyError, SynclineError
from syncline.http import decode_json_body, decode_ndjson_body, status_error
from syncline.http.snippets import printable
from syncline.model import Request
from tests.http.servers import answer

GET = Request(url="https://api.test/x?token=canary")


def test_numbers_stay_exact():
    document = decode_json_body(answer(body=b'{"a": 0.10, "b": 123456789012345678901234567890}'))
    assert document == {"a": Decimal("0.10"), "b": 123456789012345678901234567890}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b" \n<?xml version='1.0'?><a/>", b"\xef\xbb\xbf<html>", b'{"a": 1', b"oops"]
)
def test_r18_what_is_not_json_is_never_a_document(body):
    with pytest.raises(BrokenBodyError) as caught:
        decode_json_body(answer(body=body))
    assert caught.value.hint


def test_r18_null_is_a_document_for_the_source_to_judge():
    assert decode_json_body(answer(body=b"null")) is None


def test_r18_an_html_page_is_named_whatever_its_body_starts_with():
    with pytest.raises(BrokenBodyError) as caught:
        decode_json_body(
            answer(headers={"Content-Type": "text/html"}, body=b"Please log in <title>Log\x1b[31m in</title>")
        )
    assert caught.value.evidence == r"a page titled 'Log\x1b[31m in'"


def test_lines_of_json():
    assert decode_ndjson_body(answer(body=b'{"a": 1}\r\n\n{"a": 2}\n')) == [{"a": 1}, {"a": 2}]
    assert decode_ndjson_body(answer(body=b"")) == []
    with pytest.raises(BrokenBodyError) as caught:
        decode_ndjson_body(answer(body=b'{"a": 1}\n{"a": '))
    assert "line 2" in caught.value.what
    with pytest.raises(BrokenBodyError):
        decode_ndjson_body(answer(body=b"<html>"))
    with pytest.raises(BodyError) as deep:
        decode_ndjson_body(answer(body=b"{}\n" + b"[" * 5_000 + b"]" * 5_000))
    assert "line 2" in deep.value.what


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_document_or_a_named_error(body):
    for decode in (decode_json_body, decode_ndjson_body):
        try:
            decode(answer(body=body))
        except SynclineError as error:
            assert len(error.block().splitlines()) <= 12


@given(st.text(max_size=2_000))
def test_evidence_is_short_and_safe_to_print(text):
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 300


@pytest.mark.parametrize(
    ("body", "evidence"),
    [
        (b'{"error": {"code": "E1", "message": "no such cursor"}}', "E1: no such cursor"),
        (b'{"error": "invalid_grant", "error_description": "expired"}', "expired"),
        (b'{"errors": [{"detail": "a is wrong"}, {"detail": "b too"}]}', "a is wrong; b too"),
        (b'{"title": "Bad", "detail": "limit is over 250", "type": "about:blank"}', "about:blank: limit is over 250"),
        (b'["nope"]', "nope"),
        (b"plain words\x07", "plain words\\x07"),
        (b"<html><title>502 &mdash; proxy</title>", "a page titled '502 — proxy'"),
        (b"", None),
    ],
)
def test_an_error_shows_what_the_api_said(body, evidence):
    error = status_error(GET, answer(400, body=body))
    assert error.evidence == evidence
    assert "canary" not in str(error.to_data())


def test_a_status_that_nobody_registered_is_shown_as_it_is():
    assert status_error(GET, answer(777)).what == "GET https://api.test/x answered 777"
