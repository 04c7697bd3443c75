"""One limit and one circuit for several processes, in simulated time: each connection here stands for a process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest

from syncline.errors import CircuitOpenError
from syncline.events import Event, Noticed, listening
from syncline.http import Connection, shared_keeper
from syncline.http.keeping import Conduct
from syncline.http.shared_store import Kept
from syncline.model import Request, Response
from syncline.resilience import CircuitBreaker, Limits
from tests.http.servers import LimitedServer, answer, fixed_window, sliding_window, token_bucket
from tests.http.test_limits import KINDS, share_used, told
from tests.http.timeline import Timeline

PROCESSES = 4


class Store:
    """A store in memory: every look takes some time, and it can be down. `skew`: its clock is not ours."""

    def __init__(self, clock: Timeline, chance: random.Random, skew: float = 0.0) -> None:
        self.clock, self.chance, self.skew = clock, chance, skew
        self.down = False
        self.looks = 0
        self.kept: dict[str, tuple[int, bytes]] = {}

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        self.looks += 1
        await self.clock.sleep(0.0002 + self.chance.random() * 0.0008)
        if self.down:
            raise ConnectionRefusedError
        version, found = self.kept.get(key, (0, None))
        if value is not None and version == known:
            self.kept[key] = (version + 1, value)
            return Kept(True, version + 1, value, self.clock.now().timestamp() + self.skew)
        return Kept(False, version, None if version == known else found, self.clock.now().timestamp() + self.skew)

    async def close(self) -> None:
        """Nothing is open."""


class Grained(Timeline):
    """A clock that moves on by whole grains, as some systems' clocks do."""

    def __init__(self, grain: float) -> None:
        super().__init__()
        self.grain = grain

    def monotonic(self) -> float:
        return 1_000.0 + (self.elapsed // self.grain * self.grain if self.grain else self.elapsed)


@pytest.fixture
def store_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Timeline], Store]]:
    def make(clock: Timeline, skew: float = 0.0) -> Store:
        store = Store(clock, random.Random(11), skew)
        monkeypatch.setattr(shared_keeper, "open_store", lambda limits, clock: store)
        monkeypatch.setattr(shared_keeper, "STORE_SECONDS", 3600.0)  # real ones, which count for nothing here
        random.seed(11)
        return store

    yield make


def pace_kept(server: LimitedServer, rate: int) -> float:
    """Requests accepted until the last window begins, as a share of the rate; at 500/s a burst itself takes its time."""
    last = len(server.accepted) - rate
    return last / (rate * (server.accepted[last] - server.accepted[0]))


async def storm(
    clock: Timeline, server: LimitedServer, connection: Connection, requests: int, callers: int = 25
) -> None:
    """`PROCESSES` connections with `callers` tasks each share `requests` requests; every one must succeed."""
    left = iter(range(requests))

    async def process(number: int) -> None:
        await clock.sleep(number * 0.013)
        async with connection.connect(clock=clock, transport=server, chance=random.Random(number).random) as client:

            async def caller() -> None:
                for _ in left:
                    await client.send(client.request("GET", "/x"))

            await asyncio.gather(*(caller() for _ in range(callers)))

    async def everything() -> None:
        await asyncio.gather(*map(process, range(PROCESSES)))

    await clock.run(everything())
    assert len(server.accepted) == requests


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grain", [0.0, 0.001])
async def test_r12_across_processes_no_refusal_and_the_rate_is_used(kind, grain, store_for):
    clock = Grained(grain)
    store_for(clock)
    chance = random.Random(5)
    server = LimitedServer(clock, KINDS[kind](50, 1.0), jitter=lambda: chance.random() * 0.004, tells=told)
    await storm(
        clock, server, Connection(base_url="https://api.test", rate_limit={"limits": ["50/s"], "shared": True}), 1_500
    )
    assert server.refused == []
    assert pace_kept(server, 50) >= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("counter", [fixed_window, sliding_window, token_bucket])
async def test_r12_permits_are_leased_in_tens_where_the_rate_is_high(counter, store_for):
    clock = Timeline()
    store = store_for(clock)
    server = LimitedServer(clock, counter(500, 1.0), tells=told)
    await storm(
        clock, server, Connection(base_url="https://api.test", rate_limit={"limits": ["500/s"], "shared": True}), 5_000
    )
    assert server.refused == []
    assert pace_kept(server, 500) >= 0.985
    assert store.looks < 5_000 * 0.9, "several by one look, and those who came too late and looked again"


async def test_r12_one_process_is_refused_and_all_wait(store_for):
    clock = Timeline()
    store_for(clock)
    server = LimitedServer(clock, sliding_window(20, 1.0), tells=told)
    await storm(
        clock, server, Connection(base_url="https://api.test", rate_limit={"limits": ["40/s"], "shared": True}), 600
    )
    later = [moment for moment in server.refused if moment > 1.1]
    assert len(later) <= 4
    assert share_used(server, 20, 1.0) >= 0.9


async def test_r13_a_refusal_costs_the_wait_that_was_told_and_hardly_more(store_for):
    clock = Timeline()
    store_for(clock)
    allowed = sliding_window(50, 1.0)

    def counter(now: float) -> float | None:
        return 0.5 if clock.elapsed > 3.0 and not server.refused else allowed(now)

    server = LimitedServer(clock, counter, tells=told)
    rule = {"limits": ["50/s"], "shared": True}
    await storm(clock, server, Connection(base_url="https://api.test", rate_limit=rule), 300)
    (refused,), under_way = server.refused, 0.05
    later = [moment for moment in server.accepted if moment > refused + under_way]
    assert 1.0 <= later[0] - refused <= 1.05
    assert sum(moment < later[0] + 1.0 for moment in later) >= 49


async def test_r12_nobody_is_kept_from_the_memory_by_those_who_are_quicker(store_for):
    """What a process cannot tell in time is missed by the others, who then come too early."""
    clock = Timeline()
    store = store_for(clock)
    chance, longest = random.Random(3), 0.0

    async def process() -> None:
        nonlocal longest
        keeper = shared_keeper.SharedKeeper(Conduct(Limits(), CircuitBreaker()), "k", store, clock)
        for _ in range(200):
            began = clock.monotonic()
            await keeper.change(lambda now: True, lambda: None)
            longest = max(longest, clock.monotonic() - began)
            await clock.sleep(chance.random() * 0.004)

    async def everything() -> None:
        await asyncio.gather(*(process() for _ in range(2 * PROCESSES)))

    await clock.run(everything())
    assert store.kept["k"][0] == 200 * 2 * PROCESSES
    assert longest < 0.1


async def test_the_stores_clock_counts_not_ours(store_for):
    clock = Timeline()
    store_for(clock, skew=-86_400.0)
    server = LimitedServer(clock, sliding_window(50, 1.0), tells=told)
    await storm(
        clock, server, Connection(base_url="https://api.test", rate_limit={"limits": ["50/s"], "shared": True}), 300
    )
    assert server.refused == []


async def test_a_store_that_was_never_there_leaves_a_quarter_to_each(store_for):
    clock = Timeline()
    store_for(clock).down = True
    server = LimitedServer(clock, sliding_window(40, 1.0), tells=told)
    heard: list[Event] = []
    with listening(lambda scope, event: heard.append(event)):
        connection = Connection(base_url="https://api.test", rate_limit={"limits": ["40/s"], "shared": True})
        await storm(clock, server, connection, 400)
    assert server.refused == []
    notices = [event.what for event in heard if isinstance(event, Noticed)]
    assert len(notices) == PROCESSES
    assert "cannot be reached (ConnectionRefusedError)" in notices[0]
    assert "1/4 of the limits" in notices[0]


async def test_a_store_that_goes_and_comes_back_costs_no_refusal(store_for):
    clock = Timeline()
    store = store_for(clock)
    heard: list[Event] = []

    async def outage() -> None:
        await clock.sleep(3.3)
        store.down = True
        await clock.sleep(3.0)
        store.down = False
        store.kept.clear()  # it was not saved

    outages = []

    class Server(LimitedServer):
        async def __call__(self, request: Request) -> Response:
            if not outages:
                outages.append(asyncio.create_task(outage()))
            return await super().__call__(request)

    server = Server(clock, sliding_window(40, 1.0), tells=told)
    with listening(lambda scope, event: heard.append(event)):
        connection = Connection(base_url="https://api.test", rate_limit={"limits": ["40/s"], "shared": True})
        await storm(clock, server, connection, 600)
    notices = [event.what for event in heard if isinstance(event, Noticed)]
    assert notices.count("the store of the shared limits is back") == PROCESSES
    assert len(server.refused) <= 1


async def test_r15_shared_one_probe_of_all_processes_and_none_while_open(store_for):
    clock = Timeline()
    store_for(clock)
    sent: list[float] = []
    healthy = False

    async def server(request: Request) -> Response:
        sent.append(clock.elapsed)
        await clock.sleep(0.05)
        return answer(200 if healthy else 503, url=request.url)

    limits = {"limits": ["1000/s"], "shared": True}
    connection = Connection(base_url="https://api.test", rate_limit=limits, retry={"attempts": 1})

    async def ask(clients: list) -> list:
        return await asyncio.gather(
            *(client.send(client.request("GET", "/x")) for client in clients for _ in range(25)), return_exceptions=True
        )

    async def everything() -> None:
        nonlocal healthy
        async with connection.connect(clock=clock, transport=server) as first:
            for _ in range(5):  # all failures are met by one process
                await asyncio.gather(first.send(first.request("GET", "/x")), return_exceptions=True)
        sent.clear()
        async with (
            connection.connect(clock=clock, transport=server) as second,
            connection.connect(clock=clock, transport=server) as third,
        ):
            # started afterwards, and it is open all the same
            assert all(isinstance(outcome, CircuitOpenError) for outcome in await ask([second, third]))
            assert sent == []
            await clock.sleep(31)
            outcomes = await ask([second, third])
            assert len(sent) == 1
            assert sum(isinstance(outcome, CircuitOpenError) for outcome in outcomes) == 49
            await clock.sleep(31)
            healthy = True
            probed = clock.elapsed
            await ask([second, third])
            assert sum(moment < probed + 0.05 for moment in sent[1:]) == 1, "the others went after it, or not at all"
            outcomes = await ask([second, third])
            assert all(isinstance(outcome, Response) for outcome in outcomes)

    await clock.run(everything())


async def test_another_name_is_another_limit(store_for):
    clock = Timeline()
    store = store_for(clock)
    server = LimitedServer(clock, lambda now: None)

    async def everything() -> None:
        for name in ("one", "two", None):
            limits = {"limits": ["1/min"], "shared": True, "share_as": name}
            async with Connection(base_url="https://api.test", rate_limit=limits).connect(
                clock=clock, transport=server
            ) as client:
                await client.send(client.request("GET", "/x"))

    await clock.run(everything())
    assert clock.elapsed < 1
    assert {key.partition("#")[0] for key in store.kept} == {"one", "two", "https://api.test:443"}
