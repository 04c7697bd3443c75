"""The SQLite destination's own ways: types, growth, keys, other people's tables, full disks."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from syncline.databases.sqlite import SqliteDatabase
from syncline.destinations import Sql, Target
from syncline.destinations.sql.rows import Rows, Unfit
from syncline.destinations.sql.sink import SqlSink
from syncline.destinations.sql.sqlite import SqliteTables
from syncline.destinations.values import restore
from syncline.errors import PlanError, WriteError
from syncline.events import Event, SchemaChanged, Scope, listening
from syncline.model import Batch, Written
from tests.destinations.conformance import KEY, Bench, SqliteBench, at, done


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return SqliteBench(tmp_path)


async def put(
    bench: Bench, columns: tuple[str, ...], *rows: tuple[Any, ...], key: tuple[str, ...] = ("id",), **options: Any
) -> Written:
    write = options.pop("write", "upsert")
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease, primary_key=key, allow_deletes=True, **options)
        written = await writer.write(Batch(columns=columns, rows=list(rows)), [], at(1), lease)
        await writer.finish(done("z"), lease)
    return written


def sql(bench: Bench, statement: str) -> list[Any]:
    connection = sqlite3.connect(bench.folder / "shop.db", isolation_level=None)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def types(bench: Bench) -> dict[str, str]:
    return {row[1]: row[2] for row in sql(bench, 'PRAGMA table_info("orders")')}


async def test_columns_get_the_types_of_their_values(bench: Bench):
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    columns = ("id", "yes", "price", "ratio", "name", "at", "day", "items", "blob", "nothing")
    row = (1, True, Decimal("1.10"), 0.5, "007", moment, date(2026, 1, 2), {"a": [Decimal("1.0")]}, b"\0\xff", None)
    await put(bench, columns, row)
    assert types(bench) == {
        "id": "INTEGER", "yes": "BOOLEAN", "price": "DECIMAL TEXT", "ratio": "REAL", "name": "TEXT",
        "at": "TIMESTAMP TEXT", "day": "DATE TEXT", "items": "JSON TEXT", "blob": "BLOB", "nothing": "",
    }  # fmt: skip
    assert bench.read() == [
        {"id": 1, "yes": 1, "price": "1.10", "ratio": 0.5, "name": "007", "at": "2026-01-02T01:04:05+00:00",
         "day": "2026-01-02", "items": '{"a":[1.0]}', "blob": b"\0\xff", "nothing": None}
    ]  # fmt: skip


async def test_r22_the_same_key_twice_is_one_row_and_counted(bench: Bench):
    written = await put(bench, ("id", "a"), (1, "x"), (1, "x"), (2, "y"), (1, "z"))
    assert (written.written, written.unchanged, written.rejected) == (3, 1, ())
    assert bench.read() == [{"id": 1, "a": "z"}, {"id": 2, "a": "y"}]


async def test_what_did_not_change_is_not_written(bench: Bench):
    rows = [(1, "x", None, Decimal("1.0")), (2, "y", True, None)]
    await put(bench, ("id", "a", "b", "c"), *rows)
    written = await put(bench, ("id", "a", "b", "c"), *rows, (3, "n", None, None))
    assert (written.written, written.unchanged) == (1, 2)
    written = await put(bench, ("id", "a", "b", "c"), (1, "x", False, Decimal("1.0")))
    assert (written.written, written.unchanged) == (1, 0)


async def test_tables_grow_and_widen_and_say_so(bench: Bench):
    heard: list[SchemaChanged] = []

    def hear(scope: Scope, event: Event) -> None:
        heard.append(event) if isinstance(event, SchemaChanged) else None

    await put(bench, ("id", "n"), (1, 5), (2, None))
    sql(bench, "CREATE INDEX mine ON orders (n)")
    sql(bench, "CREATE VIEW mine_too AS SELECT n FROM orders")
    with listening(hear):
        await put(bench, ("id", "n", "new"), (3, Decimal("1.5"), True))
        await put(bench, ("id", "n"), (4, "many"))
        await put(bench, ("id", "n"), (5, {"a": 1}))
    assert [(event.table, event.change) for event in heard] == [
        ("orders", 'ALTER TABLE "orders" ADD COLUMN "new" BOOLEAN'),
        ("orders", 'ALTER TABLE "orders" ALTER COLUMN "n" TYPE DECIMAL TEXT'),
        ("orders", 'ALTER TABLE "orders" ALTER COLUMN "n" TYPE TEXT'),
        ("orders", 'ALTER TABLE "orders" ALTER COLUMN "n" TYPE JSON TEXT'),
    ]
    assert [row["n"] for row in bench.read()] == ['"5"', None, '"1.5"', '"many"', '{"a":1}']
    assert sql(bench, "SELECT count(*) FROM mine_too") == [(5,)]
    assert sql(
        bench, "SELECT name FROM sqlite_master WHERE tbl_name = 'orders' AND sql IS NOT NULL AND type = 'index'"
    ) == [("mine",)]


async def test_a_column_without_values_has_no_type_until_one_comes(bench: Bench):
    await put(bench, ("id", "n"), (1, None))
    await put(bench, ("id", "n"), (2, Decimal("1.10")))
    assert types(bench) == {"id": "INTEGER", "n": "DECIMAL TEXT"}
    assert bench.read() == [{"id": 1, "n": None}, {"id": 2, "n": "1.10"}]


async def test_a_key_beyond_64_bits_widens_the_key(bench: Bench):
    await put(bench, ("id", "n"), (1, "a"), (2, "b"))
    written = await put(bench, ("id", "n"), (10**30, "big"), (1, "changed"), (2, "b"))
    assert (written.written, written.unchanged) == (2, 1)
    assert {row["id"]: row["n"] for row in bench.read()} == {"1": "changed", "2": "b", str(10**30): "big"}


async def test_a_missing_key_costs_its_record(bench: Bench):
    written = await put(bench, ("id", "a"), (1, "x"), (None, "y"))
    assert written.written == 1
    assert [(r.path, r.record) for r in written.rejected] == [("id", {"id": None, "a": "y"})]
    assert (await put(bench, ("a",), ("y",))).rejected[0].path == "id"
    with pytest.raises(PlanError, match="needs a primary key"):
        await put(bench, ("a",), ("y",), key=())


async def test_s15_hostile_names_are_identifiers_and_nothing_else(bench: Bench):
    evil = 'x"); DROP TABLE sync_state; --'
    columns = ("id", evil, "select", "", "a\0b", "\ud800", "y" * 300, "ID")
    written = await put(bench, columns, (1, "'; DROP TABLE orders", 2, *[None] * 5), *[
        (10 + index, *[None] * index, "v", *[None] * (6 - index)) for index in range(2, 7)
    ])  # fmt: skip
    assert written.written == 1
    assert [r.path for r in written.rejected] == ["", "a\0b", "\ud800", ("y" * 200), "ID"]
    assert bench.read() == [{"id": 1, evil: "'; DROP TABLE orders", "select": 2}]
    for table in ("sync_state", "SQLite_master", "syncline_runs"):
        async with bench.sink() as sink:
            with pytest.raises(PlanError, match="reserved"):
                await sink.begin(KEY, table, Target(write="append"), lease=await bench.lease(sink), checkpoint=at(0))


async def test_a_table_of_somebody_else_is_adopted_as_it_is(bench: Bench):
    sql(bench, "CREATE TABLE Orders (ID INTEGER NOT NULL, name VARCHAR(20) NOT NULL, price NUMERIC(10,2), day DATE,"
               " n INTEGER CHECK (n < 100), mine TEXT DEFAULT 'kept')")  # fmt: skip
    sql(bench, "INSERT INTO Orders (ID, name) VALUES (1, 'old')")
    columns = ("id", "name", "price", "day", "n", "extra")
    written = await put(
        bench, columns,
        (1, "new", Decimal("10.10"), date(2026, 1, 1), 5, {"a": 1}),
        (2, 7, Decimal("12345678901234567.89"), None, 5, None),
        (3, "c", None, None, "five", None),
        (4, "d", None, "20260101", 5, None),
        (5, None, None, None, 5, None),
        (6, "f", None, None, 500, None),
        (7, {"j": 1}, None, None, True, None),
    )  # fmt: skip
    assert [(r.record["id"], r.path) for r in written.rejected] == [
        (2, "price"),
        (3, "n"),
        (4, "day"),
        (5, "name"),
        (6, "n"),
    ]
    assert [(row["ID"], row["name"], row["n"], row["mine"], row["extra"]) for row in bench.read()] == [
        (1, "new", 5, "kept", '{"a":1}'),
        (7, '{"j":1}', 1, "kept", None),
    ]
    assert bench.read()[0]["price"] == 10.1
    written = await put(bench, ("id", "name"), (1, "again"), (8, None))  # nothing wrong but a constraint
    assert (written.written, [r.reason for r in written.rejected]) == (
        1, ["the database refused the row: NOT NULL constraint failed: Orders.name"],
    )  # fmt: skip
    sql(bench, "DROP INDEX syncline_key_Orders_id")
    sql(bench, "INSERT INTO Orders (ID, name) VALUES (1, 'twin')")
    with pytest.raises(PlanError, match="holds rows with the same id"):
        await put(bench, ("id", "name"), (1, "x"))


async def test_replace_keeps_somebody_elses_definition(bench: Bench):
    sql(bench, "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    sql(bench, "INSERT INTO orders VALUES (9, 'old')")
    written = await put(bench, ("id", "name", "new"), (1, "a", 1), (1, "b", 2), write="replace")
    assert written.written == 2
    assert bench.read() == [{"id": 1, "name": "b", "new": 2}]
    assert "NOT NULL" in sql(bench, "SELECT sql FROM sqlite_master WHERE name = 'orders'")[0][0]
    assert sql(bench, "SELECT name FROM sqlite_master WHERE name LIKE '%staging%'") == []


async def test_replace_again_and_again_with_a_key(bench: Bench):
    for number in range(3):
        await put(bench, ("id", "a"), (number, "x"), (number, "y"), write="replace")
        assert bench.read() == [{"id": number, "a": "y"}]
    await put(bench, ("id", "a"), (1, "x"), write="upsert", key=("a",))
    await put(bench, ("id", "a"), (1, "x"), (1, "z"), write="replace", key=("a",))
    await put(bench, ("id", "a"), (1, "x"), (1, "z"), write="replace", key=("a",))
    assert [row["a"] for row in bench.read()] == ["x", "z"]


async def test_the_schema_policy_is_kept(bench: Bench):
    await put(bench, ("id", "a"), (1, 1))
    with pytest.raises(WriteError, match="frozen"):
        await put(bench, ("id", "a", "b"), (2, 2, 2), schema="freeze")
    with pytest.raises(WriteError, match="frozen"):
        await put(bench, ("id", "a"), (2, "two"), schema="freeze")
    written = await put(bench, ("id", "a", "b"), (2, 2, 2), (3, "three", 3), schema="discard")
    assert [r.path for r in written.rejected] == ["a"]
    assert bench.read() == [{"id": 1, "a": 1}, {"id": 2, "a": 2}]


async def test_two_streams_may_share_a_table(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        first, second = [await bench.begin(sink, "append", lease=lease) for _ in range(2)]
        await first.write(Batch(columns=("id",), rows=[(1,)]), [], at(1), lease)
        await second.write(Batch(columns=("id", "b"), rows=[(2, "x")]), [], at(2), lease)
        await first.write(Batch(columns=("id", "b"), rows=[(3, 1)]), [], at(3), lease)
    assert bench.read() == [{"id": 1, "b": None}, {"id": 2, "b": "x"}, {"id": 3, "b": "1"}]


async def test_r4_rows_and_checkpoint_are_one_transaction(bench: Bench):
    async with bench.sink() as sink:
        assert isinstance(sink, SqlSink)
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(Batch(columns=("id",), rows=[(1,)]), [], at(1), lease)
        sql(bench, "CREATE TRIGGER no BEFORE UPDATE OF checkpoint ON sync_state BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(WriteError, match=r"refused"):
            await writer.write(Batch(columns=("id", "new"), rows=[(2, 2)]), [], at(2), lease)
        sql(bench, "DROP TRIGGER no")
        assert bench.read() == [{"id": 1}]
        await writer.write(Batch(columns=("id", "new"), rows=[(2, 2)]), [], at(2), lease)
    assert bench.read() == [{"id": 1, "new": None}, {"id": 2, "new": 2}]


async def test_r29_a_full_disk_is_exit_7_and_the_run_resumes(bench: Bench):
    big = Batch(columns=("id", "t"), rows=[(number, "x" * 1000) for number in range(500)])
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(Batch(columns=("id", "t"), rows=[(-1, "first")]), [], at(1), lease)
        connection = sink._database  # type: ignore[attr-defined]
        lane = sink._lane  # type: ignore[attr-defined]
        await lane.run(connection.execute, "PRAGMA max_page_count = 60")
        with pytest.raises(WriteError, match="no room") as caught:
            await writer.write(big, [], at(2), lease)
        assert caught.value.exit_code == 7
        assert caught.value.hint
        assert (await sink.state.load(KEY)).checkpoint.resume == {"page": 1}
    assert sql(bench, "PRAGMA integrity_check") == [("ok",)]
    assert len(bench.read()) == 1
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(big, [], at(2), lease)
        await writer.finish(done("z"), lease)
    assert len(bench.read()) == 501


async def test_a_locked_or_damaged_database_is_explained(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    (bench.folder / "shop.db").write_bytes(b"this is not a database, not at all" * 100)
    with pytest.raises(Exception, match="damaged or not an SQLite database") as caught:
        await put(bench, ("id",), (1,))
    assert caught.value.exit_code == 7  # type: ignore[attr-defined]
    (bench.folder / "shop.db").unlink()
    await put(bench, ("id",), (1,))
    monkeypatch.setattr("syncline.databases.sqlite.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(bench.folder / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Exception, match="locked by another program"):
        await put(bench, ("id",), (1,))
    other.close()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("sqlite:///:memory:", "in memory"),
        ("sqlite://", "in memory"),
        ("sqlite://shop.db", "three slashes"),
        ("postgrse://user:pa55word@host/db", "no database behind 'postgrse'.*"),
        ("shop.db", "not a URL"),
        ("sqlite:///a.db?mode=ro", "no options"),
    ],
)
async def test_urls_are_checked_and_never_shown(bench: Bench, url: str, match: str):
    with pytest.raises(PlanError, match=match) as caught:
        Sql(url=url).open(integration="x", default_state=bench.folder / "s.db", clock=bench.clock)
    assert "pa55word" not in caught.value.block()


def test_parts_are_values():
    part = Sql(url="${DATABASE_URL}")
    assert Sql.model_validate(part.to_data()) == part
    target = Target(table="t", write="append")
    assert Target.model_validate(target.to_data()) == target


async def test_trial_counts_what_would_become_of_the_rows(bench: Bench):
    await put(bench, ("id", "a"), (1, "x"), (2, "y"))
    before = (bench.folder / "shop.db").stat().st_mtime_ns
    batch = Batch(columns=("id", "a", "b"), rows=[(1, "x", None), (2, "z", None), (3, "n", 1), (None, "k", None)])
    trial = await bench.destination.trial("orders", Target(), batch, primary_key=("id",))
    assert (trial.exists, trial.inserts, trial.updates, trial.unchanged, len(trial.rejected)) == (True, 1, 1, 1, 1)
    assert trial.statements == ('ALTER TABLE "orders" ADD COLUMN "b" INTEGER',)
    assert (bench.folder / "shop.db").stat().st_mtime_ns == before
    assert types(bench) == {"id": "INTEGER", "a": "TEXT"}


texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(["007", "1e5", "NO", "true", "1.0"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False)
    | texts
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.binary(max_size=4)
    | st.dictionaries(texts, st.integers() | texts, max_size=2)
)
same = {bool: "boolean", int: "integer", Decimal: "decimal", float: "float", str: "text", bytes: "binary"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(scalars, min_size=1, max_size=4), min_size=1, max_size=4))
def test_r34_r35_whatever_comes_is_exact_or_rejected_with_its_path(pages: list[list[Any]]):
    database = SqliteDatabase.open(":memory:")
    connection = database.connection
    rows = Rows(SqliteTables(database), "t", ("id",))
    expected: dict[int, Any] = {}
    number = 0
    for page in pages:
        batch = Batch(columns=("id", "v"), rows=[(number + index, value) for index, value in enumerate(page)])
        connection.execute("BEGIN")
        try:
            outcome = rows.put(rows.ready(batch))
        except Unfit:
            connection.execute("ROLLBACK")
            rows.forget()
            connection.execute("BEGIN")
            outcome = rows.put_carefully(rows.ready_carefully(batch))
        connection.execute("COMMIT")
        refused = {refusal.row for refusal in outcome.refusals}
        assert all(refusal.path == "v" and refusal.reason for refusal in outcome.refusals)
        assert outcome.written + outcome.unchanged + len(refused) == len(page)
        expected |= {number + index: value for index, value in enumerate(page) if index not in refused}
        number += len(page)
    table = SqliteTables(database).load("t")
    stored = dict(connection.execute("SELECT id, v FROM t").fetchall()) if table.exists else {}
    connection.close()
    assert stored.keys() == expected.keys()
    logical = table.columns["v"].logical if table.exists else "unknown"
    for key, value in expected.items():
        assert alike(restore(stored[key], logical), value), (logical, stored[key], value)


def alike(found: Any, value: Any) -> bool:
    """Equal, or where the column had to become text or JSON, the value's exact spelling."""
    if found == value:
        return True
    if isinstance(value, float):
        return str(found) == repr(value) or Decimal(str(found)) == Decimal(repr(value))
    if isinstance(value, bool):
        return found == str(value).lower()
    if isinstance(value, int | Decimal):
        return Decimal(str(found)) == Decimal(value)
    if isinstance(value, datetime):
        return datetime.fromisoformat(found) == value
    if isinstance(value, date):
        return date.fromisoformat(found) == value
    return False
