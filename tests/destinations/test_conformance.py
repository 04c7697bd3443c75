"""The conformance test, once for every destination that there is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import LeaseError, PlanError
from syncline.model import Batch, Rejected
from tests.destinations.conformance import KEY, MAKERS, Bench, at, batch, done


@pytest.fixture(params=MAKERS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = MAKERS[request.param](tmp_path)
    yield made
    made.drop()


async def test_append_adds_what_each_run_brings(bench: Bench):
    async with bench.sink() as sink:
        for run, ids in (("r1", (1, 2)), ("r2", (3,))):
            lease = await bench.lease(sink, run)
            writer = await bench.begin(sink, "append", lease=lease)
            written = await writer.write(batch(*ids), [], at(1), lease)
            assert (written.written, written.unchanged, written.rejected) == (len(ids), 0, ())
            await writer.finish(done(run), lease)
    assert [row["id"] for row in bench.read()] == [1, 2, 3]


async def test_replace_shows_the_old_until_the_new_is_complete(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "replace", lease=lease)
        await writer.write(batch(1, 2), [], at(1), lease)
        assert bench.read() == []
        await writer.finish(done("a"), lease)
        assert [row["id"] for row in bench.read()] == [1, 2]

        lease = await bench.lease(sink, "r2")
        writer = await bench.begin(sink, "replace", lease=lease)
        await writer.write(batch(3), [], at(1), lease)
        assert [row["id"] for row in bench.read()] == [1, 2]
        await writer.write(batch(4), [], at(2), lease)
        await writer.finish(done("b"), lease)
    assert [row["id"] for row in bench.read()] == [3, 4]


async def test_replace_by_nothing_leaves_nothing(bench: Bench):
    async with bench.sink() as sink:
        for run, ids in (("r1", (1, 2)), ("r2", ())):
            lease = await bench.lease(sink, run)
            writer = await bench.begin(sink, "replace", lease=lease)
            if ids:
                await writer.write(batch(*ids), [], at(1), lease)
            await writer.finish(done(run), lease)
    assert bench.read() == []


@pytest.mark.parametrize("write", ["append", "replace"])
async def test_an_unfinished_pass_goes_on_where_it_was_committed(bench: Bench, write: str):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease)
        await writer.write(batch(1, 2), [], at(1), lease)
        await writer.write(batch(3), [], at(2), lease)
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        assert (await sink.state.load(KEY)).checkpoint.resume == {"page": 2}
        writer = await bench.begin(sink, write, lease=lease)
        await writer.write(batch(4), [], at(3), lease)
        await writer.finish(done("z"), lease)
        state = await sink.state.load(KEY)
    assert [row["id"] for row in bench.read()] == [1, 2, 3, 4]
    assert state.checkpoint == done("z") or state.checkpoint.cursor == "z"
    assert state.items_synced == 4


@pytest.mark.parametrize("write", ["replace"])
async def test_a_fresh_pass_throws_the_unfinished_one_away(bench: Bench, write: str):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease)
        await writer.write(batch(1, 2), [], at(1), lease)
        lease = await bench.lease(sink, "r2")
        writer = await bench.begin(sink, write, lease=lease, fresh=True)
        await writer.write(batch(9), [], at(1), lease)
        await writer.finish(done("z"), lease)
    assert [row["id"] for row in bench.read()] == [9]


@pytest.mark.parametrize("write", ["append", "replace"])
async def test_r31_a_fenced_out_writer_leaves_nothing(bench: Bench, write: str):
    async with bench.sink() as sink:
        old = await bench.lease(sink, "old")
        slow = await bench.begin(sink, write, lease=old)
        await slow.write(batch(1), [], at(1), old)
        new = await bench.lease(sink, "new")
        writer = await bench.begin(sink, write, lease=new)
        with pytest.raises(LeaseError):
            await slow.write(batch(666), [Rejected(path="", reason="r", record={})], at(9), old)
        with pytest.raises(LeaseError):
            await slow.finish(done("wrong"), old)
        await writer.write(batch(2), [], at(2), new)
        await writer.finish(done("right"), new)
        state = await sink.state.load(KEY)
        letters = await sink.state.dead_letters.list()
    assert [row["id"] for row in bench.read()] == [1, 2]
    assert (state.checkpoint.cursor, letters) == ("right", [])


async def test_r28_rejects_are_kept_with_the_checkpoint_and_landed_once(bench: Bench):
    raw = {"id": 2, "price": Decimal("1.10"), "name": "\ud800"}
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1), [Rejected(path="name", reason="bad", record=raw)], at(1), lease)
        (letter,) = await sink.state.dead_letters.list(KEY)
        assert (letter.record, letter.path, letter.run_id, letter.status) == (raw, "name", "r1", "open")
        await writer.write(batch(2), [], None, lease, resolved=[letter.id])
        assert (await sink.state.load(KEY)).checkpoint.resume == {"page": 1}
        assert await sink.state.dead_letters.list(KEY) == []
        landed = await sink.state.dead_letters.get(letter.id)
        assert (landed.status, landed.attempts) == ("retried", 1)
        await writer.finish(done("z"), lease)
    assert [row["id"] for row in bench.read()] == [1, 2]


async def test_r35_a_lone_surrogate_costs_its_record_and_nul_is_exact_or_counted(bench: Bench):
    nul = [(1, "a\0b")] if bench.holds_nul else []
    rows = [*nul, (2, "x\ud800y"), (3, "🦜 \u2028"), (4, {"deep": ["\udfff"]}), (5, float("nan"))]
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        raw = [{"raw": row[0]} for row in rows]
        written = await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(1), lease, records=raw)
        await writer.finish(done("z"), lease)
        letters = await sink.state.dead_letters.list()
    assert written.written == len(nul) + 1
    assert [r.path for r in written.rejected] == ["text"] * 3
    assert "surrogate" in written.rejected[0].reason
    assert [letter.record for letter in letters] == [{"raw": 2}, {"raw": 4}, {"raw": 5}]
    assert [(row["id"], row["text"]) for row in bench.read()] == [*nul, (3, "🦜 \u2028")]


async def test_r34_numbers_arrive_exactly(bench: Bench):
    numbers = [0, -(2**63), 2**63, 10**40, Decimal("0.1"), Decimal("12345678901234567890.123456789"), Decimal("1E+3")]
    landed: list[Any] = []
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        for page, number in enumerate(numbers):  # one at a time, so that the column has to widen on the way
            written = await writer.write(Batch(columns=("id", "n"), rows=[(page, number)]), [], at(page), lease)
            assert (written.written, bench.widens) in [(1, bench.widens), (0, "nothing")]
            landed += [number] if written.written else []
        await writer.finish(done("z"), lease)
    assert [Decimal(row["n"]) for row in bench.read()] == [Decimal(number) for number in landed]


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 300])
async def test_s15_hostile_table_names_are_refused(bench: Bench, name: str):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        from syncline.destinations import Target

        with pytest.raises(PlanError):
            await sink.begin(KEY, name, Target(write="append"), lease=lease, checkpoint=at(0))


async def test_trial_says_what_would_happen_and_changes_nothing(bench: Bench):
    from syncline.destinations import Target

    target = Target(table="orders", write="append")
    trial = await bench.destination.trial("orders", target, batch(1, 2))
    assert (trial.exists, trial.inserts, trial.updates, trial.rejected) == (False, 2, 0, ())
    assert len(trial.statements) == 1
    assert list(bench.folder.rglob("*.*")) == []
    async with bench.destination.open_state(default_state=bench.folder / "state.db") as state:
        assert await state.all() == []
    assert list(bench.folder.rglob("*.*")) == []


async def test_r35_where_nul_cannot_be_kept_its_record_is_rejected(bench: Bench):
    if bench.holds_nul:
        return
    rows = [(1, "a\0b"), (2, "fine"), (3, {"deep": ["\0"]})]
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        written = await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(1), lease)
    assert written.written == 1
    assert [(r.path, "NUL" in r.reason) for r in written.rejected] == [("text", True)] * 2
