"""Several quotas by path, cost in points, and a memory that others share."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from syncline.model import Rate, Request, Response
from syncline.resilience import Cost, Limiters, Limits, PathLimits, Standing

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def answer(status: int = 200, document: object = None, **headers: str) -> Response:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=Response.headers_of(pairs), body=b"", url="", document=document)


def get(path: str, cost: float = 1.0, query: str | None = None) -> Request:
    return Request(url=f"https://api.test{path}", cost=cost, json={"query": query} if query else None)


def send(limiters: Limiters, request: Request, now: float, response: Response | None = None) -> float:
    """Seconds that this request has to wait; where none, it is sent and answered at once."""
    load = limiters.load(request)
    if seconds := limiters.hold(now, load).seconds:
        return seconds
    limiters.answered(limiters.sent(now, load), response or answer(), now, NOW)
    return 0.0


def test_a_quota_of_some_paths_holds_beside_the_whole():
    limiters = Limiters(Limits(limits=(Rate(5, 1.0),), quotas=(PathLimits(path="/search*", limits=(Rate(2, 60.0),)),)))
    assert [send(limiters, get("/search/repos?q=x"), 0.0) for _ in range(2)] == [0, 0]
    assert send(limiters, get("/search/code"), 0.0) > 59
    assert [send(limiters, get("/orders"), 0.0) for _ in range(3)] == [0, 0, 0]
    assert 1.0 <= send(limiters, get("/orders"), 0.0) < 1.1


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/search*", "/search/x", True),
        ("/search*", "/v2/search", False),
        ("search", "/v2/search", True),
        ("*/refunds", "/v2/orders/7/refunds", True),
        ("/orders/*/items", "/orders/7/items", True),
        ("/orders.json", "/ordersXjson", False),
    ],
)
def test_which_paths_fit(pattern, path, fits):
    limiters = Limiters(Limits(quotas=(PathLimits(path=pattern),)))
    assert limiters.load(get(path)).quota == int(fits)


def test_the_first_quota_that_fits_is_it():
    limiters = Limiters(Limits(quotas=(PathLimits(path="/a/b*"), PathLimits(path="/a*"), PathLimits(path="*"))))
    assert [limiters.load(get(path)).quota for path in ("/a/b/c", "/a/c", "/d")] == [1, 2, 3]


def test_a_refusal_of_a_quota_stops_its_paths_alone():
    limiters = Limiters(Limits(quotas=(PathLimits(path="/search*"),)))
    send(limiters, get("/search"), 0.0, answer(429, Retry_After="30"))
    assert send(limiters, get("/search"), 0.0) == 30
    assert send(limiters, get("/orders"), 0.0) == 0


def test_what_an_answer_tells_of_one_resource_holds_for_its_paths_alone():
    limiters = Limiters(Limits())
    told = {"X_RateLimit_Limit": "30", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "60"}
    send(limiters, get("/search/code"), 0.0, answer(**told, X_RateLimit_Resource="search"))
    told["X_RateLimit_Remaining"] = "4000"
    assert send(limiters, get("/orders/17"), 0.0, answer(**told, X_RateLimit_Resource="core")) == 0
    assert send(limiters, get("/orders/18"), 0.0) == 0
    assert send(limiters, get("/search/code"), 0.0) == 60


def test_a_request_takes_its_cost_from_the_window():
    limiters = Limiters(Limits(limits=(Rate(10, 1.0),)))
    assert send(limiters, get("/reports", cost=8), 0.0) == 0
    assert send(limiters, get("/reports", cost=8), 0.0) > 1
    assert [send(limiters, get("/orders"), 0.0) for _ in range(2)] == [0, 0]
    assert send(limiters, get("/orders"), 0.0) > 1


def test_what_costs_more_than_a_window_waits_for_all_of_it_and_goes():
    limiters = Limiters(Limits(limits=(Rate(10, 1.0),)))
    assert send(limiters, get("/reports", cost=50), 0.0) == 0
    wait = send(limiters, get("/reports", cost=50), 0.0)
    assert 1.0 < wait < 1.1
    assert send(limiters, get("/reports", cost=50), wait) == 0


SHOPIFY = Cost(
    path="cost.actual", available="cost.left", capacity="cost.most", restore_rate="cost.restore", estimate=10
)


def points(actual: float, left: float) -> Response:
    return answer(document={"cost": {"actual": actual, "left": left, "most": 1000, "restore": 50}})


def test_points_are_waited_for_until_they_are_restored():
    limiters = Limiters(Limits(cost=SHOPIFY))
    assert send(limiters, get("/graphql", query="{a}"), 0.0, points(400, 100)) == 0
    assert send(limiters, get("/graphql", query="{a}"), 0.0) == pytest.approx(6.0), "300 missing at 50 a second"
    assert send(limiters, get("/graphql", query="{b}"), 0.0) == 0, "another query, for which ten are set aside"
    assert send(limiters, get("/graphql", query="{a}"), 6.3) == 0


def test_a_query_waits_for_what_has_to_be_left_though_it_costs_less():
    """Shopify lets a query in when what it might cost is left, and gives back what it did not."""
    path, status = "extensions.cost", "extensions.cost.throttleStatus"
    cost = Cost(
        path=f"{path}.actualQueryCost",
        requested=f"{path}.requestedQueryCost",
        available=f"{status}.currentlyAvailable",
        restore_rate=f"{status}.restoreRate",
    )
    limiters = Limiters(Limits(cost=cost))
    told = {
        "requestedQueryCost": 30,
        "actualQueryCost": 25,
        "throttleStatus": {"currentlyAvailable": 5, "restoreRate": 50},
    }
    query = Request(method="POST", url="https://api.test/graphql", json={"query": "{ things { id } }"})
    load = limiters.load(query)
    ticket = limiters.sent(0.0, load)
    response = msgspec.structs.replace(answer(), document={"extensions": {"cost": told}})
    limiters.answered(ticket, response, 0.0, NOW)
    assert limiters.hold(0.0, limiters.load(query)).seconds == pytest.approx(0.5)


def test_windows_in_points_are_put_right_by_what_it_really_cost():
    limiters = Limiters(Limits(limits=(Rate(100, 60.0),), cost=SHOPIFY))
    assert send(limiters, get("/graphql", query="{a}"), 0.0, answer(document={"cost": {"actual": 90}})) == 0
    assert send(limiters, get("/graphql", query="{b}"), 0.0, answer(document={"cost": {"actual": 2}})) == 0
    assert send(limiters, get("/graphql", query="{a}"), 0.0) > 60
    assert send(limiters, get("/graphql", query="{b}"), 0.0) == 0


def test_a_bucket_that_headers_tell_is_refilled():
    limiters = Limiters(Limits())
    told = answer(X_Shopify_Shop_Api_Call_Limit="40/40")
    assert send(limiters, get("/orders"), 0.0, told) == 0
    assert send(limiters, get("/orders"), 0.0) == pytest.approx(0.5)
    assert send(limiters, get("/orders"), 0.5, told) == 0


delays = st.lists(st.tuples(st.floats(0, 0.004), st.sampled_from([0.0, 0.03, 0.2])), min_size=1, max_size=60)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.sampled_from([20, 50, 200]), delays, st.sampled_from([0.001, 0.02]), st.sampled_from([0.0, 0.1]))
def test_r12_requests_that_are_held_up_arrive_within_the_window_all_the_same(amount, delays, way, opening):
    """Each is held up before it arrives by more than any margin; its answer tells, in time for the one that takes its place.

    That connections took long to open says nothing of what comes later.
    """
    limiters = Limiters(Limits(limits=(Rate(amount, 1.0),)))
    now, arrived, answers = 0.0, [], []
    for index in range(amount * 4):
        load = limiters.load(get("/x"))
        while True:
            while answers and answers[0][0] <= now:
                moment, _, ticket = heapq.heappop(answers)
                limiters.answered(ticket, answer(), moment, NOW)
            hold = limiters.hold(now, load).seconds
            if not hold:
                break
            now = min(now + hold, answers[0][0]) if answers and answers[0][0] > now else now + hold
        ticket = limiters.sent(now, load)
        jitter, held_up = delays[index % len(delays)]
        late = held_up if index % 199 == 7 else opening * index / amount if index < amount else 0.0
        arrived.append(now + way + jitter * 0.5 + late)
        heapq.heappush(answers, (arrived[-1] + way, index, ticket))
    arrived.sort()
    assert all(later - earlier >= 1.0 for earlier, later in zip(arrived, arrived[amount:], strict=False))


class Forgetful:
    """Limiters whose memory is written down after every step and read again by somebody else."""

    def __init__(self, rule: Limits) -> None:
        self.rule = rule
        self.data = msgspec.msgpack.encode(Limiters(rule).standing)

    def __call__(self, step: object) -> object:
        limiters = Limiters(self.rule)
        limiters.standing = msgspec.msgpack.decode(self.data, type=list[Standing])
        outcome = step(limiters)
        self.data = msgspec.msgpack.encode(limiters.standing)
        return outcome


RULE = Limits(
    limits=(Rate(7, 1.0), Rate(40, 10.0)), quotas=(PathLimits(path="/search*", limits=(Rate(3, 1.0),), burst=2),)
)
steps = st.tuples(
    st.floats(0, 0.6),
    st.sampled_from(["/search", "/orders/1", "/orders/2"]),
    st.sampled_from([200, 200, 200, 200, 429, 503]),
    st.sampled_from([{}, {"Retry_After": "1"}, {"X_RateLimit_Remaining": "2", "X_RateLimit_Reset": "3"}]),
)


@given(st.lists(steps, max_size=60))
def test_a_memory_that_is_written_down_decides_as_one_that_is_not(course):
    ours, theirs = Limiters(RULE), Forgetful(RULE)
    now = 1_000.0
    for pause, path, status, headers in course:
        now += pause
        request, response = get(path), answer(status, **headers)
        assert send(ours, request, now, response) == theirs(
            lambda limiters, now=now, request=request, response=response: send(limiters, request, now, response)
        )
