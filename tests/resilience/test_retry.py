"""What is sent again, after how long, and how often."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from syncline.errors import BrokenBodyError, ClientError, TransportError
from syncline.model import Request, Response
from syncline.resilience import Retry, RetryBudget

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GET = Request(url="https://api.test/x")
POST = Request(method="POST", url="https://api.test/x", json={})


def answer(status: int, **headers: str) -> Response:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=Response.headers_of(pairs), body=b"", url="https://api.test/x")


def test_it_reads_back_as_it_was_written():
    rule = Retry.model_validate({"attempts": 3, "max_wait": "2m", "statuses": [500], "budget": "20%"})
    assert Retry.model_validate(rule.to_data()) == rule
    assert Retry().to_data() == {}


@given(st.integers(1, 100), st.floats(0, 1))
def test_waits_have_full_jitter_below_a_growing_bound(attempt, chance):
    rule = Retry()
    bound = min(60.0, 2.0 ** (attempt - 1))
    assert rule.backoff(attempt, chance) == pytest.approx(chance * bound)


@given(st.integers(0, 900), st.floats(0, 1), st.integers(1, 4), st.sampled_from([429, 503]))
def test_r13_retry_after_is_never_undercut(seconds, chance, attempt, status):
    request = Request(url=GET.url, attempt=attempt)
    again = Retry().after_answer(request, answer(status, Retry_After=str(seconds)), NOW, chance)
    assert again is not None
    assert again.seconds == seconds
    assert again.told


def test_r13_a_wait_over_max_wait_is_handed_on_even_at_the_last_attempt():
    again = Retry().after_answer(Request(url=GET.url, attempt=5), answer(429, Retry_After="86400"), NOW, 0.5)
    assert again is not None
    assert again.seconds == 86_400


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_r14_a_get_is_repeated_up_to_its_attempts(status):
    assert Retry().after_answer(Request(url=GET.url, attempt=4), answer(status), NOW, 1.0) is not None
    assert Retry().after_answer(Request(url=GET.url, attempt=5), answer(status), NOW, 1.0) is None


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_r14_a_post_is_not_repeated_when_it_may_have_had_its_effect(status):
    assert Retry().after_answer(POST, answer(status, Retry_After="1"), NOW, 0.5) is None
    keyed = POST.with_headers({"Idempotency-Key": "k1"})
    assert Retry().after_answer(keyed, answer(status), NOW, 0.5) is not None
    said = Request(method="POST", url=GET.url, repeatable=True)
    assert Retry().after_answer(said, answer(status), NOW, 0.5) is not None


@pytest.mark.parametrize("status", [425, 429])
def test_r14_a_post_that_was_refused_untouched_is_repeated(status):
    assert Retry().after_answer(POST, answer(status), NOW, 0.5) is not None


def test_r14_a_post_is_repeated_only_if_it_surely_was_not_sent():
    assert Retry().after_error(POST, TransportError("no connection", sent=False), 0.5) is not None
    assert Retry().after_error(POST, TransportError("silence"), 0.5) is None
    assert Retry().after_error(POST, BrokenBodyError("half"), 0.5) is None
    assert Retry().after_error(GET, TransportError("silence"), 0.5) is not None
    assert Retry().after_error(GET, BrokenBodyError("half"), 0.5) is not None


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 409, 410, 422, 501])
def test_r14_what_will_not_change_is_final(status):
    assert Retry().after_answer(GET, answer(status), NOW, 0.5) is None
    assert Retry().after_error(GET, ClientError("no"), 0.5) is None


def test_r14_the_file_can_name_further_statuses():
    request = Request(url=GET.url, retry_on=frozenset({404}))
    assert Retry().after_answer(request, answer(404), NOW, 0.5) is not None


@pytest.mark.parametrize("status", [404, 429, 503])
def test_r14_the_file_can_say_that_a_status_is_final(status):
    request = Request(url=GET.url, final_on=frozenset({status}))
    assert Retry().after_answer(request, answer(status), NOW, 0.5) is None


def test_r16_the_total_deadline_is_not_spent_twice():
    assert Retry().after_error(GET, TransportError("not finished within 5m", phase="total"), 0.5) is None


@given(st.integers(10, 3_000))
def test_r14_retries_stay_within_a_tenth_of_the_requests_and_a_small_floor(requests):
    budget = RetryBudget(Retry())
    retries = 0
    for _ in range(requests):
        budget.earn()
        retries += budget.spend(100.0)
    assert retries <= requests / 10 + 10
    assert retries >= min(requests, 10)


def test_r14_the_floor_comes_back_within_ten_seconds_and_no_further():
    budget = RetryBudget(Retry())
    assert sum(budget.spend(0.0) for _ in range(50)) == 10
    assert sum(budget.spend(5.0) for _ in range(50)) == 5
    assert sum(budget.spend(1_000.0) for _ in range(50)) == 10


def test_r14_refusals_for_coming_too_often_do_not_spend_the_budget():
    limited = Retry().after_answer(GET, answer(429), NOW, 0.5)
    failed = Retry().after_answer(GET, answer(500), NOW, 0.5)
    assert limited is not None
    assert failed is not None
    assert (limited.spends, failed.spends) == (False, True)
