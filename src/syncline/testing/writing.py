"""Rows that are written, rewritten, exchanged; rejects; trials."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import Children, Deletes, Taker, WriteMode
from syncline.errors import LeaseError, PlanError
from syncline.model import Rejected, Written
from syncline.testing.bench import KEY, TABLE, Bench, at, batch, done, records
from syncline.testing.group import Group, blocking, need, need_mode

MODES: list[WriteMode] = ["append", "upsert", "replace"]


class Writing(Group):
    """Rows that are written, rewritten, exchanged; rejects, fences, trials."""

    @blocking
    async def test_append_adds_what_each_run_brings(self, bench: Bench) -> None:
        need_mode(bench, "append")
        async with bench.sink() as sink:
            for run, ids in (("r1", (1, 2)), ("r2", (3,))):
                lease = await bench.lease(sink, run)
                writer = await bench.begin(sink, "append", lease=lease)
                written = await writer.write(batch(*ids), [], at(1), lease)
                assert (written.written, written.unchanged, written.rejected) == (len(ids), 0, ())
                await writer.finish(done(run), lease)
        assert bench.ids() == [1, 2, 3]

    @blocking
    @pytest.mark.parametrize("mode", MODES)
    async def test_r1_rows_that_a_writer_takes_count_with_the_batch_that_follows_and_not_before(
        self, bench: Bench, mode: WriteMode
    ) -> None:
        need_mode(bench, mode)
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, mode, lease=lease)
            if not isinstance(writer, Taker) or not writer.portion:
                need(False, "a writer that takes rows as they come")
                return
            await writer.write(batch(1), [], at(1), lease)
            writer.take(batch(8, 9))
        bench.clock.advance(100)
        async with bench.sink() as sink:  # what was taken and never written is gone with its writer
            lease = await bench.lease(sink, "r2")
            writer = await bench.begin(sink, mode, lease=lease)
            assert isinstance(writer, Taker)
            left = [one for one in (2, 3) if not writer.take(batch(one))]
            written = await writer.write(batch(*left, 4), [], at(2), lease)
            assert (written.written, written.rejected) == (3, ())
            await writer.finish(done("r2"), lease)
        assert bench.ids() == [1, 2, 3, 4]

    @blocking
    async def test_upsert_inserts_updates_and_leaves_alone_what_is_the_same(self, bench: Bench) -> None:
        need_mode(bench, "upsert")
        await upserted(bench, {"id": 1, "text": "a"}, {"id": 2, "text": "b"})
        again = await upserted(bench, {"id": 1, "text": "a"}, {"id": 2, "text": "B"}, {"id": 3, "text": None})
        assert (again.written, again.unchanged, again.rejected) == (2, 1, ())
        found = {int(row["id"]): row["text"] for row in bench.read()}
        assert found == {1: "a", 2: "B", 3: None}

    @blocking
    async def test_r22_of_records_with_the_same_key_the_last_one_stays(self, bench: Bench) -> None:
        need_mode(bench, "upsert")
        rows = [{"id": 1, "text": "first"}, {"id": 2, "text": "other"}, {"id": 1, "text": "last"}]
        written = await upserted(bench, *rows)
        assert written.written + written.unchanged == 3
        assert {int(row["id"]): row["text"] for row in bench.read()} == {1: "last", 2: "other"}
        assert len(bench.read()) == 2

    @blocking
    async def test_r28_a_record_without_its_key_costs_itself(self, bench: Bench) -> None:
        need_mode(bench, "upsert")
        written = await upserted(bench, {"id": 1, "text": "a"}, {"id": None, "text": "b"}, {"id": 3, "text": "c"})
        assert (written.written, [refused.path for refused in written.rejected]) == (2, ["id"])
        assert sorted(bench.ids()) == [1, 3]

    @blocking
    async def test_replace_shows_the_old_until_the_new_is_complete(self, bench: Bench) -> None:
        need_mode(bench, "replace")
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, "replace", lease=lease)
            await writer.write(batch(1, 2), [], at(1), lease)
            assert bench.read() == []
            await writer.finish(done("a"), lease)
            assert bench.ids() == [1, 2]

            lease = await bench.lease(sink, "r2")
            writer = await bench.begin(sink, "replace", lease=lease)
            await writer.write(batch(3), [], at(1), lease)
            assert bench.ids() == [1, 2]
            await writer.write(batch(4), [], at(2), lease)
            await writer.finish(done("b"), lease)
        assert bench.ids() == [3, 4]

    @blocking
    async def test_replace_by_nothing_leaves_nothing(self, bench: Bench) -> None:
        need_mode(bench, "replace")
        async with bench.sink() as sink:
            for run, ids in (("r1", (1, 2)), ("r2", ())):
                lease = await bench.lease(sink, run)
                writer = await bench.begin(sink, "replace", lease=lease)
                if ids:
                    await writer.write(batch(*ids), [], at(1), lease)
                await writer.finish(done(run), lease)
        assert bench.read() == []

    @blocking
    async def test_r28_rejects_are_kept_with_the_checkpoint_and_landed_once(self, bench: Bench) -> None:
        write = first_mode(bench)
        raw = {"id": 2, "price": Decimal("1.10"), "name": "\ud800"}
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, write, lease=lease)
            await writer.write(batch(1), [Rejected(path="name", reason="bad", record=raw)], at(1), lease)
            (letter,) = await sink.state.dead_letters.list(KEY)
            assert (letter.record, letter.path, letter.run_id, letter.status) == (raw, "name", "r1", "open")
            await writer.write(batch(2), [], None, lease, resolved=[letter.id])
            assert (await sink.state.load(KEY)).checkpoint.resume == {"page": 1}
            assert await sink.state.dead_letters.list(KEY) == []
            landed = await sink.state.dead_letters.get(letter.id)
            assert (landed.status, landed.attempts) == ("retried", 1)
            await writer.finish(done("z"), lease)
        assert bench.ids() == [1, 2]

    @blocking
    async def test_a_trial_says_what_would_happen_and_changes_nothing(self, bench: Bench) -> None:
        before = files_of(bench.folder)
        trial = await bench.trial(batch(1, 2), first_mode(bench))
        assert (trial.exists, trial.inserts, trial.updates, trial.rejected) == (False, 2, 0, ())
        assert trial.statements or trial.requests
        async with bench.destination.open_state(default_state=bench.folder / "state.db") as state:
            assert await state.all() == []
        assert (files_of(bench.folder), bench.read()) == (before, [])

    @blocking
    async def test_what_is_not_declared_is_refused(self, bench: Bench) -> None:
        can = bench.abilities
        asked: list[tuple[WriteMode, dict[str, Any], dict[str, Any]]] = [
            (write, {}, {}) for write in MODES if write not in can.modes
        ]
        if not can.deletes:
            asked.append((first_mode(bench), {}, {"deletes": Deletes(missing=True)}))
        if not can.lists:
            asked.append((first_mode(bench), {"children": {"lines": Children()}}, {}))
        for write, into, options in asked:
            async with bench.sink() as sink:
                lease = await bench.lease(sink)
                target = bench.target(write, **into)
                if bench.destination.misfit(target, options.get("deletes")):
                    continue  # said before anything is opened, which is best
                options.setdefault("primary_key", ("id",))
                checkpoint = (await sink.state.load(KEY)).checkpoint
                with pytest.raises(PlanError):
                    await sink.begin(KEY, TABLE, target, lease=lease, checkpoint=checkpoint, **options)
        assert bench.read() == []

    @pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 300])
    @blocking
    async def test_s15_s16_hostile_table_names_are_refused(self, bench: Bench, name: str) -> None:
        need(bench.abilities.names, "tables or files with names of their own")
        target = bench.target(first_mode(bench)).model_copy(update={"table": None})
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            with pytest.raises(PlanError):
                await sink.begin(KEY, name, target, primary_key=("id",), lease=lease, checkpoint=at(0))

    @pytest.mark.parametrize("write", MODES)
    @blocking
    async def test_r31_a_fenced_out_writer_leaves_nothing(self, bench: Bench, write: WriteMode) -> None:
        need_mode(bench, write)
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
        assert bench.ids() == [1, 2]
        assert (state.checkpoint.cursor, letters) == ("right", [])


def first_mode(bench: Bench) -> WriteMode:
    """The simplest that it has."""
    return next(write for write in MODES if write in bench.abilities.modes)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.*"))


async def upserted(bench: Bench, *rows: dict[str, Any], **options: Any) -> Written:
    """A whole pass in one batch."""
    return await passed(bench, "upsert", *rows, **options)


async def passed(bench: Bench, write: WriteMode, *rows: dict[str, Any], **options: Any) -> Written:
    """As `upserted`, in any mode."""
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease, **options)
        written = await writer.write(records(*rows), [], at(1), lease)
        await writer.finish(done("z"), lease)
    return written
