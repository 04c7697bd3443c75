"""R34, R35 on DuckDB: what goes in comes out exactly, or is refused with its path; the quick and the careful way agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

pytest.importorskip("duckdb")

from syncline.databases.duckdb import MEMORY, DuckdbDatabase
from syncline.destinations.sql.duckdb import DuckdbTables
from syncline.destinations.sql.rows import Put, Rows, Unfit
from syncline.model import Batch

texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(["007", "1e5", "NO", "true", "1.0"])
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(seconds=5025))])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**130), 2**130)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**6), 10**6, places=2)
    | st.sampled_from([Decimal("NaN"), Decimal("-Infinity"), float("nan"), float("inf"), -0.0, 10**60, 5e-324])
    | st.floats(allow_nan=False)
    | texts
    | st.datetimes(timezones=zones)
    | st.datetimes()
    | st.dates()
    | st.binary(max_size=4)
    | st.dictionaries(texts, st.integers() | texts | st.decimals() | st.floats() | st.none(), max_size=2)
    | st.lists(st.booleans() | st.decimals(allow_nan=False), max_size=2)
)
pages = st.lists(st.lists(scalars, min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def database() -> Iterator[DuckdbDatabase]:
    """One for all examples: opening takes longer than writing."""
    opened = DuckdbDatabase.open(MEMORY)
    yield opened
    opened.close()


def rows_in(database: DuckdbDatabase) -> Rows:
    """Into a table that is not there yet."""
    database.execute("DROP TABLE IF EXISTS t")
    return Rows(DuckdbTables(database), "t", ("id",))


def put(database: DuckdbDatabase, rows: Rows, batch: Batch, *, carefully: bool = False) -> Put:
    try:
        if carefully:
            raise Unfit
        with database.transaction():
            return rows.put(rows.ready(batch))
    except Unfit:
        rows.forget()
        with database.transaction():
            return rows.put_carefully(rows.ready_carefully(batch))


def numbered(found: list[list[Any]]) -> list[Batch]:
    batches, number = [], 0
    for page in found:
        batches.append(Batch(columns=("id", "v"), rows=[(number + at, value) for at, value in enumerate(page)]))
        number += len(page)
    return batches


def stored(database: DuckdbDatabase) -> dict[int, Any]:
    tables = DuckdbTables(database)
    table = tables.load("t")
    if "v" not in table.columns:
        return dict.fromkeys(row[0] for row in database.execute("SELECT id FROM t").fetchall()) if table.exists else {}
    found = database.execute("SELECT id, v FROM t").fetchall()
    return {key: tables.restore(value, table.columns["v"]) for key, value in found}


@settings(max_examples=150, deadline=None)
@given(found=pages)
@example(found=[[1, 2**70, Decimal("0.1")], [Decimal(10**36)], ["x"], [{"a": 1}]])
@example(found=[[1.5], [Decimal("1e-30")], [1e300]])
@example(found=[[10**37], [Decimal("0.5")], [True]])
def test_r34_r35_whatever_comes_is_exact_or_refused_with_its_path(database: DuckdbDatabase, found: list[list[Any]]):
    expected: dict[int, Any] = {}
    rows = rows_in(database)
    for batch in numbered(found):
        outcome = put(database, rows, batch)
        refused = {refusal.row for refusal in outcome.refusals}
        assert all(refusal.path == "v" and refusal.reason for refusal in outcome.refusals)
        assert outcome.written + outcome.unchanged + len(refused) == len(batch.rows)
        expected |= {row[0]: row[1] for at, row in enumerate(batch.rows) if at not in refused}
    kept = stored(database)
    assert kept.keys() == expected.keys()
    for key, value in expected.items():
        assert alike(kept[key], value), (rows.table.columns["v"].declared, kept[key], value)


@settings(max_examples=75, deadline=None)
@given(found=pages)
def test_the_quick_and_the_careful_way_agree(database: DuckdbDatabase, found: list[list[Any]]):
    outcomes = []
    for carefully in (False, True):
        rows = rows_in(database)
        told = [put(database, rows, batch, carefully=carefully) for batch in numbered(found)]
        shape = [(column.name, column.declared) for column in rows.table.columns.values()]
        outcomes.append(([(put.written, put.unchanged, put.refusals) for put in told], shape, repr(stored(database))))
        for _ in range(2):  # once more, for what was spelled otherwise when its column became text
            again = [put(database, rows, batch, carefully=not carefully) for batch in numbered(found)]
        assert sum(put.written for put in again) == 0, "a row that is the same was written again"
    assert outcomes[0] == outcomes[1]


def alike(kept: Any, value: Any) -> bool:
    """Equal, or where the column had to become text or JSON, the value's exact spelling."""
    if kept == value:
        return True
    if isinstance(value, dict | list) and type(kept) is type(value):
        pairs = zip(kept, value, strict=True) if isinstance(kept, list) else ((kept[key], value[key]) for key in value)
        return len(kept) == len(value) and all(alike(one, other) for one, other in pairs)
    if isinstance(value, bool):
        return bool(kept == str(value).lower())
    if isinstance(value, float):
        return str(kept) == repr(value) or Decimal(str(kept)) == Decimal(repr(value))
    if isinstance(value, int | Decimal):
        return str(kept) == str(value) or Decimal(str(kept)) == Decimal(value)
    if isinstance(value, datetime):
        moment = datetime.fromisoformat(kept) if isinstance(kept, str) else kept
        return bool(moment in (value, value if value.tzinfo else value.replace(tzinfo=UTC)))
    if isinstance(value, date):
        return date.fromisoformat(kept) == value
    return False
