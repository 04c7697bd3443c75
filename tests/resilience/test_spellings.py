"""Limits as well-known APIs spell them in their headers, and in GraphQL answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from syncline.model import Response
from syncline.resilience import Cost, rate_limited, read_limits, retry_after
from syncline.resilience.headers import LONGEST, seconds_until
from syncline.resilience.spellings import read_cost

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EPOCH = NOW.timestamp()


def answer(headers: dict[str, str], status: int = 200, body: bytes = b"") -> Response:
    return Response(status=status, headers=Response.headers_of(headers), body=body, url="https://api.test/")


ISO = (NOW + timedelta(seconds=12)).isoformat()
HTTP_DATE = format_datetime(NOW + timedelta(seconds=12), usegmt=True)
VENDORS = {
    "GitHub": (
        {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "40",
            "X-RateLimit-Reset": f"{EPOCH + 12:.0f}",
            "X-RateLimit-Resource": "core",
        },
        {"limit": 5000, "remaining": 40, "reset": 12, "resource": "core"},
    ),
    "GitLab": (
        {"RateLimit-Limit": "600", "RateLimit-Remaining": "40", "RateLimit-Reset": f"{EPOCH + 12:.0f}"},
        {"limit": 600, "remaining": 40, "reset": 12},
    ),
    "Okta": (
        {"X-Rate-Limit-Limit": "600", "X-Rate-Limit-Remaining": "40", "X-Rate-Limit-Reset": f"{EPOCH + 12:.0f}"},
        {"limit": 600, "remaining": 40, "reset": 12},
    ),
    "Discord": (
        {
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{EPOCH + 1.4:.3f}",
            "X-RateLimit-Reset-After": "1.4",
            "X-RateLimit-Bucket": "abcd1234",
        },
        {"limit": 5, "remaining": 0, "reset": 1.4, "resource": "abcd1234"},
    ),
    "Zendesk": (
        {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "699"},
        {"limit": 700, "remaining": 699, "reset": None},
    ),
    "Zendesk endpoint": (
        {"Zendesk-RateLimit-Search-Index": "total=100; remaining=99; resets=60"},
        {"limit": 100, "remaining": 99, "reset": 60, "resource": "zendesk-ratelimit-search-index"},
    ),
    "Shopify": (
        {"X-Shopify-Shop-Api-Call-Limit": "32/40"},
        {"limit": 40, "remaining": 8, "restore": 2},
    ),
    "HubSpot": (
        {
            "X-HubSpot-RateLimit-Max": "100",
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Remaining": "99",
        },
        {"limit": 100, "window": 10},
    ),
    "Salesforce": ({"Sforce-Limit-Info": "api-usage=18/5000"}, {"limit": 5000, "window": 86_400}),
    "Amazon selling": ({"x-amzn-RateLimit-Limit": "0.5"}, {"limit": 1, "window": 2}),
    "Atlassian": (
        {
            "X-RateLimit-Limit": "350",
            "X-RateLimit-Remaining": "40",
            "X-RateLimit-FillRate": "2",
            "X-RateLimit-Interval-Seconds": "1",
        },
        {"limit": 350, "remaining": 40, "restore": 2, "window": None},
    ),
    "Jira": (
        {"X-RateLimit-Limit": "350", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ISO},
        {"limit": 350, "remaining": 0, "reset": 12},
    ),
    "HTTP date": (
        {"RateLimit-Limit": "350", "RateLimit-Remaining": "0", "RateLimit-ResetTime": HTTP_DATE},
        {"limit": 350, "remaining": 0, "reset": 12},
    ),
    "OpenAI": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-remaining-tokens": "0",
        },
        {"limit": 60, "remaining": 59, "reset": 360},
    ),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:12Z",
        },
        {"limit": 50, "remaining": 49, "reset": 12},
    ),
    "Kong": ({"X-RateLimit-Limit-Minute": "20", "X-RateLimit-Remaining-Minute": "19"}, {"limit": 20, "window": 60}),
    "Docker Hub": (
        {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"},
        {"limit": 100, "remaining": 76, "window": 21_600},
    ),
    "Reddit": (
        {"X-Ratelimit-Used": "4", "X-Ratelimit-Remaining": "596.0", "X-Ratelimit-Reset": "12"},
        {"limit": None, "remaining": 596, "reset": 12},
    ),
    "milliseconds left": (
        {"X-RateLimit-Limit": "100;w=60", "X-RateLimit-Remaining": "40", "X-RateLimit-Reset": "12000"},
        {"limit": 100, "remaining": 40, "reset": 12, "window": 60},
    ),
    "epoch in milliseconds": (
        {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "40", "X-RateLimit-Reset": f"{EPOCH * 1000 + 12_000:.0f}"},
        {"limit": 100, "remaining": 40, "reset": 12},
    ),
}  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_is_understood(vendor):
    headers, wanted = VENDORS[vendor]
    told = next(iter(read_limits(answer(headers), NOW)))
    assert {name: getattr(told, name) for name in wanted} == pytest.approx(wanted)


def test_the_servers_own_date_counts_where_it_tells_an_epoch():
    there = NOW + timedelta(minutes=7)
    headers = {
        "Date": format_datetime(there, usegmt=True),
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{there.timestamp() + 30:.0f}",
    }
    assert read_limits(answer(headers), NOW)[0].reset == 30


def test_several_policies_with_partition_keys():
    headers = {
        "RateLimit-Policy": '"burst";q=100;w=60,"user";q=1000;w=3600;pk=:dXNlcg==:',
        "RateLimit": '"burst";r=50;t=30, "user";r=900;t=1200;pk=:dXNlcg==:',
    }
    burst, user = read_limits(answer(headers), NOW)
    assert (burst.limit, burst.remaining, burst.resource) == (100, 50, "")
    assert (user.limit, user.window, user.remaining, user.resource) == (1000, 3600, 900, "dXNlcg==")


def test_a_limit_without_a_policy():
    told = read_limits(answer({"RateLimit": '"default";r=50;t=30'}), NOW)[0]
    assert (told.name, told.remaining, told.reset, told.limit) == ("default", 50, 30, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After": "1", "X-Ms-Retry-After-Ms": "1500"}, 1.5),
        ({"X-RateLimit-Reset-After": "64.57"}, 64.57),
        ({"Retry-After": "65", "X-RateLimit-Reset-After": "64.57"}, 65.0),
    ],
)
def test_r13_waits_that_are_told_otherwise(headers, seconds):
    assert retry_after(answer(headers, 429), NOW) == seconds


@pytest.mark.parametrize(
    "response",
    [
        answer({}, 403, b'{"message": "You have exceeded a secondary rate limit."}'),
        answer({}, 403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}'),
        answer({}, 403, b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]'),
        answer({"x-amzn-ErrorType": "ThrottlingException:http://x"}, 400),
    ],
)
def test_refusals_that_are_no_429(response):
    assert rate_limited(response)


def test_a_forbidden_is_not_taken_for_one():
    assert not rate_limited(answer({}, 403, b'{"message": "You may not read the rate limits of this account"}'))
    assert not rate_limited(answer({}, 400, b"rate limit exceeded is a column name here"))


@given(st.text(max_size=40))
def test_whatever_a_reset_says_it_is_a_wait_or_nothing(text):
    seconds = seconds_until(text, EPOCH)
    assert seconds is None or 0 <= seconds <= LONGEST


SHOPIFY = Cost(
    path="extensions.cost.actualQueryCost",
    available="extensions.cost.throttleStatus.currentlyAvailable",
    capacity="extensions.cost.throttleStatus.maximumAvailable",
    restore_rate="extensions.cost.throttleStatus.restoreRate",
)


def test_what_a_graphql_query_cost_and_what_is_left():
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": 1904, "restoreRate": 100.0}
    document = {"data": {}, "extensions": {"cost": {"actualQueryCost": 96, "throttleStatus": status}}}
    actual, (told,) = read_cost(SHOPIFY, document, NOW)
    assert actual == 96
    assert (told.remaining, told.limit, told.restore) == (1904, 2000, 100)
    github = Cost(path="data.rateLimit.cost", available="data.rateLimit.remaining", resets_at="data.rateLimit.resetAt")
    document = {"data": {"rateLimit": {"cost": 1, "remaining": 4999, "resetAt": "2026-11-22T12:30:00Z"}}}
    actual, (told,) = read_cost(github, document, NOW)
    assert (actual, told.remaining, told.reset) == (1, 4999, 1800)


@pytest.mark.parametrize(
    "document", [None, {}, [], {"extensions": {"cost": None}}, {"extensions": {"cost": {"actualQueryCost": "9"}}}]
)
def test_an_answer_without_its_cost_tells_nothing(document):
    assert read_cost(SHOPIFY, document, NOW) == (None, [])
