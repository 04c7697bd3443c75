"""R26: rows whose records are gone, told by a tombstone or missing from a complete pass."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from syncline.destinations import Deletes, Finished, Sink
from syncline.errors import PartialError
from syncline.model import Written
from syncline.testing.bench import Bench, at, batch, done
from syncline.testing.group import Group, blocking, need

How = Literal["soft", "hard"]


class Removal(Group):
    """Rows whose records are gone, told by a tombstone or missing from a complete pass (R26)."""

    @pytest.mark.parametrize("how", ["soft", "hard"])
    @blocking
    async def test_r26_tombstones_delete_once_and_what_comes_back_is_alive(self, bench: Bench, how: How) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            passes = Passes(bench, sink, Deletes(when="deleted_at", how=how))
            await passes.go(1, 2, 3)
            written = await passes.go(gone=(2, 99))
            assert (written.written, written.deleted, written.unchanged) == (1, 1, 1)
            assert passes.alive() == [1, 3]
            assert passes.all() == ([1, 2, 3] if how == "soft" else [1, 3])
            again = await passes.go(gone=(2,))
            assert (again.written, again.deleted, again.unchanged) == (0, 0, 1)
            back = await passes.go(2)
            assert back.written == 1
            assert passes.alive() == [1, 2, 3]

    @pytest.mark.parametrize("how", ["soft", "hard"])
    @blocking
    async def test_r26_tombstones_may_come_with_the_very_first_rows(self, bench: Bench, how: How) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            passes = Passes(bench, sink, Deletes(when="deleted_at", how=how))
            await passes.go(1, 2, 3, gone=(2, 99))
            assert passes.alive() == [1, 3]
            await passes.go(2, gone=(3,))
            assert passes.alive() == [1, 2]

    @pytest.mark.parametrize("how", ["soft", "hard"])
    @blocking
    async def test_r26_missing_records_are_deleted_after_a_complete_pass_only(self, bench: Bench, how: How) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            passes = Passes(bench, sink, Deletes(missing=True, how=how))
            await passes.go(*range(1, 11))
            await passes.go(*range(1, 10), complete=False)
            assert passes.alive() == list(range(1, 11))
            await passes.go(*range(1, 10))
            assert passes.finished.deleted == 1
            assert passes.alive() == list(range(1, 10))
            assert passes.all() == (list(range(1, 11)) if how == "soft" else list(range(1, 10)))
            await passes.go(*range(1, 10))
            assert passes.finished.deleted == 0
            await passes.go(*range(1, 11))
            assert passes.alive() == list(range(1, 11))

    @blocking
    async def test_r26_the_ratio_guard_stops_at_a_fifth_unless_told(self, bench: Bench) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            passes = Passes(bench, sink, Deletes(missing=True, how="hard"))
            await passes.go(*range(1, 11))
            with pytest.raises(PartialError, match=r"3 of 10 rows .* 20%") as caught:
                await passes.go(*range(1, 8))
            assert "--allow-deletes" in str(caught.value.hint)
            assert caught.value.exit_code == 5
            assert passes.alive() == list(range(1, 11))
            passes.deletes = Deletes(missing=True, how="hard", max_ratio=1.0)
            await passes.go(*range(1, 8))
            assert passes.alive() == list(range(1, 8))
            with pytest.raises(PartialError):
                passes.deletes = Deletes(missing=True, how="hard")
                await passes.go()
            assert passes.alive() == list(range(1, 8))

    @blocking
    async def test_r26_an_unfinished_pass_remembers_what_it_saw(self, bench: Bench) -> None:
        need(bench.abilities.deletes, "deletes")
        deletes = Deletes(missing=True, how="hard")
        async with bench.sink() as sink:
            await Passes(bench, sink, deletes).go(*range(1, 11))
            lease = await bench.lease(sink)
            options = {"deletes": deletes}
            writer = await bench.begin(sink, "upsert", lease=lease, **options)
            await writer.write(batch(*range(1, 6)), [], at(1), lease)
        async with bench.sink() as sink:
            lease = await bench.lease(sink, "r2")
            writer = await bench.begin(sink, "upsert", lease=lease, **options)
            await writer.write(batch(*range(6, 10)), [], at(2), lease)
            finished = await writer.finish(done("z"), lease, complete=True)
        assert finished.deleted == 1
        assert sorted(bench.ids()) == list(range(1, 10))

    @blocking
    async def test_r26_records_that_became_no_row_are_not_missing(self, bench: Bench) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            passes = Passes(bench, sink, Deletes(missing=True, how="hard"))
            await passes.go(*range(1, 11))
            await passes.go(*range(1, 10), present=[(10,)])
            assert passes.finished.deleted == 0
            await passes.go(*range(1, 10), doubtful=1)
            assert passes.finished.deleted == 0
            assert "1 record" in str(passes.finished.notice)
            assert passes.alive() == list(range(1, 11))

    @blocking
    async def test_r26_a_pass_that_began_before_deletes_were_wanted_deletes_nothing(self, bench: Bench) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, "upsert", lease=lease)
            await writer.write(batch(1, 2, 3), [], at(1), lease)
            lease = await bench.lease(sink)
            writer = await bench.begin(
                sink, "upsert", lease=lease, primary_key=("id",), deletes=Deletes(missing=True, how="hard")
            )
            await writer.write(batch(4), [], at(2), lease)
            finished = await writer.finish(done("z"), lease, complete=True)
        assert finished.deleted == 0
        assert "began before" in str(finished.notice)
        assert sorted(bench.ids()) == [1, 2, 3, 4]

    @blocking
    async def test_a_trial_counts_what_would_go(self, bench: Bench) -> None:
        need(bench.abilities.deletes, "deletes")
        async with bench.sink() as sink:
            await Passes(bench, sink, Deletes(when="deleted_at", how="hard")).go(1, 2, 3)
        trial = await bench.trial(
            batch(1, 4), "upsert", deletes=Deletes(when="deleted_at", how="hard"), gone=[(2,), (99,)]
        )
        assert (trial.inserts, trial.updates, trial.deletes, trial.unchanged) == (1, 0, 1, 2)
        assert [(sample.what, sample.key) for sample in trial.samples] == [("insert", (4,)), ("delete", (2,))]
        assert sorted(bench.ids()) == [1, 2, 3]


class Passes:
    """Complete passes over a list, one after another."""

    def __init__(self, bench: Bench, sink: Sink, deletes: Deletes) -> None:
        self.bench, self.sink, self.deletes = bench, sink, deletes
        self.finished = Finished()

    async def go(self, *ids: int, complete: bool = True, gone: tuple[int, ...] = (), **more: Any) -> Written:
        lease = await self.bench.lease(self.sink)
        writer = await self.bench.begin(self.sink, "upsert", lease=lease, deletes=self.deletes)
        written = await writer.write(batch(*ids), [], at(1), lease, gone=[(number,) for number in gone], **more)
        self.finished = await writer.finish(done("z"), lease, complete=complete)
        return written

    def alive(self) -> list[int]:
        column = self.deletes.column
        return sorted(int(row["id"]) for row in self.bench.read() if row.get(column) is None)

    def all(self) -> list[int]:
        return sorted(self.bench.ids())
