"""R27: fields that are new, missing, wider or narrower."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from syncline.errors import WriteError
from syncline.model import Batch
from syncline.testing.bench import Bench
from syncline.testing.group import Group, blocking, need, need_mode
from syncline.testing.writing import upserted

WIDENING: list[tuple[Any, Any, list[str]]] = [
    (True, 7, ["true", "7"]),
    (7, Decimal("1.25"), ["7", "1.25"]),
    (7, 2**70, ["7", str(2**70)]),
    (Decimal("1.25"), "n/a", ["1.25", "n/a"]),
    (7, "n/a", ["7", "n/a"]),
    (date(2026, 1, 2), "n/a", ["2026-01-02", "n/a"]),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "n/a", ["2026-01-02T03:04:05+00:00", "n/a"]),
    ("n/a", 7, ["n/a", "7"]),
    (1.5, Decimal("0.1"), ["1.5", "0.1"]),
]


class Growth(Group):
    """Fields that are new, missing, wider or narrower (R27)."""

    @blocking
    async def test_r27_a_new_field_becomes_a_column_and_a_missing_one_stays(self, bench: Bench) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "a": "x"})
        written = await upserted(bench, {"id": 1, "b": 2}, {"id": 2, "b": 3})
        assert written.written == 2
        found = sorted(bench.read(), key=lambda row: int(row["id"]))
        assert [(row["id"], row["a"], row["b"]) for row in found] == [(1, "x", 2), (2, None, 3)]

    @pytest.mark.parametrize(("first", "second", "meant"), WIDENING)
    @blocking
    async def test_r27_a_wider_value_widens_its_column_and_loses_nothing(
        self, bench: Bench, first: Any, second: Any, meant: list[str]
    ) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "v": first})
        written = await upserted(bench, {"id": 2, "v": second})
        widens = bench.abilities.widens
        narrow = widens == "nothing" or (widens == "numbers" and isinstance(first, bool | Decimal | date))
        if written.rejected and narrow:
            assert [refused.path for refused in written.rejected] == ["v"]
            assert (await upserted(bench, {"id": 1, "v": first})).unchanged == 1
            return
        assert (written.written, written.rejected) == (1, ())
        assert column(bench, "v") == meant
        again = await upserted(bench, {"id": 1, "v": first}, {"id": 2, "v": second})
        assert (again.written, again.unchanged) == (0, 2)

    @blocking
    async def test_r27_an_object_where_text_was_becomes_json(self, bench: Bench) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "v": "text"})
        assert (await upserted(bench, {"id": 2, "v": {"a": [1, "x"]}})).written == 1
        first, second = (row["v"] for row in sorted(bench.read(), key=lambda row: int(row["id"])))
        told = ("text", {"a": [1, "x"]}), ('"text"', '{"a":[1,"x"]}'), ("text", '{"a":[1,"x"]}')
        assert (first, second) in (told if bench.abilities.widens != "anything" else told[:2])

    @blocking
    async def test_r27_freeze_stops_and_discard_leaves_out(self, bench: Bench) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "a": "x"})
        with pytest.raises(WriteError, match="frozen"):
            await upserted(bench, {"id": 2, "a": "y", "b": 1}, schema="freeze")
        assert len(bench.read()) == 1
        assert (await upserted(bench, {"id": 2, "a": "y", "b": None}, schema="freeze")).written == 1
        assert (await upserted(bench, {"id": 3, "a": "z", "b": 1}, schema="discard")).written == 1
        assert column(bench, "a") == ["x", "y", "z"]
        assert "b" not in bench.read()[0]

    @blocking
    async def test_r27_frozen_columns_do_not_widen(self, bench: Bench) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "a": 1})
        refused = await upserted(bench, {"id": 2, "a": "text"}, {"id": 3, "a": 3}, schema="discard")
        assert [(one.path, one.record["id"]) for one in refused.rejected] == [("a", 2)]
        with pytest.raises(WriteError, match="frozen"):
            await upserted(bench, {"id": 2, "a": "text"}, schema="freeze")

    @blocking
    async def test_a_trial_names_the_statements_and_shows_old_and_new(self, bench: Bench) -> None:
        need_schema(bench)
        await upserted(bench, {"id": 1, "a": 1, "b": "same"}, {"id": 2, "a": 2, "b": "same"})
        rows = [(1, 1, "same", None), (2, 5, "same", "new"), (3, 6, "x", None)]
        trial = await bench.trial(Batch(columns=("id", "a", "b", "c"), rows=list(rows)), "upsert")
        assert (trial.inserts, trial.updates, trial.unchanged) == (1, 1, 1)
        assert len(trial.statements) == 1
        update = next(sample for sample in trial.samples if sample.what == "update")
        assert (update.key, update.before, update.after) == ((2,), {"a": 2, "c": None}, {"a": 5, "c": "new"})
        assert "c" not in bench.read()[0]


def need_schema(bench: Bench) -> None:
    need(bench.abilities.schema, "columns that have types")
    need_mode(bench, "upsert")


def plain(value: Any) -> Any:
    """A stored value as text, whichever way the destination spells it."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, bool):
        return str(int(value))
    return str(value.normalize() + 0 if isinstance(value, Decimal) else value)


def column(bench: Bench, name: str) -> list[Any]:
    return [plain(row[name]) for row in sorted(bench.read(), key=lambda row: int(row["id"]))]
