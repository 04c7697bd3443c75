"""Parquet: exact types that widen while a pass goes on, and stay from run to run."""

from __future__ import annotations

import asyncio
import math
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, example, given, settings, strategies as st

from syncline.destinations.file import parquet
from syncline.destinations.file.columns import LIMITLESS, Column, extent
from syncline.destinations.file.parquet import Parquet, sql_type
from syncline.destinations.values import LOGICAL, has_nan, misfit
from syncline.errors import PlanError, WriteError
from syncline.events import Event, SchemaChanged, Scope, listening
from syncline.model import Batch, decode_json
from tests.destinations.conformance import Bench, parquet_rows
from tests.destinations.files.support import current, encoded, files_bench, land
from tests.destinations.files.test_jsonl import exactly

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=2)))


def parquet_bench(folder: Path, path: str = "out", **options: Any) -> Bench:
    return files_bench(folder, path, format="parquet", **options)


def table(*files: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The types of the columns, and the rows, of one file or of several read as one."""
    with duckdb.connect(":memory:") as connection:
        query = "FROM read_parquet(?, union_by_name = true)"
        found = connection.execute(query, [[str(file) for file in files]])
        types = {column[0]: str(column[1]) for column in found.description}
        return types, [dict(zip(types, row, strict=True)) for row in found.fetchall()]


def same(found: Any, meant: Any, type_: str) -> bool:
    """Whether a value is exactly the one that was meant, in the type that its column has come to."""
    if meant is None or found is None:
        return meant is found
    if type_ == "JSON":
        value = decode_json(found)
        return same(value, meant, "VARCHAR") if isinstance(value, str) else bool(value == exactly(meant))
    if isinstance(meant, bool):
        return found is meant or found == str(meant).lower()
    if isinstance(meant, float) and isinstance(found, float):
        return found == meant and math.copysign(1, found) == math.copysign(1, meant)
    if isinstance(meant, int | float | Decimal):
        return Decimal(str(found)) == Decimal(repr(meant) if isinstance(meant, float) else meant)
    if isinstance(meant, datetime):
        return bool((datetime.fromisoformat(found) if isinstance(found, str) else found) == meant)
    if isinstance(meant, date):
        return found in (meant, meant.isoformat())
    return bool(found == meant)


async def test_columns_get_the_narrowest_types_that_are_exact(tmp_path: Path):
    columns = ("id", "yes", "price", "big", "huge", "ratio", "name", "at", "day", "items", "blob", "nothing")
    row = (
        1,
        True,
        Decimal("1.10"),
        2**63,
        10**40,
        0.5,
        "007",
        MOMENT,
        date(2026, 1, 2),
        {"a": [Decimal("1.10")]},
        b"\0\xff",
        None,
    )
    await land(parquet_bench(tmp_path), columns, [row])
    (file,) = current(tmp_path / "out")
    types, rows = table(file)
    assert types == {
        "id": "BIGINT",
        "yes": "BOOLEAN",
        "price": "DECIMAL(18,2)",
        "big": "DECIMAL(38,0)",
        "huge": "VARCHAR",
        "ratio": "DOUBLE",
        "name": "VARCHAR",
        "at": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE",
        "items": "JSON",
        "blob": "BLOB",
        "nothing": '"NULL"',
    }
    assert rows[0] | {"at": None, "huge": None} == dict(zip(columns, row, strict=True)) | {
        "at": None,
        "huge": None,
        "items": '{"a":[1.10]}',
    }
    assert (rows[0]["at"], rows[0]["huge"]) == (MOMENT, str(10**40))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**63) - 2, -(2**63) + 2)
    | st.integers(2**63 - 2, 2**64 + 1)
    | st.integers(min_value=10**37, max_value=10**39),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(places=2, allow_nan=False, allow_infinity=False),
    st.floats(),
    st.text(max_size=5) | st.sampled_from(["\0", "\ud800", "007", "NO", "1e5", "null", "\u2028", "inf", '"']),
    st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-7)))),
    st.datetimes(),
    st.dates(),
    st.binary(max_size=4),
    st.lists(st.integers() | st.text(max_size=2) | st.decimals() | st.floats() | st.none(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.decimals() | st.floats() | st.booleans(), max_size=2),
)
FAMILIES = [VALUES, *VALUES.element_strategies] if hasattr(VALUES, "element_strategies") else [VALUES]


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    """Columns that mostly keep to one kind of value, in batches that not always have all of them."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c c", 'd"', "é"]), min_size=1, max_size=3, unique=True))
    kinds = {name: draw(st.sampled_from(FAMILIES)) for name in names}
    made = []
    for _ in range(draw(st.integers(1, 3))):
        here = draw(st.permutations(names))[: draw(st.integers(1, len(names)))]
        rows = draw(st.lists(st.tuples(*[kinds[name] | st.none() for name in here]), min_size=1, max_size=4))
        made.append(Batch(columns=tuple(here), rows=rows))
    return made


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Every example is a run of its own; to shrink one takes minutes."""


@pytest.mark.slow
@given(batches())
@settings(max_examples=100, deadline=None, phases=NO_SHRINKING)
@example(
    [
        Batch(columns=("a",), rows=[(1.5,), (None,)]),
        Batch(columns=("a",), rows=[([1],)]),
        Batch(columns=("a",), rows=[("x",)]),
    ]
)
@example([Batch(columns=("a",), rows=[(float("inf"),)]), Batch(columns=("a",), rows=[({"b": 1},)])])
@example(
    [Batch(columns=("a",), rows=[(True,)]), Batch(columns=("a",), rows=[(5,)]), Batch(columns=("a",), rows=[(MOMENT,)])]
)
@example([Batch(columns=("a", "b"), rows=[(False, [Decimal("Infinity")]), (datetime(2000, 1, 1), [])])])
def test_r34_r35_what_is_written_is_exact_or_refused_with_its_path(given_batches: list[Batch]):
    with tempfile.TemporaryDirectory() as folder:
        bench = parquet_bench(Path(folder))

        async def go() -> list[list[int]]:
            async with bench.sink() as sink:
                lease = await bench.lease(sink)
                writer = await bench.begin(sink, "append", lease=lease)
                refused = []
                for batch in given_batches:
                    marked = [{"number": number} for number in range(len(batch.rows))]
                    written = await writer.write(batch, [], None, lease, records=marked)
                    assert all(one.path and one.reason for one in written.rejected)
                    refused.append([one.record["number"] for one in written.rejected])
                await writer.finish((await sink.state.load(lease.key)).checkpoint, lease)
                return refused

        refused = asyncio.run(go())
        files = current(Path(folder) / "out")
        types, rows = table(*files) if files else ({}, [])
    meant = [
        dict(zip(batch.columns, row, strict=True))
        for batch, without in zip(given_batches, refused, strict=True)
        for number, row in enumerate(batch.rows)
        if number not in without
    ]
    assert len(rows) == len(meant)
    for found, row in zip(rows, meant, strict=True):
        for name, type_ in types.items():
            assert same(found[name], row.get(name), type_), (name, type_, found[name], row.get(name))
    for batch, without in zip(given_batches, refused, strict=True):
        for number in without:
            assert may_be_refused(batch.rows[number], given_batches)


def may_be_refused(row: tuple[Any, ...], given_batches: list[Batch]) -> bool:
    """A value that no column holds, or one of a column that has bytes or endless numbers among its values."""
    everything = [value for batch in given_batches for one in batch.rows for value in one]
    mixed = any(isinstance(value, bytes) for value in everything)
    naive = any(isinstance(value, datetime) and value.tzinfo is None for value in row)
    endless = any(map(has_nan, row))
    return mixed or naive or endless or any(type(v) not in {*LOGICAL, type(None)} or misfit(v, None) for v in row)


def test_r35_values_without_a_place_are_refused_by_name():
    rows = [
        (0, "fine"),
        (1, float("nan")),
        (2, Decimal("NaN")),
        (3, "\ud800"),
        (4, datetime(2026, 1, 1)),
        (5, b"bytes"),
        (6, object()),
        (7, [float("inf")]),
    ]
    made = encoded(Parquet("zstd", None, widening=True), Batch(columns=("id", "v"), rows=rows))[0]
    reasons = {rows[one.row][0]: one.reason for one in made.refused}
    assert sorted(reasons) == [1, 2, 3, 5, 6, 7], "a time without a zone is one as text"
    assert reasons[5] == "the column holds text; this is binary"
    assert {one.path for one in made.refused} == {"v"}
    times = Batch(columns=("v",), rows=[(MOMENT,), (datetime(2026, 1, 1),)])
    assert [one.reason for one in encoded(Parquet("zstd", None, widening=True), times)[0].refused] == [
        "the time has no zone"
    ]


async def test_a_column_widens_within_a_pass_without_a_row_written_again(tmp_path: Path):
    bench = parquet_bench(tmp_path)
    values: list[Any] = [
        None,
        1,
        Decimal("2.50"),
        10**30,
        0.25,
        "text",
        MOMENT,
        [1, {"a": Decimal("1.0")}],
        True,
        "after",
    ]
    for page, value in enumerate(values):  # every page by another process
        await land(bench, ("id", "v"), [(page, value)], run=f"r{page}", end=page == len(values) - 1)
    (file,) = current(tmp_path / "out")
    types, rows = table(file)
    assert (types["v"], file.name) == ("JSON", "orders-r0.parquet")
    found = [None if row["v"] is None else decode_json(row["v"]) for row in rows]
    assert found[0] is None
    # what was text when it was written is text in the JSON as well, as it is in a database's column
    assert found[1:7] == ["1", "2.50", str(10**30), "0.25", "text", "2026-01-02T03:04:05.678901+02:00"]
    assert found[7:] == [[1, {"a": Decimal("1.0")}], True, "after"]


async def test_numbers_before_an_object_stay_numbers(tmp_path: Path):
    bench = parquet_bench(tmp_path)
    await land(bench, ("v", "w", "x"), [(1, 1.5, False), (None, float("inf"), None)], [({"a": 1}, ["b"], [0])])
    _, rows = table(*current(tmp_path / "out"))
    assert [tuple(row.values()) for row in rows] == [
        ("1", "1.5", "false"),
        (None, '"inf"', None),
        ('{"a":1}', '["b"]', "[0]"),
    ]


async def test_types_stay_from_run_to_run(tmp_path: Path):
    bench = parquet_bench(tmp_path)
    await land(bench, ("id", "price", "paid_at", "note"), [(1, Decimal("1.250"), MOMENT, None)])
    await land(bench, ("id", "price", "paid_at", "note"), [(2, Decimal("3.1"), None, None)], run="r2")
    await land(bench, ("note", "id"), [(None, 3)], run="r3", fresh=True)
    first, second, third = (table(file)[0] for file in current(tmp_path / "out"))
    assert first == second
    assert third == {"note": '"NULL"', "id": "BIGINT"}
    types, rows = table(*current(tmp_path / "out"))
    assert types["price"] == "DECIMAL(18,3)"
    assert [row["id"] for row in rows] == [1, 2, 3]


async def test_replacing_the_set_begins_with_new_types(tmp_path: Path):
    bench = parquet_bench(tmp_path)
    await land(bench, ("id", "v"), [(1, "a mistake")], write="replace")
    await land(bench, ("id", "v"), [(1, 5)], write="replace", run="r2")
    assert table(*current(tmp_path / "out"))[0]["v"] == "BIGINT"
    await land(bench, ("id", "v"), [], write="replace", run="r3")
    types, rows = table(*current(tmp_path / "out"))
    assert (types, rows) == ({"id": "BIGINT", "v": "BIGINT"}, [])


async def test_a_set_of_nothing_that_nobody_knows_has_no_file(tmp_path: Path):
    await land(parquet_bench(tmp_path), ("id",), [], write="replace")
    assert current(tmp_path / "out") == []


async def test_changes_of_the_schema_are_told(tmp_path: Path):
    told: list[str] = []

    def listen(scope: Scope, event: Event) -> None:
        if isinstance(event, SchemaChanged):
            told.append(f"{event.table}: {event.change}")

    bench = parquet_bench(tmp_path)
    with listening(listen):
        await land(bench, ("id", "a"), [(1, None)], [(2, 5)])
        await land(bench, ("id", "a", "b"), [(3, "x", True)], run="r2")
    assert told == ["orders: column a: integer becomes text", "orders: new column b (boolean)"]


async def test_schemas_that_are_frozen_or_discard_refuse_what_does_not_fit(tmp_path: Path):
    bench = parquet_bench(tmp_path)
    await land(bench, ("id", "n"), [(1, 5)], schema="freeze")
    for rows, match in (([("x", 5)], "id: the column holds integer; this is text"),):
        with pytest.raises(WriteError, match=match):
            await land(bench, ("id", "n"), rows, schema="freeze", run="r2")
    with pytest.raises(WriteError, match="frozen: a new column 'm' came"):
        await land(bench, ("id", "m"), [(1, 2)], schema="freeze", run="r2")
    written = await land(
        bench, ("id", "m", "n"), [(2, 1, 6), (3, None, "x"), (4, 1, True)], schema="discard", run="r3", fresh=True
    )
    assert [(one.path, one.reason) for one in written[0].rejected] == [
        ("n", "the column holds integer; this is text"),
        ("n", "the column holds integer; this is boolean"),
    ]
    assert table(*current(tmp_path / "out"))[1] == [{"id": 1, "n": 5}, {"id": 2, "n": 6}]


def test_columns_that_differ_in_case_only_cost_the_rows_that_use_both():
    batch = Batch(
        columns=("id", "ID", "", "x\0"),
        rows=[(1, None, None, None), (2, 3, None, None), (3, None, 1, None), (4, None, None, 1)],
    )
    made = encoded(Parquet("zstd", None, widening=True), batch)[0]
    assert made.rows == 1
    assert [(one.row, one.path) for one in made.refused] == [(1, "ID"), (2, ""), (3, "x\0")]
    assert "in case only" in made.refused[0].reason
    assert made.columns.names == ["id"]


async def test_odd_names_of_columns_and_folders_are_only_names(tmp_path: Path):
    folder = tmp_path / "it's [a] *folder*?"
    names = ('a"b', "a'b", "select", "r", "c; DROP TABLE x", "ä ö")
    await land(parquet_bench(folder), names, [(1, 2, 3, 4, 5, 6)])
    assert table(*current(folder / "out"))[1] == [dict(zip(names, range(1, 7), strict=True))]


async def test_rows_longer_than_a_reader_expects(tmp_path: Path):
    await land(parquet_bench(tmp_path), ("id", "t"), [(1, "x" * 20_000_000), (2, "y")], [(3, "z" * 5)])
    with duckdb.connect(":memory:") as connection:
        (file,) = current(tmp_path / "out")
        assert connection.execute(f"SELECT id, len(t) FROM '{file}'").fetchall() == [(1, 20_000_000), (2, 1), (3, 5)]


@pytest.mark.parametrize("memory", ["10MB", "34MB"])  # too little to begin with, and too little for a row group
@pytest.mark.parametrize("max_file", [None, 60_000])
async def test_where_memory_is_not_enough_the_files_are_made_with_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str, max_file: int | None
):
    monkeypatch.setattr(parquet, "MEMORY", f"SET memory_limit = '{memory}'")
    rows = [(n, f"{n * 7919 % 100_003:x}" * 4) for n in range(30_000)]
    await land(parquet_bench(tmp_path, max_file=max_file), ("id", "t"), rows[:20_000], rows[20_000:])
    assert [row["id"] for file in current(tmp_path / "out") for row in table(file)[1]] == list(range(30_000))


@pytest.mark.parametrize(
    ("compression", "codec"), [(None, "ZSTD"), ("snappy", "SNAPPY"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")]
)
async def test_parquet_has_codecs_of_its_own(tmp_path: Path, compression: str | None, codec: str):
    await land(parquet_bench(tmp_path, compression=compression), ("id",), [(1,)])
    (file,) = current(tmp_path / "out")
    assert file.name == "orders-r1.parquet"
    with duckdb.connect(":memory:") as connection:
        assert connection.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{file}')").fetchall() == [
            (codec,)
        ]


async def test_parts_are_cut_behind_the_row_group_that_fills_them(tmp_path: Path):
    bench = parquet_bench(tmp_path, "out/{stream}/{run}.parquet", max_file=60_000)
    rows = [(n, f"{n * 7919 % 100_003:x}" * 4) for n in range(30_000)]
    await land(bench, ("id", "t"), rows[:20_000], rows[20_000:])
    files = current(tmp_path / "out")
    assert [file.name for file in files] == [f"r1-{n:04d}.parquet" for n in range(1, len(files) + 1)]
    assert len(files) > 2
    assert all(file.stat().st_size < 120_000 for file in files)
    assert [row["id"] for file in files for row in table(file)[1]] == list(range(30_000))


@given(st.lists(st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.none(), max_size=5))
@example([Decimal("1E+400"), Decimal("1E-400")])
@example([Decimal("1E+6000"), Decimal("1E-6000")])
@example([0, Decimal("0.00")])
def test_the_extent_of_numbers_is_never_too_small(values: list[Any]):
    digits, scale = extent(values, decimals=any(isinstance(value, Decimal) for value in values))
    for value in values:
        if value is not None:
            _, figures, exponent = Decimal(value).as_tuple()
            assert isinstance(exponent, int)
            assert max(0, -exponent) <= scale
            assert max(0, len(figures) + exponent) <= digits or value == 0


@pytest.mark.parametrize("bad", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_what_is_no_number_has_no_extent(bad: Decimal):
    for values in ([bad], [1, bad, Decimal(2)]):
        with pytest.raises(ValueError, match="not a number"):
            extent(values, decimals=True)


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (Column("n", "integer", 19), "BIGINT"),
        (Column("n", "integer", 20), "DECIMAL(38, 0)"),
        (Column("n", "integer", 39), "VARCHAR"),
        (Column("n", "decimal", 16, 2), "DECIMAL(18, 2)"),
        (Column("n", "decimal", 17, 2), "DECIMAL(38, 2)"),
        (Column("n", "decimal", 0, 38), "DECIMAL(38, 38)"),
        (Column("n", "decimal", 1, 38), "VARCHAR"),
        (Column("n", "decimal", LIMITLESS, 0), "VARCHAR"),
        (Column("n"), '"NULL"'),
    ],
)
def test_numbers_get_the_type_that_holds_them(column: Column, type_: str):
    assert sql_type(column) == type_


def test_without_duckdb_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PlanError, match="needs DuckDB") as caught:
        Parquet("zstd", None, widening=True)
    assert "syncline[parquet]" in (caught.value.hint or "")


async def test_a_number_without_end_before_an_empty_text_and_a_list_is_refused_alone(tmp_path: Path):
    """The column becomes JSON with its third value: what was spelled before that has to be spelled anew."""
    bench = files_bench(tmp_path, "out/{stream}/{run}.parquet")
    rows = [(1, float("inf")), (2, ""), (3, [])]
    (written,) = await land(bench, ("id", "value"), rows)
    assert (written.written, [reject.record["id"] for reject in written.rejected]) == (2, [1])
    found = [row for file in current(tmp_path / "out") for row in parquet_rows(file)]
    assert found == [{"id": 2, "value": '""'}, {"id": 3, "value": "[]"}]
