"""The DuckDB destination's own ways: types, growth, keys, other people's tables, full disks."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings, strategies as st

from syncline.databases.duckdb import KEPT, MEMORY, OFTEN, DuckdbDatabase
from syncline.destinations import DuckDb, Sql, Target
from syncline.destinations.sql.duckdb import DuckdbTables
from syncline.destinations.sql.rows import Rows
from syncline.errors import PlanError, StateError, WriteError
from syncline.events import Event, SchemaChanged, Scope, listening
from syncline.model import Batch, Written
from syncline.state.ledger import Ledger
from tests.destinations.conformance import KEY, Bench, DuckDbBench, at, done


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return DuckDbBench(tmp_path)


async def put(
    bench: Bench, columns: tuple[str, ...], *rows: tuple[Any, ...], key: tuple[str, ...] = ("id",), **options: Any
) -> Written:
    write = options.pop("write", "upsert")
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease, primary_key=key, **options)
        written = await writer.write(Batch(columns=columns, rows=list(rows)), [], at(1), lease)
        await writer.finish(done("z"), lease)
    return written


def sql(bench: Bench, statement: str) -> list[Any]:
    with duckdb.connect(str(bench.folder / "shop.duckdb")) as connection:
        return connection.execute(statement).fetchall()


def types(bench: Bench, table: str = "orders") -> dict[str, str]:
    return dict(sql(bench, f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}'"))


async def test_columns_get_the_types_of_their_values(bench: Bench):
    moment = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=timezone(timedelta(hours=2)))
    columns = ("id", "yes", "price", "big", "ratio", "name", "at", "day", "items", "blob", "nothing")
    row = (
        1, True, Decimal("1.10"), 2**100, 0.5, "00\0é🦜7", moment, date(2026, 1, 2), {"a": [Decimal("1.10"), 2**70, None]},
        b"\0\xff", None,
    )  # fmt: skip
    await put(bench, columns, row)
    assert types(bench) == {
        "id": "BIGINT", "yes": "BOOLEAN", "price": "DECIMAL(38,2)", "big": "DECIMAL(38,0)", "ratio": "DOUBLE",
        "name": "VARCHAR", "at": "TIMESTAMP WITH TIME ZONE", "day": "DATE", "items": "JSON", "blob": "BLOB",
    }  # fmt: skip
    assert bench.read() == [
        {"id": 1, "yes": True, "price": Decimal("1.10"), "big": Decimal(2**100), "ratio": 0.5, "name": "00\0é🦜7",
         "at": moment, "day": date(2026, 1, 2), "items": f'{{"a":[1.10,{2**70},null]}}', "blob": b"\0\xff"}
    ]  # fmt: skip
    assert sql(bench, "SELECT comment FROM duckdb_tables() WHERE table_name = 'orders'") == [("made by Syncline",)]


async def test_r22_of_the_same_key_twice_the_last_one_stands(bench: Bench):
    written = await put(bench, ("id", "a"), (1, "x"), (1, "x"), (2, "y"), (1, "z"))
    assert (written.written, written.unchanged, written.rejected) == (2, 2, ())
    assert bench.read() == [{"id": 1, "a": "z"}, {"id": 2, "a": "y"}]
    written = await put(bench, ("id", "a"), (1, "q"), (1, "z"), (2, "w"))
    assert (written.written, written.unchanged) == (1, 2)
    decimals = await put(bench, ("id", "a"), (Decimal("1.0"), "p"), (Decimal("1.00"), "r"), (2**70, "s"), (2**70, "t"))
    assert (decimals.written, decimals.unchanged) == (2, 2)
    assert {row["id"]: row["a"] for row in bench.read()} == {1: "r", 2: "w", 2**70: "t"}


async def test_what_did_not_change_is_not_written(bench: Bench):
    rows = [(1, "x", None, Decimal("1.0"), {"b": 1}), (2, "y", True, None, [1.5])]
    await put(bench, ("id", "a", "b", "c", "d"), *rows)
    written = await put(bench, ("id", "a", "b", "c", "d"), *rows, (3, "n", None, None, None))
    assert (written.written, written.unchanged) == (1, 2)
    written = await put(bench, ("id", "a", "b", "c", "d"), (1, "x", False, Decimal("1.00"), {"b": 1}))
    assert (written.written, written.unchanged) == (1, 0)


async def test_tables_grow_and_widen_and_say_so(bench: Bench):
    heard: list[SchemaChanged] = []

    def hear(scope: Scope, event: Event) -> None:
        heard.append(event) if isinstance(event, SchemaChanged) else None

    await put(bench, ("id", "n"), (1, 5), (2, None))
    sql(bench, "CREATE VIEW mine_too AS SELECT n FROM orders")
    with listening(hear):
        await put(bench, ("id", "n", "new"), (3, Decimal("1.5"), True))
        await put(bench, ("id", "n"), (4, Decimal("1.255")))
        sql(bench, "CREATE INDEX mine ON orders (n)")
        await put(bench, ("id", "n"), (5, "many"))
        await put(bench, ("id", "n"), (6, {"a": 1}))
        await put(bench, ("id", "n"), (2**70, None))
    how = "USING "
    assert [event.change.partition(how)[0] for event in heard] == [
        'ALTER TABLE "orders" ADD COLUMN "new" BOOLEAN',
        'ALTER TABLE "orders" ALTER COLUMN "n" TYPE DECIMAL(38,1) ',
        'ALTER TABLE "orders" ALTER COLUMN "n" TYPE DECIMAL(38,3) ',
        'ALTER TABLE "orders" ALTER COLUMN "n" TYPE VARCHAR ',
        'ALTER TABLE "orders" ALTER COLUMN "n" TYPE JSON ',
        'ALTER TABLE "orders" ALTER COLUMN "id" TYPE DECIMAL(38,0) ',
    ]
    found = sorted(bench.read(), key=lambda row: row["id"])
    assert [row["n"] for row in found] == ['"5.000"', None, '"1.500"', '"1.255"', '"many"', '{"a":1}', None]
    assert sql(bench, "SELECT count(*) FROM mine_too") == [(7,)]
    assert sql(bench, "SELECT index_name FROM duckdb_indexes() WHERE table_name = 'orders'") == [("mine",)]
    assert types(bench)["id"] == "DECIMAL(38,0)"
    assert sql(bench, "SELECT constraint_text FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
                      " AND table_name = 'orders'") == [('PRIMARY KEY(id)',)]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "declared"),
    [
        (Decimal(10**37), Decimal("0.25"), "VARCHAR"),
        (Decimal("1.000"), 10**36, "VARCHAR"),
        (Decimal("1.000"), 10**34, "DECIMAL(38,3)"),
        (Decimal(10**35), Decimal("0.25"), "DECIMAL(38,2)"),
        (10**18, Decimal("1e-20"), "VARCHAR"),
        (7, Decimal("1e-20"), "DECIMAL(38,20)"),
        (1e300, Decimal("0.5"), "VARCHAR"),
        (float("inf"), Decimal("0.5"), "VARCHAR"),
        (1.25e-7, 3, "DECIMAL(38,9)"),
        (10**38, 1, "VARCHAR"),
    ],
)
async def test_r34_decimals_have_room_for_what_is_stored_or_become_text(
    bench: Bench, first: Any, second: Any, declared: str
):
    await put(bench, ("id", "n"), (1, first))
    written = await put(bench, ("id", "n"), (2, second))
    assert (written.written, written.rejected) == (1, ())
    kept = {row["id"]: row["n"] for row in bench.read()}
    spelled = [Decimal(repr(value)) if isinstance(value, float) else Decimal(value) for value in (first, second)]
    assert [Decimal(kept[1]), Decimal(kept[2])] == spelled
    assert types(bench)["n"] == declared


async def test_s15_hostile_names_are_identifiers_and_nothing_else(bench: Bench):
    evil = 'x"); DROP TABLE sync_state; --'
    columns = ("id", evil, "select", "", "a\0b", "\ud800", "y" * 300, "ID", "c0", "it's {rows}")
    written = await put(bench, columns, (1, "'; DROP TABLE orders", 2, *[None] * 5, 5, 6), *[
        (10 + index, *[None] * index, "v", *[None] * (8 - index)) for index in range(2, 7)
    ])  # fmt: skip
    assert written.written == 1
    assert [r.path for r in written.rejected] == ["", "a\0b", "\ud800", ("y" * 200), "ID"]
    assert bench.read() == [{"id": 1, evil: "'; DROP TABLE orders", "select": 2, "c0": 5, "it's {rows}": 6}]
    again = await put(bench, ("id", "c0", "it's {rows}"), (1, 7, 6))
    assert again.written == 1
    for table in ("sync_state", "syncline_runs"):
        async with bench.sink() as sink:
            with pytest.raises(PlanError, match="reserved"):
                await sink.begin(KEY, table, Target(write="append"), lease=await bench.lease(sink), checkpoint=at(0))


ADOPTED: list[tuple[str, list[Any], list[Any]]] = [
    ("TINYINT", [-128, 127, True], [128, -129, "7", Decimal("1.5")]),
    ("INTEGER", [2**31 - 1, 0], [2**31, 2**64]),
    ("UINTEGER", [0, 2**32 - 1], [-1, 2**32]),
    ("UBIGINT", [2**64 - 1, Decimal(5)], [-1, 2**64, Decimal("0.5")]),
    ("HUGEINT", [2**127 - 1, -(2**127)], [2**127, Decimal("1e-3")]),
    ("UHUGEINT", [2**128 - 1, 0], [2**128, -1]),
    ("DECIMAL(5,2)", [Decimal("123.45"), Decimal("1.100"), 999, 0.5], [Decimal("1000"), Decimal("0.125"), "1"]),
    ("FLOAT", [0.5, 2.0, 16777216], [0.1, 16777217, Decimal("0.1")]),
    ("DOUBLE", [0.1, Decimal("0.5"), float("inf")], [Decimal("0.12345678901234567890"), 2**60 + 1]),
    ("VARCHAR(3)", ["longer than three", 7, {"a": 1}], [b"x"]),
    ("DATE", [date(2026, 1, 2)], ["2026-01-02", 5]),
    ("TIMESTAMP", [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)], ["2026-01-02"]),
    ("TIMESTAMP_S", [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)], [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)]),
    ("TIMESTAMP_NS", [datetime(2026, 1, 2, tzinfo=UTC)], [datetime(1600, 1, 2, tzinfo=UTC)]),
    ("UUID", ["ABCDEF00-0000-0000-0000-000000000001"], ["not one", 5]),
    ("ENUM('sad', 'it''s ok')", ["sad", "it's ok"], ["glad", 1]),
    ("TIME", ["12:30:00.000001"], ["12:30:00.0000001", "12:30+02:00", "noon"]),
    ("JSON", [{"a": Decimal("1.10")}, "text", 5], [{"a": float("nan")}]),
    ("INTEGER[]", [], [[1, 2], "x", 5]),
    ("STRUCT(a INTEGER)", [], [{"a": 1}]),
    ("MAP(VARCHAR, INTEGER)", [], [{"a": 1}]),
    ("INTERVAL", [], ["1 day"]),
    ("BIT", [], ["101"]),
]


@pytest.mark.parametrize(("declared", "good", "bad"), ADOPTED, ids=[row[0] for row in ADOPTED])
async def test_r34_other_peoples_types_hold_a_value_exactly_or_refuse_it_with_its_path(
    bench: Bench, declared: str, good: list[Any], bad: list[Any]
):
    sql(bench, f"CREATE TABLE orders (id INTEGER PRIMARY KEY, v {declared}, w {declared})")
    rows = [(number, value) for number, value in enumerate([*good, *bad, None])]
    for number, row in enumerate(rows):  # one by one: the quick way as far as it goes
        written = await put(bench, ("id", "v"), row)
        assert [refused.path for refused in written.rejected] == (["v"] if len(good) <= number < len(rows) - 1 else [])
        assert all(refused.reason for refused in written.rejected)
    together = await put(bench, ("id", "w"), *rows)
    assert [refused.record["id"] for refused in together.rejected] == [row[0] for row in rows[len(good) : -1]]
    found = {row["id"]: row for row in bench.read()}
    assert found.keys() == {*range(len(good)), len(rows) - 1}
    for number, value in enumerate(good):
        assert found[number]["v"] == found[number]["w"]
        assert spelled(found[number]["v"]) == spelled(value)
    again = await put(bench, ("id", "v"), *rows)
    assert (again.written, again.unchanged, len(again.rejected)) == (0, len(good) + 1, len(bad))


def spelled(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, dict):
        return '{"a":1.10}' if isinstance(value["a"], Decimal) else '{"a":1}'
    if isinstance(value, bool | int | float | Decimal):
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return str(value).lower().strip('"') if not str(value).isdigit() else Decimal(str(value))


async def test_a_table_of_somebody_else_is_adopted_with_its_constraints(bench: Bench):
    sql(bench, "CREATE TABLE Orders (ID INTEGER NOT NULL, name VARCHAR NOT NULL, n INTEGER CHECK (n < 100),"
               " mail VARCHAR UNIQUE, mine VARCHAR DEFAULT 'kept')")  # fmt: skip
    sql(bench, "INSERT INTO Orders (ID, name, mail) VALUES (1, 'old', 'a@x')")
    written = await put(
        bench, ("id", "name", "n", "mail", "extra"),
        (1, "new", 5, "a@x", {"a": 1}),
        (2, None, 5, None, None),
        (3, "c", 500, None, None),
        (4, "d", 5, "a@x", None),
        (5, "e", "five", None, None),
        (6, "f", 6, "f@x", None),
        (7, "g", 7, "f@x", None),
    )  # fmt: skip
    assert [(r.record["id"], r.path) for r in written.rejected] == [
        (2, "name"), (3, "n"), (4, "mail"), (5, "n"), (7, ""),
    ]  # fmt: skip
    assert "NOT NULL constraint failed" in written.rejected[0].reason
    assert written.written == 2
    found = sorted(bench.read(), key=lambda row: row["ID"])
    assert [(row["ID"], row["name"], row["n"], row["mail"], row["mine"], row["extra"]) for row in found] == [
        (1, "new", 5, "a@x", "kept", '{"a":1}'),
        (6, "f", 6, "f@x", "kept", None),
    ]
    async with bench.sink() as sink:
        letters = await sink.state.dead_letters.list()
    assert [letter.record["id"] for letter in letters] == [2, 3, 4, 5, 7]
    sql(bench, 'DROP INDEX "syncline_key_Orders_id"')
    sql(bench, "INSERT INTO Orders (ID, name) VALUES (1, 'twin')")
    with pytest.raises(PlanError, match="holds rows with the same id"):
        await put(bench, ("id", "name"), (1, "x"))


async def test_r28_bad_rows_among_many_are_found_and_the_others_land(bench: Bench):
    sql(bench, "CREATE TABLE orders (id BIGINT PRIMARY KEY, n BIGINT CHECK (n % 1000 <> 7))")
    written = await put(bench, ("id", "n"), *((number, number) for number in range(3_000)))
    assert written.written == 2_997
    assert [r.record["id"] for r in written.rejected] == [7, 1007, 2007]
    assert len(bench.read()) == 2_997


async def test_replace_exchanges_ours_with_index_and_view_and_fills_somebody_elses(bench: Bench):
    for number in range(3):
        await put(bench, ("id", "a"), (number, "x"), (number, "y"), write="replace")
        assert bench.read() == [{"id": number, "a": "y"}]
        if not number:
            sql(bench, "CREATE INDEX mine ON orders (a)")
            sql(bench, "CREATE VIEW mine_too AS SELECT a FROM orders")
    assert sql(bench, "SELECT count(*) FROM mine_too") == [(1,)]
    assert sql(bench, "SELECT index_name FROM duckdb_indexes()") == [("mine",)]
    sql(bench, "DROP TABLE orders")
    sql(bench, "CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    written = await put(bench, ("id", "name", "new"), (1, "a", 1), (1, "b", 2), write="replace")
    assert written.written == 1
    written = await put(bench, ("id", "name", "new"), (1, "a", 1), (2, "b", 2), write="replace")
    assert bench.read() == [{"id": 1, "name": "a", "new": 1}, {"id": 2, "name": "b", "new": 2}]
    assert "NOT NULL" in sql(bench, "SELECT sql FROM duckdb_tables() WHERE table_name = 'orders'")[0][0]
    assert sql(bench, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%staging%'") == []


async def test_what_somebody_made_of_our_table_is_not_undone(bench: Bench):
    await put(bench, ("id", "a"), (1, 1))
    sql(bench, "ALTER TABLE orders ALTER COLUMN a SET DEFAULT 9")
    written = await put(bench, ("id", "a"), (2, "text"), (3, 3))
    assert [(r.path, r.record["id"]) for r in written.rejected] == [("a", 2)]


async def test_r4_rows_and_checkpoint_are_one_transaction(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def failing(self: Ledger, *args: Any, **kwargs: Any) -> None:
        self._database.execute("SELECT * FROM no_such_table")

    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(Batch(columns=("id",), rows=[(1,)]), [], at(1), lease)
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "commit", failing)
            with pytest.raises(WriteError, match="refused a statement"):
                await writer.write(Batch(columns=("id", "new"), rows=[(2, 2)]), [], at(2), lease)
        assert bench.read() == [{"id": 1}]
        await writer.write(Batch(columns=("id", "new"), rows=[(2, 2)]), [], at(2), lease)
    assert bench.read() == [{"id": 1, "new": None}, {"id": 2, "new": 2}]


def test_r4_a_transaction_in_which_something_failed_is_not_committed():
    """DuckDB would roll it back and say nothing."""
    database = DuckdbDatabase.open(MEMORY)
    try:
        database.execute("CREATE TABLE t (i INTEGER CHECK (i < 5))")
        with pytest.raises(StateError), database.transaction():
            database.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(duckdb.ConstraintException):
                database.execute("INSERT INTO t VALUES (9)")
        assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)
    finally:
        database.close()


async def test_r29_what_is_handed_over_leaves_no_file_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    await put(bench, ("id", "a"), (1, "x"))
    assert sorted(path.name for path in bench.folder.iterdir()) == ["shop.duckdb"]
    spools = bench.folder / "spools"
    spools.mkdir()
    monkeypatch.setenv("TMPDIR", str(spools))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delattr(os, "memfd_create", raising=False)  # as where the system has no files in memory
    await put(bench, ("id", "a"), (1, "y"), (2, "z"))
    assert bench.read() == [{"id": 1, "a": "y"}, {"id": 2, "a": "z"}]
    assert list(spools.iterdir()) == []


async def test_damaged_and_other_files_are_explained(bench: Bench):
    path = bench.folder / "shop.duckdb"
    for content in (b"this is not a database, not at all" * 100, b""):
        path.write_bytes(content)
        with pytest.raises(WriteError, match="damaged or not a DuckDB database") as caught:
            await put(bench, ("id",), (1,))
        assert (caught.value.exit_code, bool(caught.value.hint)) == (7, True)
        path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE t (i)").connection.close()
    with pytest.raises(WriteError, match="not a DuckDB database"):
        await put(bench, ("id",), (1,))
    path.unlink()
    await put(bench, ("id",), (1,))
    content = bytearray(path.read_bytes())
    content[4096 + 100 : 4096 + 200] = content[8192 + 100 : 8192 + 200] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(WriteError) as caught:
        await put(bench, ("id",), (1,))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("duckdb:///:memory:", "in memory"),
        ("duckdb://shop.duckdb", "three slashes"),
        ("duckdb:///a.db?access_mode=read_only", "no options here but memory_limit"),
        ("duckdb:///a.db?memory_limit=lots", "not a size: 'lots'; write 64MB"),
        ("duckdb:///a.db?memory_limit=20MB", "20MB is too little"),
        ("duckdbb:///shop", "no database behind 'duckdbb'"),
    ],
)
def test_urls_are_checked(bench: Bench, url: str, match: str):
    with pytest.raises(PlanError, match=match):
        Sql(url=url).open(integration="x", default_state=bench.folder / "s.db", clock=bench.clock)


def test_both_spellings_are_one_place(tmp_path: Path):
    for path in ("shop.duckdb", str(tmp_path / "shop.duckdb"), "md:shop"):
        assert DuckDb(path=path).address() == Sql(url=f"duckdb:///{path}").address()
        assert DuckDb(path=path).address().path == Path(path)
    with pytest.raises(PlanError, match="in memory"):
        DuckDb(path=":memory:").address()
    limited = Sql(url="duckdb:///shop.duckdb?memory_limit=256MB").address()
    assert limited == DuckDb(path="shop.duckdb", memory_limit=256_000_000).address()
    assert limited.path == Path("shop.duckdb")
    part = DuckDb(path="${SHOP}")
    assert DuckDb.model_validate(part.to_data()) == part


def test_duckdb_takes_no_more_memory_than_it_is_allowed(tmp_path: Path):
    database = Sql(url=f"duckdb:///{tmp_path}/shop.duckdb?memory_limit=64MB").address().open()
    try:
        with pytest.raises(WriteError) as caught, database.transaction(WriteError):
            database.execute("SELECT list(range) FROM range(20_000_000)")
        assert "not enough memory" in caught.value.what
        assert "memory_limit, which is 64MB" in caught.value.hint
        with database.transaction(WriteError):  # the connection is as good as before
            database.execute("CREATE TABLE fine (id BIGINT)")
    finally:
        database.close()


def cached(database: DuckdbDatabase) -> int:
    found = database.execute("SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'BASE_TABLE'").fetchone()
    return int(found[0])


def after_many_commits(database: DuckdbDatabase) -> int:
    """What DuckDB keeps of the file, in bytes, after commits that wrote and read 24 MB of noise."""
    with database.transaction():
        database.execute("CREATE OR REPLACE TABLE noise (id BIGINT, text VARCHAR)")
    for number in range(OFTEN):
        with database.transaction():
            database.execute(f"INSERT INTO noise SELECT range, sha256(range::VARCHAR || '{number}') FROM range(50_000)")
        database.execute("CHECKPOINT")
    assert database.execute("SELECT count(DISTINCT text) FROM noise").fetchone() == (OFTEN * 50_000,)
    assert cached(database) > 2 * KEPT
    for _ in range(OFTEN):
        with database.transaction():
            database.execute("SELECT 1")
    return cached(database)


@pytest.mark.parametrize("limit", [None, 512_000_000])
def test_the_file_is_not_kept_in_memory(tmp_path: Path, limit: int | None):
    database = DuckdbDatabase.open(tmp_path / "shop.duckdb", limit)
    before = database.execute("SELECT current_setting('memory_limit')").fetchone()
    try:
        assert after_many_commits(database) <= KEPT
        assert database.execute("SELECT current_setting('memory_limit')").fetchone() == before
    finally:
        database.close()


def test_nothing_is_taken_from_another_connection_to_the_file(tmp_path: Path):
    database, other = (DuckdbDatabase.open(tmp_path / "shop.duckdb") for _ in range(2))
    try:
        assert after_many_commits(database) > KEPT
        other.close()
        assert after_many_commits(database) <= KEPT
    finally:
        database.close()


def pieces(path: Path) -> int:
    with duckdb.connect(str(path)) as connection:
        found = connection.execute("SELECT max(row_group_id) + 1 FROM pragma_storage_info('small')").fetchone()
    assert found is not None
    return int(found[0])


def test_rows_of_many_short_runs_are_joined(tmp_path: Path):
    path = tmp_path / "shop.duckdb"
    for number in range(12):
        database = DuckdbDatabase.open(path)
        with database.transaction():
            database.execute("CREATE TABLE IF NOT EXISTS small (id BIGINT)")
            database.execute("INSERT INTO small VALUES (?)", (number,))
        database.close()
    assert pieces(path) <= 2


async def test_what_looks_like_a_service_is_a_file(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(bench.folder)
    bench.destination = DuckDb(path="md:shop")
    await put(bench, ("id",), (1,))
    assert [path.name for path in bench.folder.iterdir()] == ["md:shop"]


async def test_a_trial_speaks_duckdb_and_changes_nothing(bench: Bench):
    batch = Batch(columns=("id", "a", "b"), rows=[(1, "x", None), (2, "z", None), (3, "n", 1), (None, "k", None)])
    trial = await bench.destination.trial("orders", Target(), batch, primary_key=("id",))
    assert trial.statements == ('CREATE TABLE "orders" ("id" BIGINT, "a" VARCHAR, "b" BIGINT, PRIMARY KEY ("id"))',)
    assert list(bench.folder.iterdir()) == []
    await put(bench, ("id", "a"), (1, "x"), (2, "y"))
    before = (bench.folder / "shop.duckdb").stat().st_mtime_ns
    trial = await bench.destination.trial("orders", Target(), batch, primary_key=("id",))
    assert (trial.exists, trial.inserts, trial.updates, trial.unchanged, len(trial.rejected)) == (True, 1, 1, 1, 1)
    assert trial.statements == ('ALTER TABLE "orders" ADD COLUMN "b" BIGINT',)
    assert (bench.folder / "shop.duckdb").stat().st_mtime_ns == before
    assert types(bench) == {"id": "BIGINT", "a": "VARCHAR"}


def test_many_rows_of_our_own_tables_are_one_statement():
    database = DuckdbDatabase.open(MEMORY)
    try:
        database.execute("CREATE TABLE t (i BIGINT, a VARCHAR, b TIMESTAMPTZ)")
        now = datetime(2026, 1, 2, tzinfo=UTC)
        rows = [(1, "it's ?", now), (2, None, None), (3, "\0", now)]
        assert database.executemany("INSERT INTO t (i, a, b) VALUES (?, ?, ?)", rows) == 3
        assert database.executemany("UPDATE t SET a = ? WHERE i = ?", [("x", 1), ("y", 2), ("z", 9)]) == 2
        assert database.executemany("INSERT INTO t (i, a, b) VALUES (?, ?, ?)", []) == 0
        assert database.execute("SELECT * FROM t ORDER BY i").fetchall() == [(1, "x", now), (2, "y", None), rows[2]]
    finally:
        database.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_r22_whichever_way_rows_go_in_the_table_is_what_a_dictionary_would_be(data: st.DataObject):
    """New rows below, above, between and upon those that are there."""
    kind = data.draw(st.sampled_from([st.integers(-5, 15), st.text("aäz~\0", max_size=2), None]))
    names = ("a", "b") if kind is None else ("a",)
    draw = st.tuples(st.integers(0, 4), st.sampled_from(["x", "y"])) if kind is None else kind.map(lambda key: (key,))
    pages = data.draw(st.lists(st.lists(st.tuples(draw, st.integers(0, 2)), min_size=1, max_size=6), max_size=5))
    meant: dict[Any, int] = {}
    database = DuckdbDatabase.open(MEMORY)
    try:
        rows = Rows(DuckdbTables(database), "t", names)
        for page in pages:
            last = dict(page)
            changed = sum(1 for key, value in last.items() if meant.get(key) != value)
            batch = Batch(columns=(*names, "v"), rows=[(*key, value) for key, value in page])
            with database.transaction():
                put_rows = rows.put(rows.ready(batch))
            assert (put_rows.written, put_rows.unchanged) == (changed, len(page) - changed)
            meant |= last
        found = database.execute("SELECT * FROM t").fetchall() if pages else []
        assert {row[:-1]: row[-1] for row in found} == meant
        assert len(found) == len(meant)
    finally:
        database.close()
