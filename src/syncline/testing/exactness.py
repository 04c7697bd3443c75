"""R34, R35: what arrives is what was sent, or is refused with its path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncline.model import Batch
from syncline.testing.bench import Bench, at, done
from syncline.testing.group import Group, blocking
from syncline.testing.values import KINDS, NUMBERS
from syncline.testing.writing import first_mode


class Exactness(Group):
    """What arrives is what was sent, or is refused with its path (R34, R35)."""

    @blocking
    async def test_r34_numbers_arrive_exactly_while_their_column_widens(self, bench: Bench) -> None:
        landed: list[Any] = []
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, first_mode(bench), lease=lease)
            for page, number in enumerate(NUMBERS):
                written = await writer.write(Batch(columns=("id", "n"), rows=[(page, number)]), [], at(page), lease)
                assert written.written == 1 or bench.abilities.widens == "nothing"
                landed += [number] if written.written else []
            await writer.finish(done("z"), lease)
        assert [Decimal(row["n"]) for row in bench.read()] == [Decimal(number) for number in landed]

    @pytest.mark.parametrize("kind", KINDS)
    @blocking
    async def test_r34_every_kind_of_value_arrives_exactly_or_is_refused_with_its_path(
        self, bench: Bench, kind: str
    ) -> None:
        rows = list(enumerate(KINDS[kind]))
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, first_mode(bench), lease=lease)
            written = await writer.write(Batch(columns=("id", "v"), rows=list(rows)), [], at(1), lease)
            await writer.finish(done("z"), lease)
            letters = await sink.state.dead_letters.list()
        found = {int(row["id"]): row.get("v") for row in bench.read()}
        changed = {number: (found[number], sent) for number, sent in rows
                   if number in found and not bench.same(found[number], sent)}  # fmt: skip
        assert not changed, f"stored, and sent: {changed}"
        refused = {refused.record["id"] for refused in written.rejected}
        assert {refused.path.split("[")[0].split(".")[0] for refused in written.rejected} <= {"v"}
        assert found.keys() == {number for number, _ in rows} - refused
        assert (written.written, len(letters)) == (len(found), len(refused))
        if kind in bench.abilities.refuses:
            assert not found
        else:
            assert len(found) >= len(rows) / 2, f"most {kind} values are refused: {written.rejected[0].reason}"

    @blocking
    async def test_r35_a_lone_surrogate_costs_its_record_and_nul_is_exact_or_counted(self, bench: Bench) -> None:
        nul = [(1, "a\0b")] if bench.abilities.holds_nul else []
        rows: list[Any] = [*nul, (2, "x\ud800y"), (3, "🦜 \u2028"), (4, {"deep": ["\udfff"]}), (5, float("nan"))]
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, first_mode(bench), lease=lease)
            raw = [{"raw": row[0]} for row in rows]
            written = await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(1), lease, records=raw)
            await writer.finish(done("z"), lease)
            letters = await sink.state.dead_letters.list()
        assert written.written == len(nul) + 1
        assert [refused.path.partition(".")[0] for refused in written.rejected] == ["text"] * 3
        assert "surrogate" in written.rejected[0].reason
        assert [letter.record for letter in letters] == [{"raw": 2}, {"raw": 4}, {"raw": 5}]
        assert [(int(row["id"]), row["text"]) for row in bench.read()] == [*nul, (3, "🦜 \u2028")]

    @blocking
    async def test_r35_where_nul_cannot_be_kept_its_record_is_rejected(self, bench: Bench) -> None:
        if bench.abilities.holds_nul:
            return
        rows: list[Any] = [(1, "a\0b"), (2, "fine"), (3, {"deep": ["\0"]})]
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, first_mode(bench), lease=lease)
            written = await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(1), lease)
        assert written.written == 1
        assert [("text" in refused.path, "NUL" in refused.reason) for refused in written.rejected] == [(True, True)] * 2
