"""R27: tables of somebody else's making, on every database. Those of our own are in the suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.errors import PlanError
from syncline.testing.growth import column
from syncline.testing.writing import passed
from tests.destinations.conformance import DATABASES, DatabaseBench


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseBench]:
    made = DATABASES[request.param](tmp_path)
    yield made
    made.drop()


async def test_r27_the_first_replacing_pass_does_not_throw_away_somebody_elses_rows(bench: DatabaseBench):
    bench.execute("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, a INTEGER)")
    bench.execute("INSERT INTO orders (id, a) VALUES (1, 10)")
    with pytest.raises(PlanError, match="1 rows of 'orders'") as caught:
        await passed(bench, "replace", {"id": 2, "a": 20}, primary_key=("id",))
    assert "--allow-deletes" in str(caught.value.hint)
    assert column(bench, "a") == ["10"]
    await passed(bench, "replace", {"id": 2, "a": 20}, primary_key=("id",), allow_deletes=True)
    await passed(bench, "replace", {"id": 3, "a": 30}, primary_key=("id",))
    assert column(bench, "a") == ["30"]


async def test_rows_of_somebody_elses_table_are_updated_and_its_columns_stay(bench: DatabaseBench):
    bench.execute("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, a VARCHAR(5), mine VARCHAR(20))")
    bench.execute("INSERT INTO orders (id, a, mine) VALUES (1, 'old', 'kept')")
    written = await passed(bench, "upsert", {"id": 1, "a": "new"}, {"id": 2, "a": "x" * 50}, {"id": 3, "a": "fine"})
    assert written.written in (2, 3)  # SQLite's VARCHAR(5) holds any length
    assert written.written + len(written.rejected) == 3
    found = {row["id"]: (row["a"], row["mine"]) for row in bench.read()}
    assert found[1] == ("new", "kept")
    assert found[3] == ("fine", None)
