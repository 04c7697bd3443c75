"""The state in MariaDB, where changes of the schema commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from syncline.databases import Address, parse_address
from syncline.errors import LeaseError
from syncline.model import Checkpoint, Rejected, reveal
from syncline.state import Owner
from syncline.state.schema import VERSION
from syncline.state.store import open_state
from tests.destinations.conformance import MariadbBench, mariadb_connection, schema_of

NOW = datetime(2026, 11, 22, 12, 0, 0, 123_456, UTC)
KEY = "shop.orders"
ELSEWHERE = Owner(host="other", pid=7, run_id="r0", place="other boot", born="1")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Address]:
    bench = MariadbBench(tmp_path)
    yield parse_address(reveal(bench.destination.url))
    bench.drop()


def shell(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with mariadb_connection(schema_of(folder)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())


async def test_what_is_kept_comes_back_as_it_was(place: Address, tmp_path: Path):
    async with open_state(place) as store:
        lease = await store.acquire(KEY, Owner.current("r1"), NOW, 60)
        raw = {"n": Decimal("1.10"), "big": 2**70, "t": "\ud800\0", "q": "it's \\ ? %s"}
        checkpoint = Checkpoint(cursor="2026-01-01T00:00:00.000000123+02:00", resume={"page": 3})
        await store.commit(lease, checkpoint, now=NOW, written=9, rejected=[Rejected(path="t", reason="?", record=raw)])
        await store.runs.start("r1", "shop", NOW)
        await store.runs.finish("r1", "done", {"rows": 9}, NOW + timedelta(microseconds=1))
        state = await store.load(KEY)
        (letter,) = await store.dead_letters.list(KEY)
        (run,) = await store.runs.list("shop")
    assert (state.checkpoint, state.items_synced, state.last_sync_at) == (checkpoint, 9, NOW)
    assert (letter.record, letter.created) == (raw, NOW)
    assert (run.started, run.finished, run.report) == (NOW, NOW + timedelta(microseconds=1), {"rows": 9})
    six = "SELECT integration, last_cursor, last_sync_at, items_synced, status, error FROM sync_state"
    assert shell(tmp_path, six) == [(KEY, checkpoint.cursor, NOW.replace(tzinfo=None), 9, "running", None)]


async def test_keys_are_told_apart_by_every_character(place: Address):
    keys = ["shop.orders", "Shop.orders", "shop.órders", "shop.orders "]
    async with open_state(place) as store:
        for number, key in enumerate(keys):
            lease = await store.acquire(key, Owner.current("r1"), NOW, 60)
            await store.commit(lease, Checkpoint(cursor=number), now=NOW)
        assert [(await store.load(key)).checkpoint.cursor for key in keys] == [0, 1, 2, 3]


async def test_r31_a_second_runner_is_refused_and_an_old_one_commits_nothing(place: Address):
    async with open_state(place) as first, open_state(place) as second:
        old = await first.acquire(KEY, ELSEWHERE, NOW, 60)
        with pytest.raises(LeaseError, match="held by process 7 on other"):
            await second.acquire(KEY, Owner.current("r1"), NOW, 60)
        new = await second.acquire(KEY, Owner.current("r1"), NOW + timedelta(seconds=61), 60)
        assert new.fence == old.fence + 1
        with pytest.raises(LeaseError, match="taken over"):
            await first.commit(old, Checkpoint(cursor="late"), now=NOW)
        await second.renew(new, NOW + timedelta(seconds=61), 60)
        await second.renew(new, NOW + timedelta(seconds=61), 60)  # the same values: the row is met, though not changed
        await second.commit(new, Checkpoint(cursor="c"), now=NOW)
        assert (await first.load(KEY)).checkpoint.cursor == "c"


async def test_an_upgrade_that_was_killed_on_the_way_is_finished(place: Address, tmp_path: Path):
    async with open_state(place) as store:
        lease = await store.acquire(KEY, Owner.current("r1"), NOW, 60)
        await store.commit(lease, Checkpoint(cursor="c"), now=NOW)
    shell(tmp_path, "UPDATE syncline_version SET version = 1")  # the column of version 2 is there already
    shell(tmp_path, "DROP TABLE syncline_links")
    async with open_state(place) as store:
        assert (await store.load(KEY)).checkpoint.cursor == "c"
    assert shell(tmp_path, "SELECT version FROM syncline_version") == [(VERSION,)]
    assert shell(tmp_path, "SELECT count(*) FROM syncline_links") == [(0,)]


async def test_looking_creates_nothing(place: Address, tmp_path: Path):
    async with open_state(place, create=False) as store:
        assert await store.all() == []
    assert shell(tmp_path, "SHOW TABLES") == []
