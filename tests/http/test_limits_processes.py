"""Real processes, real stores, real sockets: one limit for all of them.

That nothing is refused is proved in simulated time (test_limits_shared.py). Here a machine under load may hold up a process
between its leave and its sending for longer than any margin, which costs at most what it has under way. Without sharing, each
process would send at the full rate: hundreds of refusals.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from syncline.http.shared_keeper import open_store
from syncline.model import SystemClock
from syncline.rehearsal.simulator.faults import FOREVER, Drip, Limited, LimitedUntil, Unavailable
from syncline.resilience import Limits
from tests.http.servers import PlainApi
from tests.http.test_limits import KINDS
from tests.support.forked import forked
from tests.support.services import need_postgresql, need_redis
from tests.support.serving import serving

RATE = 50
CALLERS = 8
WAITING = ThreadPoolExecutor(max_workers=16)
"""Each waits for one process."""


def limited(kind: str) -> PlainApi:
    """It counts as one of three kinds do."""
    return PlainApi(counter=KINDS[kind](RATE, 1.0))


@asynccontextmanager
async def place(store: str, tmp_path: Path) -> AsyncIterator[dict[str, object]]:
    """The `rate_limit` block for a store, with a name of its own; what was stored is removed afterwards."""
    name = f"test-{uuid.uuid4().hex}"
    if store == "sqlite":
        yield {"limits": [f"{RATE}/s"], "shared": str(tmp_path / "limits.db"), "share_as": name}
    elif store == "redis":
        url = need_redis()
        yield {"limits": [f"{RATE}/s"], "shared": url, "share_as": name}
        from redis.asyncio import Redis

        async with Redis.from_url(url) as client:
            async for key in client.scan_iter(match=f"syncline:limits:{name}*"):
                await client.delete(key)
    else:
        url = need_postgresql()
        yield {"limits": [f"{RATE}/s"], "shared": url, "share_as": name}
        import psycopg

        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("DELETE FROM syncline_limits WHERE name LIKE %s", (f"{name}%",))


async def process(url: str, rate_limit: dict[str, object], requests: int, **more: object) -> Any:
    order = json.dumps({"url": url, "rate_limit": rate_limit, "requests": requests, "callers": CALLERS, **more})
    ended = await asyncio.get_running_loop().run_in_executor(WAITING, forked, "tests.http.limited_worker", [order])
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "kind", "processes"),
    [
        ("sqlite", "fixed", 4),
        ("sqlite", "sliding", 8),
        ("redis", "bucket", 4),
        ("postgresql", "sliding", 4),
    ],
)
async def test_r12_across_real_processes(store, kind, processes, tmp_path):
    server = limited(kind)
    requests = 240 // processes
    async with place(store, tmp_path) as rate_limit, serving(server) as url:
        notices = await asyncio.gather(*(process(url, rate_limit, requests) for _ in range(processes)))
    assert notices == [[]] * processes
    accepted = server.times(200)
    assert len(accepted) == 240
    assert len(server.times(429)) <= processes * CALLERS
    seconds = accepted[-1] - accepted[0]
    # a token bucket gives a full window at once; what it holds back is at least the rest
    assert seconds >= (240 - 2 * RATE) / RATE * 0.95


@pytest.mark.slow
async def test_r12_processes_that_do_not_share_are_refused_often(tmp_path):
    """What the test above would see if sharing did nothing."""
    server = limited("sliding")
    async with serving(server) as url:
        await asyncio.gather(*(process(url, {"limits": [f"{RATE}/s"]}, 60) for _ in range(4)))
    assert len(server.times(429)) > 4 * CALLERS


EIGHT = 8


@pytest.mark.slow
async def test_r13_of_eight_processes_none_comes_before_the_time_that_one_was_told(tmp_path):
    """Each has one request under way when one of them is told, and may begin one more while the word is on its way to it;
    without sharing, seven would not know, and send the ten that each has left.
    """
    told = 3
    server = PlainApi(Limited(at=40, wait=told))
    async with place("sqlite", tmp_path) as rate_limit, serving(server) as url:
        await asyncio.gather(*(process(url, rate_limit, 15, callers=1) for _ in range(EIGHT)))
    arrived = server.times()
    assert len(arrived) == EIGHT * 15 + 1
    refused = arrived[39]
    early = [moment - refused for moment in arrived[40:] if moment - refused < told]
    assert len(early) < 2 * EIGHT
    assert min(moment - refused for moment in arrived[40 + len(early) :]) >= told


@pytest.mark.slow
async def test_r15_of_eight_processes_one_probes_and_none_asks_while_the_circuit_is_open(tmp_path):
    server = PlainApi(Unavailable(times=FOREVER))
    settings = {"retry": {"attempts": 1}, "circuit_breaker": {"failures": 5, "open_for": "1s"}}
    async with place("sqlite", tmp_path) as rate_limit, serving(server) as url:
        limits = {**rate_limit, "limits": ["1000/s"]}
        asking = (process(url, limits, 0, seconds=6.0, connection=settings) for _ in range(EIGHT))
        outcomes = await asyncio.gather(*asking)
    arrived = server.times()
    # five failures open it; by then each of the others may have one request under way; then come probes, one at a time
    gaps = [after - before for before, after in pairwise(arrived[4:])]
    assert sum(gap < 0.9 for gap in gaps) < EIGHT
    assert sum(gap >= 0.9 for gap in gaps) >= 2
    assert sum(outcome.get("circuit_open", 0) for outcome in outcomes) > len(arrived)


@pytest.mark.slow
async def test_r11_eight_processes_with_wrong_clocks_all_come_when_they_were_told():
    """The moment stands in the answer as a date, by the server's clock; theirs are up to ten minutes off."""
    told = 2
    skews = [-600 + 1200 * number / (EIGHT - 1) for number in range(EIGHT)]
    servers = [PlainApi(LimitedUntil(wait=told)) for _ in skews]

    async def one(server: PlainApi, skew: float) -> None:
        async with serving(server) as url:
            await process(url, {}, 1, skew=skew)

    await asyncio.gather(*map(one, servers, skews))
    for server in servers:
        first, again = server.times()
        assert told <= again - first < told + 3


@pytest.mark.slow
async def test_r16_a_server_that_drips_holds_up_none_of_eight_processes_beyond_the_deadline():
    """A byte a second would feed any timeout for silence for ever."""
    server = PlainApi(Drip(times=FOREVER))
    settings = {"timeout": {"read": "5s", "total": "1.5s"}, "retry": {"attempts": 3}}
    async with serving(server) as url:
        asking = (process(url, {}, 0, seconds=4.0, connection=settings) for _ in range(EIGHT))
        outcomes = await asyncio.gather(*asking)
    assert all(outcome.get("transport", 0) >= 1 and set(outcome) == {"transport"} for outcome in outcomes)
    assert len(server.seen) >= 2 * EIGHT, "each asked again within its four seconds"


@pytest.mark.slow
async def test_r14_eight_processes_together_repeat_no_more_than_their_requests_have_earned(tmp_path):
    server = PlainApi(Unavailable(at=3, every=3))
    each, floor = 60, 2
    retry = {"attempts": 5, "base": "10ms", "budget": "10%", "budget_floor": floor}
    settings = {"retry": retry, "circuit_breaker": {"failures": 1_000}}
    async with place("sqlite", tmp_path) as rate_limit, serving(server) as url:
        limits = {**rate_limit, "limits": ["2000/s"]}
        asking = (process(url, limits, each, callers=1, connection=settings, patient=True) for _ in range(EIGHT))
        began = time.monotonic()
        await asyncio.gather(*asking)
        seconds = time.monotonic() - began
    retries = len(server.seen) - EIGHT * each
    # a tenth of the requests, and the floor, which comes back within ten seconds
    assert 0 < retries <= EIGHT * (each * 0.1 + floor * (1 + seconds / 10))
    assert len(server.times(503)) > retries, "or the budget was never used up"


@pytest.mark.parametrize("store", ["sqlite", "redis", "postgresql"])
async def test_a_store_compares_and_swaps(store, tmp_path):
    async with place(store, tmp_path) as rate_limit:
        limits = Limits.model_validate(rate_limit)
        one, two = open_store(limits, SystemClock()), open_store(limits, SystemClock())
        key = str(limits.share_as)
        try:
            assert (await one.swap(key, -1, None)).version == 0
            first = await one.swap(key, 0, b"first")
            assert (first.stored, first.version) == (True, 1)
            late = await two.swap(key, 0, b"late")
            assert (late.stored, late.version, late.value) == (False, 1, b"first")
            second = await two.swap(key, 1, b"\x00\xffsecond")
            assert (second.stored, second.version) == (True, 2)
            seen = await one.swap(key, 1, None)
            assert (seen.stored, seen.version, seen.value) == (False, 2, b"\x00\xffsecond")
            assert (await one.swap(key, 2, None)).version == 2
            for kept in (first, late, second, seen):
                assert (kept.now is None) == (store == "sqlite")
                assert kept.now is None or abs(kept.now - time.time()) < 60
        finally:
            await one.close()
            await two.close()


@pytest.mark.parametrize("store", ["sqlite", "redis", "postgresql"])
async def test_swaps_at_the_same_moment_are_won_by_one(store, tmp_path):
    async with place(store, tmp_path) as rate_limit:
        limits = Limits.model_validate(rate_limit)
        stores = [open_store(limits, SystemClock()) for _ in range(8)]
        try:
            for version in range(5):
                outcomes = await asyncio.gather(*(each.swap(str(limits.share_as), version, b"x") for each in stores))
                assert sum(kept.stored for kept in outcomes) == 1
                assert {kept.version for kept in outcomes} == {version + 1}
        finally:
            await asyncio.gather(*(each.close() for each in stores))


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1/0", "postgresql://nobody@127.0.0.1:1/none"])
async def test_a_store_that_is_not_there_stops_nobody(address, tmp_path):
    server = limited("sliding")
    async with serving(server) as url:
        order = {"limits": [f"{RATE}/s"], "shared": address}
        notices = await process(url, order, 5)
    assert len(server.times(200)) == 5
    assert len(notices) == 1
    assert "1/4 of the limits" in notices[0]
