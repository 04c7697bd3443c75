"""The rule of the limiter, without any waiting."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from syncline.model import Rate, Response
from syncline.resilience import Limiter, Limits, LimitsField

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OK = Response(status=200, headers=Response.headers_of({}), body=b"", url="")
reader = TypeAdapter(LimitsField)


def answer(status: int, **headers: str) -> Response:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=Response.headers_of(pairs), body=b"", url="")


@pytest.mark.parametrize(
    "spelling", ["10/s", ["10/s"], {"limits": ["10/s"]}, Rate(10, 1.0), Limits(limits=(Rate(10, 1.0),))]
)
def test_every_spelling_of_a_limit(spelling):
    limits = reader.validate_python(spelling)
    assert limits == Limits(limits=(Rate(10, 1.0),))
    assert limits.to_data() == {"limits": ["10/s"]}
    assert reader.validate_python(limits.to_data()) == limits


@pytest.mark.parametrize("spelling", ["fast", "0/s", ["10"], {"limit": "10/s"}, 10])
def test_what_is_no_limit_is_refused(spelling):
    with pytest.raises(ValidationError):
        reader.validate_python(spelling)


rates = st.builds(Rate, st.integers(1, 60), st.sampled_from([0.5, 1.0, 10.0, 60.0]))


@given(st.lists(rates, min_size=1, max_size=3), st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_no_window_is_ever_exceeded_and_none_waits_for_ever(limits, pauses):
    limiter = Limiter(Limits(limits=tuple(limits)))
    now, sent = 0.0, []
    for index in range(150):
        now += pauses[index % len(pauses)]
        hold = limiter.hold(now)
        while hold.seconds:
            assert hold.seconds < 70
            now += hold.seconds
            hold = limiter.hold(now)
        limiter.answered(limiter.sent(now), OK, now, NOW)
        sent.append(now)
    for amount, per in limits:
        for index in range(amount, len(sent)):
            assert sent[index] - sent[index - amount] >= per


@given(st.integers(1, 20))
def test_a_burst_goes_at_once_and_the_rest_evenly(burst):
    limiter = Limiter(Limits(limits=(Rate(10, 1.0),), burst=burst))
    now, sent = 5.0, []
    for _ in range(100):
        while hold := limiter.hold(now).seconds:
            now += hold
        limiter.answered(limiter.sent(now), OK, now, NOW)
        sent.append(now)
    assert sum(moment == 5.0 for moment in sent) == burst
    gaps = [later - earlier for earlier, later in zip(sent[burst:], sent[burst + 1 :], strict=False)]
    assert all(0.1 <= gap <= 0.102 for gap in gaps)


def test_a_large_window_keeps_little():
    limiter = Limiter(Limits(limits=(Rate(1_000_000, 3600.0),)))
    for number in range(200_000):
        limiter.answered(limiter.sent(number * 0.01), OK, number * 0.01, NOW)
    log = limiter.standing.windows[0]
    assert len(log.entries) <= 2_000


def test_r13_nobody_goes_before_the_time_that_was_told():
    limiter = Limiter(Limits())
    ticket = limiter.sent(0.0)
    limiter.answered(ticket, answer(429, Retry_After="30"), 1.0, NOW)
    assert limiter.hold(1.0).seconds == 30
    assert limiter.hold(30.9).seconds == pytest.approx(0.1)
    assert limiter.hold(31.0).seconds == 0


def test_r12_after_a_refusal_one_goes_first():
    limiter = Limiter(Limits())
    tickets = [limiter.sent(0.0) for _ in range(100)]
    for ticket in tickets:
        limiter.answered(ticket, answer(429, Retry_After="1"), 0.1, NOW)
    probe = limiter.sent(1.1)
    assert limiter.hold(1.1).seconds == math.inf
    limiter.answered(probe, answer(429, Retry_After="1"), 1.2, NOW)
    assert limiter.hold(1.2).seconds == pytest.approx(1.0)
    probe = limiter.sent(2.2)
    limiter.answered(probe, None, 2.3, NOW)
    assert limiter.hold(2.3).seconds == 0, "a probe that came to nothing gives its place to the next"
    limiter.answered(limiter.sent(2.3), OK, 2.4, NOW)
    assert limiter.hold(2.4).seconds == 0


def test_r12_refusals_without_a_time_wait_longer_and_longer():
    limiter = Limiter(Limits())
    now, waits = 0.0, []
    for _ in range(9):
        limiter.answered(limiter.sent(now), answer(429), now, NOW)
        waits.append(limiter.hold(now).seconds)
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_learning_only_slows_down():
    limiter = Limiter(Limits(limits=(Rate(2, 1.0),)))
    generous = answer(200, RateLimit_Policy='"p";q=1000;w=1', RateLimit='"p";r=999;t=1')
    for _ in range(2):
        limiter.answered(limiter.sent(0.0), generous, 0.0, NOW)
    assert limiter.hold(0.0).seconds >= 1.0


def test_what_is_left_of_the_quota_is_not_exceeded_by_those_under_way():
    limiter = Limiter(Limits())
    first = limiter.sent(0.0)
    for _ in range(3):
        limiter.sent(0.0)
    told = {"X_RateLimit_Limit": "100", "X_RateLimit_Remaining": "5", "X_RateLimit_Reset": "60"}
    limiter.answered(first, answer(200, **told), 0.1, NOW)
    assert [limiter.hold(0.1).seconds == 0 and limiter.sent(0.1) for _ in range(2)] == [4, 5]
    assert limiter.hold(0.1).seconds == pytest.approx(60)


def test_it_does_not_learn_where_it_is_told_not_to():
    limiter = Limiter(Limits(learn=False))
    told = {"X_RateLimit_Limit": "100", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "60"}
    limiter.answered(limiter.sent(0.0), answer(200, **told), 0.1, NOW)
    assert limiter.hold(0.1).seconds == 0
    limiter.answered(limiter.sent(0.1), answer(429, Retry_After="9"), 0.2, NOW)
    assert limiter.hold(0.2).seconds == pytest.approx(9), "a refusal is kept to all the same"


def test_one_refusal_after_few_requests_says_nothing_about_the_rate():
    limiter = Limiter(Limits())
    limiter.answered(limiter.sent(0.0), OK, 0.1, NOW)
    limiter.answered(limiter.sent(0.2), answer(429, Retry_After="42"), 0.3, NOW)
    now = 42.3
    for _ in range(100):
        assert limiter.hold(now).seconds == 0
        limiter.answered(limiter.sent(now), OK, now, NOW)


def test_two_refusals_that_agree_do():
    limiter = Limiter(Limits())
    now = 0.0
    for _ in range(2):
        for _ in range(3):
            limiter.answered(limiter.sent(now), OK, now, NOW)
        limiter.answered(limiter.sent(now), answer(429, Retry_After="30"), now, NOW)
        now += 30.0
    for _ in range(3):
        assert limiter.hold(now).seconds == 0
        limiter.answered(limiter.sent(now), OK, now, NOW)
    assert limiter.hold(now).seconds >= 30
