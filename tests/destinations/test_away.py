"""R30: servers that are killed and come back, and connections that are lost between COMMIT and its answer."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.destinations import Sink, Sql
from syncline.destinations.sql.sink import SqlWriter
from syncline.errors import StateError, WriteError
from syncline.events import Event, Reached, Scope, Waiting, listening
from syncline.model import Batch, SystemClock, reveal
from syncline.state import Lease
from tests.destinations.conformance import KEY, MAKERS, Bench, Given, at, batch, done
from tests.support.cutting import COMMITS, CuttingProxy, cutting
from tests.support.own_servers import own_server

SERVERS = ["mariadb", "postgresql"]
REACHED = {
    "mariadb": "mariadb",
    "postgresql": "postgresql",
    "mysql+pymysql": "mariadb",
    "postgresql+psycopg": "postgresql",
}
"""Benches, and the servers behind them."""


class Through:
    """A bench whose destination is reached by way of a proxy, and the proxy."""

    def __init__(self, bench: Bench, proxy: CuttingProxy, commit: bytes) -> None:
        self.bench, self.proxy, self.commit = bench, proxy, commit

    @asynccontextmanager
    async def writer(self, write: str) -> AsyncIterator[tuple[Sink, SqlWriter, Lease]]:
        async with self.bench.sink() as sink:
            lease = await self.bench.lease(sink)
            yield sink, await self.bench.begin(sink, write, lease=lease, primary_key=("id",)), lease

    def ids(self) -> list[int]:
        return sorted(row["id"] for row in self.bench.read())


@pytest.fixture(params=REACHED)
def through(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Through]:
    bench = MAKERS[request.param](tmp_path)
    url = reveal(bench.destination.url)
    port = urlsplit(url).port
    assert port
    with cutting(port) as proxy:
        bench.destination = Sql(url=url.replace(f":{port}/", f":{proxy.port}/"))
        yield Through(bench, proxy, COMMITS[REACHED[request.param]])
    bench.drop()


@pytest.mark.parametrize("write", ["append", "upsert", "replace"])
async def test_r30_a_commit_whose_answer_is_lost_is_not_done_again(through: Through, write: str):
    async with through.writer(write) as (sink, writer, lease):
        await writer.write(batch(1, 2), [], at(1), lease)
        through.proxy.arm(through.commit)
        written = await writer.write(batch(3, 4, 5), [], at(2), lease)
        assert (written.written, through.proxy.cuts) == (3, 1)
        await writer.write(batch(6), [], at(3), lease)
        through.proxy.arm(through.commit)
        await writer.finish(done("z"), lease)
        assert through.proxy.cuts == 2
        state = await sink.state.load(KEY)
    assert through.ids() == [1, 2, 3, 4, 5, 6]
    assert (state.checkpoint.cursor, state.items_synced) == ("z", 6)


async def test_r30_a_commit_that_comes_through_late_is_not_done_again(through: Through):
    """The server gets it when the run has connected anew, found nothing, and is about to commit the same batch again."""
    async with through.writer("append") as (sink, writer, lease):
        await writer.write(batch(1, 2), [], at(1), lease)
        through.proxy.arm(through.commit, held_until=b"commits = commits + 1")
        written = await writer.write(batch(3, 4), [], at(2), lease)
        assert (written.written, through.proxy.cuts) == (2, 1)
        await writer.write(batch(5), [], at(3), lease)
        state = await sink.state.load(KEY)
    assert through.ids() == [1, 2, 3, 4, 5]
    assert (state.checkpoint.resume, state.items_synced) == ({"page": 3}, 5)


async def test_r30_a_lost_lease_is_taken_once(through: Through):
    async with through.bench.sink() as sink:
        through.proxy.arm(through.commit)
        lease = await through.bench.lease(sink)
        assert (through.proxy.cuts, lease.fence) == (1, 1)
        writer = await through.bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1), [], at(1), lease)
    assert through.ids() == [1]


async def test_r30_what_belonged_to_the_lost_session_is_made_anew(through: Through):
    """Temporary tables of a second writer, which did not notice anything."""
    async with through.bench.sink() as sink:
        lease = await through.bench.lease(sink)
        first, second = [await through.bench.begin(sink, "upsert", lease=lease, primary_key=("id",)) for _ in range(2)]
        for writer in (first, second):
            await writer.write(batch(1, 2), [], at(1), lease)
            await writer.write(batch(1, 2), [], at(2), lease)
        through.proxy.arm(through.commit)
        await first.write(batch(3), [], at(3), lease)
        written = await second.write(batch(3, 4), [], at(4), lease)
    assert (written.written, written.unchanged) == (1, 1)
    assert through.ids() == [1, 2, 3, 4]


async def test_r30_the_wait_has_an_end_and_says_so(through: Through):
    heard: list[Waiting] = []

    def hear(scope: Scope, event: Event) -> None:
        heard.append(event) if isinstance(event, Waiting) else None

    async with through.writer("append") as (_, writer, lease):
        through.proxy.close()
        with listening(hear), pytest.raises((StateError, WriteError), match="cannot be reached") as caught:
            await writer.write(batch(1), [], at(1), lease)
    assert caught.value.exit_code == 7
    assert 50 < sum(wait.seconds for wait in heard) <= 60
    assert "cannot be reached" in heard[0].reason


class Killer:
    """Kills a server when the record's way comes to a station for the second time, and starts it again a moment later."""

    def __init__(self, server: Any, station: str) -> None:
        self.server, self.station, self.seen = server, station, 0
        self.waits: list[Waiting] = []
        self.starting: threading.Thread | None = None

    def __call__(self, scope: Scope, event: Event) -> None:
        if isinstance(event, Waiting):
            self.waits.append(event)
        if isinstance(event, Reached) and event.station == self.station:
            self.seen += 1
            if self.seen == 2:
                self.server.kill()
                self.starting = threading.Timer(0.5, self.server.start)
                self.starting.start()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
async def test_r30_a_server_that_is_killed_in_the_middle_of_a_run_is_waited_for(kind: str, tmp_path: Path):
    with own_server(kind) as server:
        for write, station in (("append", "rows written"), ("upsert", "checkpoint written"), ("replace", "committed")):
            key = f"shop.{write}"
            killer = Killer(server, station)
            bench = Given(tmp_path, Sql(url=server.url))
            bench.clock = SystemClock()  # type: ignore[assignment]
            with listening(killer):
                await go(bench, key, write)
            assert killer.starting is not None
            killer.starting.join()
            assert [wait for wait in killer.waits if "cannot be reached" in wait.reason]
            with server.connect() as connection:
                cursor = connection.cursor()
                cursor.execute(f"SELECT id FROM {'mysql.' if kind == 'mariadb' else ''}t_{write} ORDER BY id")
                assert [number for (number,) in cursor.fetchall()] == list(range(60))
                cursor.execute(f"SELECT items_synced FROM {'mysql.' if kind == 'mariadb' else ''}sync_state"
                               f" WHERE integration = '{key}'")  # fmt: skip
                assert cursor.fetchone() == (60,)


async def go(bench: Bench, key: str, write: str) -> None:
    """Six pages of ten rows, and the end of the pass."""
    from syncline.destinations import Target
    from syncline.state import Owner

    async with bench.sink() as sink:
        lease = await sink.state.acquire(key, Owner.current("r1"), bench.clock.now(), 600)
        state = await sink.state.load(key)
        target = Target(table=f"t_{write}", write=write)
        writer = await sink.begin(key, "t", target, primary_key=("id",), lease=lease, checkpoint=state.checkpoint)
        for page in range(6):
            rows = [(number, f"text {number}") for number in range(page * 10, page * 10 + 10)]
            await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(page + 1), lease)
        await writer.finish(done("z"), lease)
