"""R27: fields that are new, missing, wider or narrower, on every database; and tables of somebody else's making."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import Target
from syncline.errors import PlanError, WriteError
from syncline.model import Batch
from tests.destinations.conformance import DATABASES, KEY, MAKERS, Bench, at, done


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = MAKERS[request.param](tmp_path)
    yield made
    made.drop()


async def put(
    bench: Bench, *records: dict[str, Any], write: str = "upsert", schema: str = "evolve", **options: Any
) -> Any:
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        state = await sink.state.load(KEY)
        writer = await sink.begin(
            KEY,
            "orders",
            Target(table="orders", write=write),
            primary_key=("id",),
            lease=lease,
            checkpoint=state.checkpoint,
            schema=schema,
            **options,
        )
        columns = tuple(dict.fromkeys(name for record in records for name in record))
        rows = [tuple(record.get(name) for name in columns) for record in records]
        written = await writer.write(Batch(columns=columns, rows=rows), [], at(1), lease)
        await writer.finish(done("z"), lease)
        return written


def plain(value: Any) -> Any:
    """A stored value as text, whichever way the database spells it."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, bool):
        return str(int(value))
    return str(value.normalize() + 0 if isinstance(value, Decimal) else value)


def column(bench: Bench, name: str) -> list[Any]:
    return [plain(row[name]) for row in sorted(bench.read(), key=lambda row: row["id"])]


async def test_r27_a_new_field_becomes_a_column_and_a_missing_one_stays(bench: Bench):
    await put(bench, {"id": 1, "a": "x"})
    written = await put(bench, {"id": 1, "b": 2}, {"id": 2, "b": 3})
    assert written.written == 2
    found = sorted(bench.read(), key=lambda row: row["id"])
    assert [(row["id"], row["a"], row["b"]) for row in found] == [(1, "x", 2), (2, None, 3)]


WIDENING = [
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


@pytest.mark.parametrize(("first", "second", "meant"), WIDENING)
async def test_r27_a_wider_value_widens_its_column_and_loses_nothing(
    bench: Bench, first: Any, second: Any, meant: list[str]
):
    await put(bench, {"id": 1, "v": first})
    written = await put(bench, {"id": 2, "v": second})
    narrow = bench.widens == "nothing" or (bench.widens == "numbers" and isinstance(first, bool | Decimal | date))
    if written.rejected and narrow:
        assert [refused.path for refused in written.rejected] == ["v"]
        assert (await put(bench, {"id": 1, "v": first})).unchanged == 1
        return
    assert (written.written, written.rejected) == (1, ())
    assert column(bench, "v") == meant
    again = await put(bench, {"id": 1, "v": first}, {"id": 2, "v": second})
    assert (again.written, again.unchanged) == (0, 2)


async def test_r27_an_object_where_text_was_becomes_json(bench: Bench):
    await put(bench, {"id": 1, "v": "text"})
    assert (await put(bench, {"id": 2, "v": {"a": [1, "x"]}})).written == 1
    first, second = (row["v"] for row in sorted(bench.read(), key=lambda row: row["id"]))
    told = ("text", {"a": [1, "x"]}), ('"text"', '{"a":[1,"x"]}'), ("text", '{"a":[1,"x"]}')
    assert (first, second) in (told if bench.widens != "anything" else told[:2])


async def test_r27_freeze_stops_and_discard_leaves_out(bench: Bench):
    await put(bench, {"id": 1, "a": "x"})
    with pytest.raises(WriteError, match="frozen"):
        await put(bench, {"id": 2, "a": "y", "b": 1}, schema="freeze")
    assert len(bench.read()) == 1
    assert (await put(bench, {"id": 2, "a": "y", "b": None}, schema="freeze")).written == 1
    assert (await put(bench, {"id": 3, "a": "z", "b": 1}, schema="discard")).written == 1
    assert column(bench, "a") == ["x", "y", "z"]
    assert "b" not in bench.read()[0]


async def test_r27_frozen_columns_do_not_widen(bench: Bench):
    await put(bench, {"id": 1, "a": 1})
    refused = await put(bench, {"id": 2, "a": "text"}, {"id": 3, "a": 3}, schema="discard")
    assert [(r.path, r.record["id"]) for r in refused.rejected] == [("a", 2)]
    with pytest.raises(WriteError, match="frozen"):
        await put(bench, {"id": 2, "a": "text"}, schema="freeze")


async def test_a_trial_names_the_statements_and_shows_old_and_new(bench: Bench):
    await put(bench, {"id": 1, "a": 1, "b": "same"}, {"id": 2, "a": 2, "b": "same"})
    rows = [(1, 1, "same", None), (2, 5, "same", "new"), (3, 6, "x", None)]
    batch = Batch(columns=("id", "a", "b", "c"), rows=rows)
    trial = await bench.destination.trial("orders", Target(table="orders"), batch, primary_key=("id",))
    assert (trial.inserts, trial.updates, trial.unchanged) == (1, 1, 1)
    assert len(trial.statements) == 1
    update = next(sample for sample in trial.samples if sample.what == "update")
    assert (update.key, update.before, update.after) == ((2,), {"a": 2, "c": None}, {"a": 5, "c": "new"})
    assert "c" not in bench.read()[0]


async def test_r27_the_first_replacing_pass_does_not_throw_away_somebody_elses_rows(bench: Bench):
    bench.execute("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, a INTEGER)")
    bench.execute("INSERT INTO orders (id, a) VALUES (1, 10)")
    with pytest.raises(PlanError, match="1 rows of 'orders'") as caught:
        await put(bench, {"id": 2, "a": 20}, write="replace")
    assert "--allow-deletes" in str(caught.value.hint)
    assert column(bench, "a") == ["10"]
    await put(bench, {"id": 2, "a": 20}, write="replace", allow_deletes=True)
    await put(bench, {"id": 3, "a": 30}, write="replace")
    assert column(bench, "a") == ["30"]


async def test_rows_of_somebody_elses_table_are_updated_and_its_columns_stay(bench: Bench):
    bench.execute("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, a VARCHAR(5), mine VARCHAR(20))")
    bench.execute("INSERT INTO orders (id, a, mine) VALUES (1, 'old', 'kept')")
    written = await put(bench, {"id": 1, "a": "new"}, {"id": 2, "a": "x" * 50}, {"id": 3, "a": "fine"})
    assert written.written in (2, 3)  # SQLite's VARCHAR(5) holds any length
    assert written.written + len(written.rejected) == 3
    found = {row["id"]: (row["a"], row["mine"]) for row in bench.read()}
    assert found[1] == ("new", "kept")
    assert found[3] == ("fine", None)
