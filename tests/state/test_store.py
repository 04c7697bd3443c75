"""The state store: what it keeps, who may write, what its errors say."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from syncline.errors import LeaseError, StateError
from syncline.model import Checkpoint, Rejected, decode_json
from syncline.state import Owner
from syncline.state.exact import to_json
from syncline.state.store import SqlStateStore, open_state

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = "shop.orders"
ELSEWHERE = Owner(host="other", pid=7, run_id="r0", place="other boot", born="1")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStateStore]:
    async with open_state(tmp_path / ".syncline" / "state.db") as store:
        yield store


def shell(tmp_path: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(tmp_path / ".syncline" / "state.db", isolation_level=None)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def test_r25_the_cursor_is_kept_as_the_source_spelled_it(store: SqlStateStore, tmp_path: Path):
    lease = await store.acquire(KEY, Owner.current("r1"), NOW, 60)
    for cursor, shown in (
        ("2026-01-01T00:00:00.000000123+02:00", "2026-01-01T00:00:00.000000123+02:00"),
        ("007", "007"),
        (Decimal("1767225600.1234567890"), "1767225600.1234567890"),
        (2**70, str(2**70)),
        ({"id": 1}, '{"id":1}'),
        ("\ud800", "\\ud800"),
        (None, None),
    ):
        await store.commit(lease, Checkpoint(cursor=cursor), now=NOW)
        state = await store.load(KEY)
        assert state.checkpoint.cursor == cursor
        assert type(state.checkpoint.cursor) is type(cursor)
        assert shell(tmp_path, "SELECT last_cursor FROM sync_state") == [(shown,)]


async def test_anybody_can_read_the_six_columns(store: SqlStateStore, tmp_path: Path):
    six = "SELECT integration, last_cursor, last_sync_at, items_synced, status, error FROM sync_state"
    lease = await store.acquire(KEY, Owner.current("r1"), NOW, 60)
    assert shell(tmp_path, six) == [(KEY, None, None, 0, "running", None)]
    await store.commit(lease, Checkpoint(cursor="c1"), now=NOW, written=3)
    await store.commit(lease, Checkpoint(cursor="c2"), now=later(1), written=2)
    await store.release(lease, "failed", "server: it broke")
    assert shell(tmp_path, six) == [(KEY, "c2", "2026-11-22T12:00:01+00:00", 5, "failed", "server: it broke")]
    assert shell(tmp_path, "SELECT type FROM pragma_table_info('sync_state') LIMIT 1") == [("VARCHAR(100)",)]
    state = await store.load(KEY)
    assert (state.status, state.items_synced, state.error, state.last_sync_at) == (
        "failed",
        5,
        "server: it broke",
        later(1),
    )
    assert [s.key for s in await store.all()] == [KEY]


async def test_a_stream_that_never_ran_has_an_empty_state(store: SqlStateStore):
    state = await store.load("nobody")
    assert (state.checkpoint, state.status, state.items_synced) == (Checkpoint(), "idle", 0)
    assert await store.all() == []


async def test_r31_the_second_runner_is_told_who_holds_it(store: SqlStateStore):
    await store.acquire(KEY, Owner.current("r1"), NOW, 60)
    with pytest.raises(LeaseError) as caught:
        await store.acquire(KEY, ELSEWHERE, later(59), 60)
    assert caught.value.exit_code == 75
    assert f"process {Owner.current().pid} on" in caught.value.what
    assert "r1" in caught.value.what
    assert caught.value.hint


async def test_r31_an_expired_lease_is_taken_over_and_its_holder_fenced_out(store: SqlStateStore):
    old = await store.acquire(KEY, ELSEWHERE, NOW, 60)
    await store.renew(old, later(30), 60)
    with pytest.raises(LeaseError):
        await store.acquire(KEY, Owner.current("r2"), later(61), 60)
    new = await store.acquire(KEY, Owner.current("r2"), later(91), 60)
    assert new.fence > old.fence
    for call in (
        store.commit(
            old, Checkpoint(cursor="wrong"), now=NOW, written=5, rejected=[Rejected(path="", reason="", record=1)]
        ),
        store.renew(old, later(92), 60),
        store.release(old, "idle"),
    ):
        with pytest.raises(LeaseError, match="taken over"):
            await call
    await store.commit(new, Checkpoint(cursor="right"), now=later(92), written=1)
    state = await store.load(KEY)
    assert (state.checkpoint.cursor, state.items_synced, state.status) == ("right", 1, "running")
    assert await store.dead_letters.list() == []


async def test_a_released_lease_is_no_lease(store: SqlStateStore):
    lease = await store.acquire(KEY, ELSEWHERE, NOW, 60)
    await store.release(lease, "idle")
    with pytest.raises(LeaseError):
        await store.commit(lease, Checkpoint(cursor="late"), now=NOW)
    assert (await store.acquire(KEY, ELSEWHERE, NOW, 60)).fence == 2


async def test_reset_and_rewind(store: SqlStateStore):
    lease = await store.acquire(KEY, ELSEWHERE, NOW, 60)
    await store.commit(lease, Checkpoint(cursor="c", resume={"page": 3}), now=NOW, written=9)
    for attempt in (store.reset(KEY, NOW), store.rewind(KEY, "b", NOW)):
        with pytest.raises(LeaseError):
            await attempt
    await store.release(lease, "failed", "x")
    await store.rewind(KEY, "b", NOW)
    state = await store.load(KEY)
    assert (state.checkpoint, state.items_synced, state.status, state.error) == (
        Checkpoint(cursor="b"),
        9,
        "idle",
        None,
    )
    await store.reset(KEY, NOW)
    state = await store.load(KEY)
    assert (state.checkpoint, state.items_synced) == (Checkpoint(), 0)
    with pytest.raises(LeaseError):
        await store.renew(lease, NOW, 60)
    with pytest.raises(StateError, match="no state of nobody"):
        await store.reset("nobody", NOW)


async def test_runs_are_listed_newest_first(store: SqlStateStore):
    for number in range(3):
        await store.runs.start(f"r{number}", "shop", later(number))
    await store.runs.finish("r1", "done", {"read": 3, "price": Decimal("1.10")}, later(9))
    runs = await store.runs.list("shop")
    assert [run.id for run in runs] == ["r2", "r1", "r0"]
    assert (runs[1].status, runs[1].finished, runs[1].report) == (
        "done",
        later(9),
        {"read": 3, "price": Decimal("1.10")},
    )
    assert (runs[0].status, runs[0].finished) == ("running", None)
    assert await store.runs.list("other") == []


async def test_r28_dead_letters_are_kept_exactly(store: SqlStateStore):
    record = {"n": 2**80, "d": Decimal("1.10"), "t": "a\0b", "s": ["\ud83d", {"\udc00": None}], "u": "é🦜"}
    await store.dead_letters.add(KEY, "r1", [Rejected(path="s[0]", reason="bad \ud800", record=record)], NOW)
    await store.dead_letters.add("shop.other", "r1", [Rejected(path="", reason="x", record=None)], NOW)
    (letter,) = await store.dead_letters.list(KEY)
    assert (letter.record, letter.path, letter.created, letter.attempts) == (record, "s[0]", NOW, 0)
    await store.dead_letters.mark([letter.id], "open", attempted=True)
    await store.dead_letters.mark([letter.id], "dropped")
    assert await store.dead_letters.list(KEY) == []
    kept = await store.dead_letters.get(letter.id)
    assert (kept.status, kept.attempts) == ("dropped", 1)
    assert len(await store.dead_letters.list(status=None)) == 2
    with pytest.raises(StateError, match="no dead letter 99"):
        await store.dead_letters.get(99)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=()))
    | st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: d != d.to_integral_value()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner, max_size=3),
)  # fmt: skip


@given(anything)
def test_r34_r35_any_record_comes_back_as_it_was(record: Any):
    assert decode_json(to_json(record)) == record


@given(anything, anything)
def test_any_checkpoint_comes_back_as_it_was(cursor: Any, extra: Any):
    checkpoint = Checkpoint(cursor=cursor, resume={"p": extra}, seen=("a",), items=3, extra={"x": extra})
    assert msgspec.convert(decode_json(to_json(checkpoint)), Checkpoint) == checkpoint


async def test_looking_creates_nothing(tmp_path: Path):
    async with open_state(tmp_path / "none" / "state.db", create=False) as store:
        assert await store.all() == []
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "mine.db").execute("CREATE TABLE t (a)")
    before = (tmp_path / "mine.db").read_bytes()
    async with open_state(tmp_path / "mine.db", create=False) as store:
        assert await store.runs.list() == []
    assert (tmp_path / "mine.db").read_bytes() == before


async def test_the_file_is_for_its_owner_alone(store: SqlStateStore, tmp_path: Path):
    folder = tmp_path / ".syncline"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "state.db").stat().st_mode & 0o777 == 0o600


async def test_a_newer_version_is_not_touched(store: SqlStateStore, tmp_path: Path):
    shell(tmp_path, "UPDATE syncline_version SET version = 99")
    with pytest.raises(StateError, match="version 99") as caught:
        async with open_state(tmp_path / ".syncline" / "state.db"):
            pass
    assert caught.value.exit_code == 7
    assert "upgrade" in (caught.value.hint or "")


async def test_damage_is_a_state_error(store: SqlStateStore, tmp_path: Path):
    await store.acquire(KEY, ELSEWHERE, NOW, 60)
    shell(tmp_path, "UPDATE sync_state SET checkpoint = '{broken'")
    with pytest.raises(StateError, match="cannot be read"):
        await store.load(KEY)
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="damaged or not"):
        async with open_state(tmp_path / "bad.db"):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        async with open_state(tmp_path / "file" / "state.db"):
            pass


async def test_a_locked_store_is_explained_and_reading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("syncline.databases.sqlite.BUSY_SECONDS", 0.05)
    path = tmp_path / ".syncline" / "state.db"
    async with open_state(path) as store:
        await store.acquire(KEY, ELSEWHERE, NOW, 60)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked by another program"):
            await store.runs.start("r", "shop", NOW)
        with pytest.raises(LeaseError):  # the loser does not wait for the lock
            await store.acquire(KEY, Owner.current(), NOW, 60)
        other.close()


async def test_r29_a_full_disk_is_a_state_error(store: SqlStateStore):
    lease = await store.acquire(KEY, ELSEWHERE, NOW, 60)
    await store.patience.call(lambda: store._database.execute("PRAGMA max_page_count = 12"))
    big = [Rejected(path="", reason="", record="x" * 100_000)]
    with pytest.raises(StateError, match="no room left") as caught:
        await store.commit(lease, Checkpoint(cursor="c"), now=NOW, rejected=big)
    assert caught.value.exit_code == 7
    assert (await store.load(KEY)).checkpoint == Checkpoint()
    await store.commit(lease, Checkpoint(cursor="c"), now=NOW)
