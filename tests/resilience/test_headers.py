"""What APIs say about their limits, in every spelling that is met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from syncline.model import Response
from syncline.resilience import LONGEST, rate_limited, read_limits, retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def answer(status: int = 200, **headers: str) -> Response:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=Response.headers_of(pairs), body=b"", url="https://api.test/")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), ("1.5", 1.5), (" 30 ", 30.0), ("86400", 86_400.0), ("9" * 40, LONGEST)],
)
def test_seconds(text, seconds):
    assert retry_after(answer(429, Retry_After=text), NOW) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3", "1e400", "nan", "Fri, 99 Foo 2026 00:00:00 GMT"])
def test_what_cannot_be_read_is_not_believed(text):
    assert retry_after(answer(429, Retry_After=text), NOW) is None


@given(st.integers(0, 200_000), st.integers(-900, 900))
def test_r13_a_date_is_measured_by_the_servers_own_clock(seconds, skew):
    there = NOW + timedelta(seconds=skew)
    response = answer(
        429,
        Retry_After=format_datetime(there + timedelta(seconds=seconds), usegmt=True),
        Date=format_datetime(there, usegmt=True),
    )
    assert retry_after(response, NOW) == seconds


def test_a_date_without_a_server_clock_is_measured_by_ours():
    moment = format_datetime(NOW + timedelta(minutes=2), usegmt=True)
    assert retry_after(answer(503, Retry_After=moment), NOW) == 120


def test_a_date_in_the_past_means_now():
    assert retry_after(answer(503, Retry_After="Fri, 31 Dec 1999 23:59:59 GMT"), NOW) == 0


def test_a_403_is_a_rate_limit_only_where_it_says_so():
    assert rate_limited(answer(429))
    assert rate_limited(answer(403, Retry_After="60"))
    assert rate_limited(answer(403, X_RateLimit_Remaining="0"))
    assert not rate_limited(answer(403, X_RateLimit_Remaining="12"))
    assert not rate_limited(answer(403))


def test_the_structured_fields():
    headers = {
        "RateLimit-Policy": '"burst";q=100;w=60,"daily";q=1000;w=86400',
        "RateLimit": '"burst";r=50;t=30, "daily";r=900;t=40000',
    }
    response = Response(status=200, headers=Response.headers_of(headers), body=b"", url="")
    burst, daily = read_limits(response, NOW)
    assert (burst.limit, burst.window, burst.remaining, burst.reset) == (100, 60, 50, 30)
    assert (daily.limit, daily.window, daily.remaining, daily.reset) == (1000, 86_400, 900, 40_000)


def test_a_quota_of_bytes_is_no_quota_of_requests():
    headers = {"RateLimit-Policy": '"size";q=10000;w=60;qu="content-bytes"', "RateLimit": '"size";r=0;t=30'}
    assert read_limits(Response(status=200, headers=Response.headers_of(headers), body=b"", url=""), NOW) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit": "limit=100, remaining=40, reset=12"},
        {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "40", "RateLimit-Reset": "12"},
        {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "40", "X-RateLimit-Reset": "12"},
        {
            "X-Rate-Limit-Limit": "100",
            "X-Rate-Limit-Remaining": "40",
            "X-Rate-Limit-Reset": str(int(NOW.timestamp()) + 12),
        },
        {
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "40",
            "X-RateLimit-Reset": str(int(NOW.timestamp() + 12) * 1000),
        },
    ],
)
def test_the_older_spellings_mean_the_same(headers):
    told = read_limits(Response(status=200, headers=Response.headers_of(headers), body=b"", url=""), NOW)[0]
    assert (told.limit, told.remaining, told.reset) == (100, 40, 12)


@given(st.dictionaries(st.sampled_from(["RateLimit", "RateLimit-Policy", "X-RateLimit-Reset", "X-RateLimit-Limit",
                                        "X-RateLimit-Remaining", "Retry-After"]), st.text(max_size=80)))  # fmt: skip
def test_no_header_breaks_anything(headers):
    response = Response(status=429, headers=Response.headers_of(headers), body=b"", url="")
    seconds = retry_after(response, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST
    for told in read_limits(response, NOW):
        assert told.reset is None or told.reset >= 0
