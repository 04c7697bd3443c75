"""The MySQL destination's own ways, against MariaDB: types, exactness, growth, keys, other people's tables, its troubles."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.databases.mysql import MysqlDatabase, lock_name
from syncline.destinations import Sql, Target
from syncline.destinations.sql.mysql import MysqlTables
from syncline.destinations.sql.rows import Rows
from syncline.errors import PlanError, StateError, WriteError
from syncline.events import Event, SchemaChanged, Scope, listening
from syncline.model import Batch, Secret, Written, reveal
from tests.destinations.conformance import (
    KEY,
    Bench,
    MariadbBench,
    at,
    batch,
    done,
    mariadb_connection,
    schema_of,
)
from tests.support.services import need_mariadb


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = MariadbBench(tmp_path)
    yield made
    made.drop()


async def put(
    bench: Bench, columns: tuple[str, ...], *rows: tuple[Any, ...], key: tuple[str, ...] = ("id",), **options: Any
) -> Written:
    write = options.pop("write", "upsert")
    whole = options.pop("whole", False)
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease, primary_key=key, allow_deletes=True, **options)
        written = await writer.write(Batch(columns=columns, rows=list(rows), whole=whole), [], at(1), lease)
        await writer.finish(done("z"), lease)
    return written


def sql(bench: Bench, statement: str) -> list[tuple[Any, ...]]:
    with mariadb_connection(schema_of(bench.folder)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())


def types(bench: Bench, table: str = "orders") -> dict[str, str]:
    return {row[0]: row[1] for row in sql(bench, f"SHOW COLUMNS FROM `{table}`")}


@pytest.fixture
def database(bench: Bench) -> Iterator[MysqlDatabase]:
    opened = MysqlDatabase.open(Secret(reveal(bench.destination.url)))
    yield opened
    opened.close()


def write(database: MysqlDatabase, rows: Rows, columns: tuple[str, ...], *found: tuple[Any, ...]) -> Any:
    with database.transaction(WriteError):
        return rows.put_carefully(rows.ready_carefully(Batch(columns=columns, rows=list(found))))


# Types


async def test_columns_get_the_types_of_their_values(bench: Bench):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))
    columns = ("id", "yes", "price", "ratio", "name", "at", "day", "items", "blob", "big", "nothing")
    row = (
        1,
        True,
        Decimal("1.10"),
        0.5,
        "007",
        moment,
        date(2026, 1, 2),
        {"a": [Decimal("1.0")]},
        b"\0\xff",
        2**64,
        None,
    )
    await put(bench, columns, row)
    assert types(bench) == {
        "id": "bigint(20)", "yes": "tinyint(1)", "price": "decimal(20,2)", "ratio": "double", "name": "longtext",
        "at": "datetime(6)", "day": "date", "items": "longtext", "blob": "longblob", "big": "decimal(27,0)",
    }  # fmt: skip
    assert bench.read() == [
        {"id": 1, "yes": 1, "price": Decimal("1.10"), "ratio": 0.5, "name": "007",
         "at": datetime(2026, 1, 2, 1, 4, 5, 678), "day": date(2026, 1, 2), "items": '{"a":[1.0]}', "blob": b"\0\xff",
         "big": Decimal(2**64)}
    ]  # fmt: skip
    ((_, shown),) = sql(bench, "SHOW CREATE TABLE orders")
    assert "CHECK (json_valid(`items`))" in shown
    assert "ENGINE=InnoDB" in shown
    assert "COLLATE=utf8mb4_nopad_bin" in shown
    assert "COMMENT='made by Syncline'" in shown


async def test_decimals_grow_with_their_digits_and_end_as_text(bench: Bench):
    heard: list[str] = []

    def hear(scope: Scope, event: Event) -> None:
        heard.append(event.change) if isinstance(event, SchemaChanged) else None

    values = [Decimal("1.1"), Decimal("-0.123"), Decimal(10) ** 30, Decimal("1E-20"), Decimal("1E-31")]
    with listening(hear):
        for number, value in enumerate(values):
            written = await put(bench, ("id", "n"), (number, value))
            assert (written.written, written.rejected) == (1, ())
    assert [change.rpartition("`n` ")[2] for change in heard[1:]] == [
        "DECIMAL(22,4)", "DECIMAL(40,4)", "DECIMAL(56,20)", "LONGTEXT",
    ]  # fmt: skip
    assert heard[0].startswith("CREATE TABLE `orders` (`id` BIGINT NOT NULL, `n` DECIMAL(20,2), PRIMARY KEY (`id`))")
    assert [Decimal(row["n"]) for row in bench.read()] == values


async def test_what_fits_no_decimal_is_text_from_the_start(bench: Bench):
    await put(bench, ("id", "n", "m"), (1, Decimal("9" * 66), 10**70))
    assert (types(bench)["n"], types(bench)["m"]) == ("longtext", "longtext")
    assert [(row["n"], row["m"]) for row in bench.read()] == [("9" * 66, str(10**70))]


async def test_floats_and_whole_numbers_share_a_column_as_long_as_both_are_exact(bench: Bench):
    await put(bench, ("id", "n"), (1, 0.1))
    await put(bench, ("id", "n"), (2, 2**53))
    assert types(bench)["n"] == "double"
    await put(bench, ("id", "n"), (3, 2**53 + 1))
    assert types(bench)["n"] == "longtext"
    assert [float(row["n"]) for row in bench.read()[:2]] == [0.1, 2.0**53]
    assert bench.read()[2]["n"] == str(2**53 + 1)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), Decimal("Infinity"), Decimal("NaN")])
async def test_what_is_no_number_costs_its_record(bench: Bench, value: Any):
    await put(bench, ("id", "n"), (1, type(value)("1.5")))
    written = await put(bench, ("id", "n"), (2, value), (3, type(value)("2.5")))
    assert (written.written, [r.path for r in written.rejected]) == (1, ["n"])


async def test_json_that_nests_too_deeply_costs_its_record(bench: Bench):
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    written = await put(bench, ("id", "j"), (1, {"a": 1}), (2, deep))
    assert (written.written, [(r.path, r.reason) for r in written.rejected]) == (
        1, [("j", "MariaDB's JSON nests 31 levels at most")],
    )  # fmt: skip


async def test_a_row_larger_than_a_packet_is_refused_and_others_are_written(database: MysqlDatabase):
    database.largest = 10_000
    rows = Rows(MysqlTables(database), "orders", ("id",))
    put = write(database, rows, ("id", "t"), (1, "x"), (2, "x" * 20_000), (3, "y" * 9_000))
    assert (put.written, [(refusal.row, refusal.reason.split(":")[0]) for refusal in put.refusals]) == (
        2, [(1, "the database refused the row")],
    )  # fmt: skip


async def test_a_record_larger_than_a_packet_says_what_to_raise(bench: Bench):
    (largest,) = sql(bench, "SELECT @@max_allowed_packet")[0]
    with pytest.raises(WriteError, match="larger than") as caught:
        await put(bench, ("id", "t"), (1, "x" * largest))
    assert "max_allowed_packet" in str(caught.value.hint)
    assert (await put(bench, ("id", "t"), (1, "x" * 2_000_000), (2, "y" * 2_000_000))).written == 2


# Growth


async def test_a_killed_widening_is_begun_anew(bench: Bench):
    await put(bench, ("id", "v"), (1, True), (2, None), (3, False))
    sql(bench, "ALTER TABLE orders ADD COLUMN syncline_widening LONGTEXT")
    sql(bench, "UPDATE orders SET syncline_widening = 'half'")
    await put(bench, ("id", "v"), (1, True))
    assert (await put(bench, ("id", "v"), (4, "text"))).written == 1
    assert [row["v"] for row in bench.read()] == ["true", None, "false", "text"]
    assert list(types(bench)) == ["id", "v"]


async def test_times_become_text_as_they_are_spelled_elsewhere(bench: Bench):
    moments = [
        datetime(1, 2, 3, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2026, 1, 1, 0, 0, 0, 7, UTC),
    ]
    await put(bench, ("id", "v"), *enumerate(moments))
    await put(bench, ("id", "v"), (9, "n/a"))
    assert [row["v"] for row in bench.read()] == [
        "0001-02-03T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00", "2026-01-01T00:00:00.000007+00:00", "n/a",
    ]  # fmt: skip


async def test_text_becomes_json_with_whatever_is_in_it(bench: Bench):
    texts = ['say "hi"\\', "tab\tnul\0", "🦜 \u2028", ""]
    await put(bench, ("id", "v"), *enumerate(texts))
    await put(bench, ("id", "v"), (9, {"a": 1}))
    assert sql(bench, "SELECT JSON_UNQUOTE(v) FROM orders ORDER BY id") == [*((text,) for text in texts), ('{"a":1}',)]


async def test_a_key_beyond_64_bits_widens_the_key(bench: Bench):
    await put(bench, ("id", "n"), (1, "a"), (2, "b"))
    written = await put(bench, ("id", "n"), (10**30, "big"), (1, "changed"), (2, "b"))
    assert (written.written, written.unchanged) == (2, 1)
    assert {int(row["id"]): row["n"] for row in bench.read()} == {1: "changed", 2: "b", 10**30: "big"}
    written = await put(bench, ("id", "n"), ("text", "t"), ("1", "one"))
    assert (written.written, types(bench)["id"]) == (2, "varchar(768)")
    assert {row["id"]: row["n"] for row in bench.read()}["1"] == "one"


async def test_a_flag_in_the_key_becomes_text_there_too(bench: Bench):
    await put(bench, ("a", "b", "n"), (True, 1, 1), (False, 1, 2), key=("a", "b"))
    await put(bench, ("a", "b", "n"), ("maybe", 1, 3), (True, 1, 4), key=("a", "b"))
    assert sorted((row["a"], row["n"]) for row in bench.read()) == [("false", 2), ("maybe", 3), ("true", 4)]
    keyed = sql(bench, "SHOW KEYS FROM orders WHERE Key_name = 'PRIMARY'")
    assert [row[4] for row in keyed] == ["a", "b"]


async def test_a_table_that_was_appended_to_gets_a_key(bench: Bench):
    await put(bench, ("name", "n"), ("a", 1), ("b", 2), write="append")
    written = await put(bench, ("name", "n"), ("a", 5), ("c", 3), key=("name",))
    assert (written.written, types(bench)["name"]) == (2, "varchar(768)")
    assert sorted((row["name"], row["n"]) for row in bench.read()) == [("a", 5), ("b", 2), ("c", 3)]
    assert len(sql(bench, "SHOW KEYS FROM orders WHERE Non_unique = 0")) == 1
    await put(bench, ("name", "n"), ("d", 4), ("e", 4), write="append")
    with pytest.raises(PlanError, match="holds rows with the same n"):
        await put(bench, ("name", "n"), ("x", 9), key=("n",))


async def test_a_key_that_is_too_long_costs_its_record(bench: Bench):
    written = await put(bench, ("name", "n"), ("a", 1), ("x" * 769, 2), ("y" * 768, 3), key=("name",))
    assert (written.written, [(r.path, r.record["n"]) for r in written.rejected]) == (2, [("name", 2)])
    written = await put(bench, ("name", "n"), ("z" * 800, 4), ("b", 5), key=("name",))
    assert [(r.path, r.reason) for r in written.rejected] == [("name", "the column holds 768 characters; this has 800")]


async def test_several_texts_share_the_room_of_a_key(bench: Bench):
    key = ("a", "b", "c", "d", "e")
    row = ("x" * 30, "y", 5, Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC))
    await put(bench, (*key, "n"), (*row, 1), key=key)
    assert types(bench)["a"] == types(bench)["b"] == "varchar(372)"
    written = await put(bench, (*key, "n"), ("x" * 373, *row[1:], 2), (*row, 3), key=key)
    assert (written.written, [r.path for r in written.rejected]) == (1, ["a"])


async def test_lists_and_bytes_can_be_keys(bench: Bench):
    await put(bench, ("id", "n"), ([1, "a"], 1), ([2], 2))
    assert (await put(bench, ("id", "n"), ([1, "a"], 5), ([2], 2))).written == 1
    sql(bench, "DROP TABLE orders")
    await put(bench, ("id", "n"), (b"\0\1", 1), (b"\0", 2))
    assert (await put(bench, ("id", "n"), (b"\0\1", 1), (b"\0", 5))).written == 1


async def test_a_key_of_zero_stays_zero(bench: Bench):
    sql(bench, "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, a INT)")
    await put(bench, ("id", "a"), (0, 1), (7, 2))
    assert sql(bench, "SELECT id, a FROM orders ORDER BY id") == [(0, 1), (7, 2)]


# What is the same


async def test_texts_that_other_collations_call_the_same_are_not(bench: Bench):
    keys = ["a", "A", "á", "a ", "ａ", "ß", "ss", "", " "]
    await put(bench, ("id", "n"), *((key, number) for number, key in enumerate(keys)))
    assert {row["id"]: row["n"] for row in bench.read()} == {key: number for number, key in enumerate(keys)}
    await put(bench, ("id", "n"), ("x", 1))
    for before, after in (("x", "X"), ("X", "X "), ("X ", "x̂")):
        await put(bench, ("id", "t"), ("t", before))
        assert (await put(bench, ("id", "t"), ("t", after))).written == 1
        assert (await put(bench, ("id", "t"), ("t", after))).unchanged == 1


async def test_what_did_not_change_is_not_written(bench: Bench):
    columns = ("id", "a", "b", "c", "d", "e", "f")
    rows = [
        (1, "x", None, Decimal("1.0"), {"a": [1]}, datetime(2026, 1, 1, tzinfo=UTC), 0.1),
        (2, "y", True, None, [], None, -0.0),
    ]
    await put(bench, columns, *rows)
    written = await put(bench, columns, *rows, (3, "n", None, None, None, None, None))
    assert (written.written, written.unchanged) == (1, 2)
    assert (await put(bench, ("id", "c"), (1, Decimal("1.00")), (2, None))).unchanged == 2
    whole = await put(bench, ("id", "a"), (1, "x"), (3, "n"), whole=True)
    assert (whole.written, whole.unchanged) == (1, 1)
    assert {name for name, value in bench.read()[0].items() if value is not None} == {"id", "a"}


async def test_r22_the_same_key_twice_is_one_row_and_counted(bench: Bench):
    written = await put(bench, ("id", "a"), (1, "x"), (1, "x"), (2, "y"), (1, "z"))
    assert (written.written, written.unchanged, written.rejected) == (2, 2, ())
    assert bench.read() == [{"id": 1, "a": "z"}, {"id": 2, "a": "y"}]


# Names


async def test_s15_hostile_names_are_identifiers_and_nothing_else(bench: Bench):
    evil = "x`); DROP TABLE sync_state; -- ?%s"
    columns = ("id", evil, "select", "", "a\0b", "end ", "🦜", "y" * 65, "ID", "É", "é")
    rows = [(10 + index, *[None] * index, "v", *[None] * (9 - index)) for index in range(2, 10)]
    written = await put(bench, columns, (1, "'; DROP TABLE orders\\", 2, *[None] * 8), *rows)
    assert [r.path for r in written.rejected] == ["", "a\0b", "end ", "🦜", "y" * 65, "ID", "é"]
    assert [row for row in bench.read() if row["id"] == 1] == [
        {"id": 1, evil: "'; DROP TABLE orders\\", "select": 2, "É": None}
    ]
    async with bench.sink() as sink:
        for table in ("end ", "🦜", "x" * 65, "#mysql50#x"):
            with pytest.raises(PlanError):
                await sink.begin(KEY, table, Target(write="append"), lease=await bench.lease(sink), checkpoint=at(0))


def test_names_are_folded_as_the_server_folds_them(bench: Bench, database: MysqlDatabase):
    tables = MysqlTables(database)
    letters = [chr(code) for code in range(0x21, 0xFFFE) if not 0xD800 <= code <= 0xDFFF]
    names = "".join(letters)
    said = database.execute("SELECT LOWER(CONVERT(? USING utf8mb3))", (names,)).fetchone()[0]
    assert len(said) == len(names)
    wrong = [
        (letter, lower) for letter, lower in zip(names, said, strict=True) if tables.fold(letter) != tables.fold(lower)
    ]
    assert wrong == []


# Tables of somebody else's making


async def test_a_table_of_somebody_else_is_adopted_as_it_is(bench: Bench):
    sql(bench, "CREATE TABLE orders (ID INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(5) NOT NULL, price DECIMAL(10,2),"
               " small TINYINT, seen TIMESTAMP NULL, day DATE, kind ENUM('new','it''s') COLLATE utf8mb4_general_ci,"
               " code CHAR(3), latin VARCHAR(9) CHARACTER SET latin1, single FLOAT, at DATETIME(3), flag BIT(1),"
               " sum INT AS (small + 1) VIRTUAL, tags SET('a','b'), t TIME, u UUID, y YEAR,"
               " mine VARCHAR(9) DEFAULT 'kept', checked INT CHECK (checked < 100))")  # fmt: skip
    sql(bench, "INSERT INTO orders (ID, name) VALUES (1, 'old')")
    fine = {
        "id": 1, "name": "new", "price": Decimal("10.1"), "small": -128, "seen": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1), "kind": "it's", "code": "a b", "latin": "ü€", "single": 0.1,
        "at": datetime(2026, 1, 1, 0, 0, 0, 123_000, UTC), "flag": True, "tags": "a,b", "t": "12:30:00",
        "u": "f47ac10b-58cc-4372-a567-0e02b2c3d479", "y": 2026, "checked": 99,
    }  # fmt: skip
    wrong = [
        ("id", -1), ("id", 2**32), ("name", None), ("name", "longer"), ("name", "abcd  "), ("price", Decimal("0.001")),
        ("price", 10**8), ("small", 128), ("seen", datetime(2050, 1, 1, tzinfo=UTC)),
        ("seen", datetime(2026, 1, 1, 0, 0, 0, 5, UTC)), ("day", "2026-01-01"), ("kind", "NEW"), ("kind", "2"),
        ("code", "a "), ("code", "abcd"), ("latin", "漢"), ("single", 0.123456789), ("single", 16_777_217),
        ("at", datetime(2026, 1, 1, 0, 0, 0, 123_456, UTC)), ("flag", 2), ("sum", 5), ("tags", "b,a"), ("t", "12:30"),
        ("u", "no"), ("y", 26), ("checked", 100), ("small", Decimal("1.5")),
    ]  # fmt: skip
    columns = tuple(dict.fromkeys((*fine, "sum")))
    rows = [tuple(fine.get(name) for name in columns)]
    for number, (name, value) in enumerate(wrong):
        rows.append(tuple({"id": 10 + number, "name": "w", name: value}.get(column) for column in columns))
    written = await put(bench, columns, *rows)
    refused = {(r.path, r.record[name]) for r, (name, _) in zip(written.rejected, wrong, strict=True)}
    assert refused == set(wrong)
    assert written.written == 1
    (row,) = bench.read()
    assert {name.lower(): row[name] for name in row if name.lower() in fine} == {
        **fine, "seen": datetime(2026, 1, 1), "at": datetime(2026, 1, 1, 0, 0, 0, 123_000), "flag": b"\1",
        "t": timedelta(hours=12, minutes=30),
    }  # fmt: skip
    assert (row["mine"], row["sum"]) == ("kept", -127)
    again = await put(bench, tuple(fine), tuple(fine.values()))
    assert (again.written, again.unchanged) == (0, 1)
    trial = await bench.destination.trial(
        "orders", Target(), Batch(columns=tuple(fine), rows=[tuple(fine.values())]), primary_key=("id",)
    )
    assert (trial.inserts, trial.updates, trial.unchanged, trial.statements) == (0, 0, 1, ())


async def test_other_peoples_columns_keep_their_types(bench: Bench):
    sql(bench, "CREATE TABLE orders (id INT PRIMARY KEY, n SMALLINT, t VARCHAR(3)) DEFAULT CHARSET = latin1")
    written = await put(
        bench, ("id", "n", "t", "extra"), (1, "text", None, "漢"), (2, 5, {"a": 1}, None), (3, True, 7, None)
    )
    assert [r.path for r in written.rejected] == ["n", "t"]
    assert types(bench) == {"id": "int(11)", "n": "smallint(6)", "t": "varchar(3)", "extra": "longtext"}
    await put(bench, ("id", "extra"), (4, "漢"))
    assert bench.read()[1] == {"id": 4, "n": None, "t": None, "extra": "漢"}
    await put(bench, ("id", "n", "new"), (1, 1, 1), (2, "refused", 2), write="replace")
    assert types(bench)["n"] == "smallint(6)"
    assert [(row["id"], row["n"], row["new"]) for row in bench.read()] == [(1, 1, 1)]


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "latin1_swedish_ci"])
async def test_keys_that_the_table_cannot_tell_apart_are_refused_not_mixed_up(bench: Bench, collation: str):
    charset = collation.partition("_")[0]
    sql(bench, f"CREATE TABLE orders (id VARCHAR(20) PRIMARY KEY, t TEXT) CHARACTER SET {charset} COLLATE {collation}")
    sql(bench, "INSERT INTO orders VALUES ('abc', 'theirs')")
    blind = collation != "utf8mb4_bin"
    written = await put(bench, ("id", "t"), ("ABC", "mine"), ("abc ", "padded"), ("d", "1"), ("D", "2"))
    refused = [(r.path, r.record["id"]) for r in written.rejected]
    assert refused == ([("", "ABC"), ("", "abc "), ("", "D")] if blind else [("", "abc ")])
    assert all("Duplicate entry" in r.reason for r in written.rejected)
    found = {row["id"]: row["t"] for row in bench.read()}
    assert found == ({"abc": "theirs", "d": "1"} if blind else {"abc": "theirs", "d": "1", "ABC": "mine", "D": "2"})
    written = await put(bench, ("id", "t"), ("abc", "THEIRS"), ("d", "1 "))
    assert (written.written, written.rejected) == (2, ())
    assert {row["t"] for row in bench.read()} >= {"THEIRS", "1 "}


async def test_another_unique_index_is_not_written_over(bench: Bench):
    sql(bench, "CREATE TABLE orders (id INT PRIMARY KEY, mail VARCHAR(50) UNIQUE)")
    await put(bench, ("id", "mail"), (1, "a@b"))
    written = await put(bench, ("id", "mail"), (2, "a@b"), (3, "c@d"))
    assert [(r.reason, r.record["id"]) for r in written.rejected] == [
        ("the database refused the row: Duplicate entry 'a@b' for key 'mail'", 2)
    ]
    assert sql(bench, "SELECT id, mail FROM orders ORDER BY id") == [(1, "a@b"), (3, "c@d")]


async def test_tables_without_transactions_and_views_are_refused(bench: Bench):
    sql(bench, "CREATE TABLE orders (id INT PRIMARY KEY) ENGINE = MyISAM")
    with pytest.raises(PlanError, match="MyISAM, which knows no transactions") as caught:
        await put(bench, ("id",), (1,))
    assert "ENGINE = InnoDB" in str(caught.value.hint)
    sql(bench, "RENAME TABLE orders TO others")
    sql(bench, "CREATE VIEW orders AS SELECT * FROM others")
    with pytest.raises(PlanError, match="no table"):
        await put(bench, ("id",), (1,))


async def test_a_key_that_no_index_holds_is_refused_or_kept_by_its_hash(bench: Bench):
    """MariaDB makes an index of hashes; MySQL refuses, and so does MariaDB for a primary key."""
    sql(bench, "CREATE TABLE orders (id TEXT, n INT)")
    await put(bench, ("id", "n"), ("a", 1), ("x" * 1000, 2))
    written = await put(bench, ("id", "n"), ("x" * 1000, 3), ("b", 4))
    assert (written.written, len(bench.read())) == (2, 3)


async def test_tables_that_differ_in_case_only_are_two(bench: Bench):
    if sql(bench, "SELECT @@lower_case_table_names") != [(0,)]:
        pytest.skip("this server folds the names of tables")
    sql(bench, "CREATE TABLE Orders (id INT PRIMARY KEY, x INT)")
    await put(bench, ("id", "a"), (1, "x"))
    assert list(types(bench)) == ["id", "a"]
    assert bench.read("Orders") == []


# Others at the same time


def until_seen(connection: Any, question: str) -> None:
    """Ask until there is an answer: what others wait for cannot be waited for otherwise."""
    cursor, until = connection.cursor(), time.monotonic() + 20
    while not cursor.execute(question):
        assert time.monotonic() < until, question
        time.sleep(0.15)  # InnoDB shows its transactions anew to whoever has not asked for a tenth of a second


async def test_two_streams_may_share_a_table(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        first, second = [await bench.begin(sink, "append", lease=lease) for _ in range(2)]
        await first.write(Batch(columns=("id",), rows=[(1,)]), [], at(1), lease)
        await second.write(Batch(columns=("id", "b"), rows=[(2, "x")]), [], at(2), lease)
        await first.write(Batch(columns=("id", "b"), rows=[(3, "1")]), [], at(3), lease)
        sql(bench, "ALTER TABLE orders ADD COLUMN c LONGTEXT")  # another program is quicker
        written = await first.write(Batch(columns=("id", "c"), rows=[(4, "y")]), [], at(4), lease)
    assert written.written == 1
    assert [tuple(row.values()) for row in bench.read()] == [
        (1, None, None), (2, "x", None), (3, "1", None), (4, None, "y"),
    ]  # fmt: skip


async def test_a_key_that_somebody_inserts_meanwhile_is_updated(bench: Bench, database: MysqlDatabase):
    rows = Rows(MysqlTables(database), "orders", ("id",))
    write(database, rows, ("id", "a"), (1, "x"))
    original = database.execute

    def execute(statement: str, values: Any = ()) -> Any:
        if statement.startswith("INSERT INTO `orders`"):
            database.execute = original  # type: ignore[method-assign]
            sql(bench, "INSERT INTO orders VALUES (2, 'theirs')")
        return original(statement, values)

    with database.transaction(WriteError):
        ready = rows.ready(Batch(columns=("id", "a"), rows=[(1, "x"), (2, "ours"), (3, "z")]))
        database.execute = execute  # type: ignore[method-assign]
        put = rows.put(ready)
    assert (put.written, put.unchanged, put.refusals) == (2, 1, [])
    assert sql(bench, "SELECT * FROM orders ORDER BY id") == [(1, "x"), (2, "ours"), (3, "z")]


async def test_r30_a_deadlock_is_tried_again(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "upsert", lease=lease, primary_key=("id",))
        await writer.write(batch(*range(1, 100)), [], at(1), lease)
        with mariadb_connection(schema_of(bench.folder)) as other, mariadb_connection() as watching:
            theirs = other.cursor()
            theirs.execute("CREATE TABLE heavy (i INT)")
            theirs.execute("START TRANSACTION")
            theirs.execute("INSERT INTO heavy SELECT seq FROM seq_1_to_5000")  # the lighter transaction is sacrificed
            theirs.execute("UPDATE orders SET text = 'theirs' WHERE id = 2")

            def collide() -> None:
                until_seen(
                    watching,
                    "SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
                    " ON p.id = t.trx_mysql_thread_id"
                    f" WHERE t.trx_state = 'LOCK WAIT' AND p.db = '{schema_of(bench.folder)}'",
                )
                theirs.execute("UPDATE orders SET text = 'theirs' WHERE id = 1")
                theirs.execute("COMMIT")

            colliding = threading.Thread(target=collide)
            colliding.start()
            written = await writer.write(batch(1, 2, text="ours"), [], at(2), lease)
            colliding.join()
    assert (written.written, len(bench.clock.slept)) == (2, 1)
    assert [row["text"] for row in bench.read()[:3]] == ["ours", "ours", "t"]


async def test_r31_two_holders_do_not_lay_tables_aside_at_once(bench: Bench):
    async with bench.sink() as sink:
        other = mariadb_connection(schema_of(bench.folder))
        other.cursor().execute(f"SELECT GET_LOCK('{lock_name(schema_of(bench.folder), 'orders')}', 0)")
        lease = await bench.lease(sink)
        seen: list[Any] = []

        def let_go() -> None:
            with mariadb_connection() as watching:
                here = f"db = '{schema_of(bench.folder)}'"
                until_seen(
                    watching, f"SELECT 1 FROM information_schema.processlist WHERE state = 'User lock' AND {here}"
                )
            seen.append(sql(bench, "SHOW TABLES LIKE 'syncline_staging%'"))
            other.close()

        waiting = threading.Thread(target=let_go)
        waiting.start()
        writer = await bench.begin(sink, "replace", lease=lease)
        waiting.join()
        await writer.write(batch(1), [], at(1), lease)
        await writer.finish(done("z"), lease)
    assert seen == [[]]
    assert [row["id"] for row in bench.read()] == [1]


# The server


async def test_a_poison_record_does_not_widen_a_column(bench: Bench):
    """Changes of the schema cannot be taken back here, so they wait until it is known which rows are kept."""
    await put(bench, ("id", "t"), (1, "text"))
    before = types(bench)
    written = await put(bench, ("id", "t", "new"), (2, {"deep": "\ud800"}, None), (3, "fine", None))
    assert [r.path for r in written.rejected] == ["t"]
    assert types(bench) == before


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("mysql://root:pa55word@{place}/syncline_not_there", "does not exist"),
        ("mysql://nobody:pa55word@{place}/test", "does not let this user in"),
        ("mariadb://root:pa55word@127.0.0.1:1/test", "cannot be reached"),
    ],
)
async def test_s9_what_the_server_says_is_explained_and_shows_no_password(url: str, match: str, tmp_path: Path):
    place = need_mariadb().rpartition("@")[2]
    if "root:" in url and "not_there" in url:
        url = url.replace("root:pa55word", "root")
    with pytest.raises((StateError, WriteError), match=match) as caught:
        async with Sql(url=url.format(place=place)).open(integration="x", default_state=tmp_path / "s", clock=None):  # type: ignore[arg-type]
            pass
    assert caught.value.exit_code == 7
    assert caught.value.hint
    assert "pa55word" not in caught.value.block() + repr(caught.value.__cause__) + repr(caught.value.__context__)


def test_the_session_is_ours_whatever_the_server_says(database: MysqlDatabase):
    cursor = database.execute("SELECT @@sql_mode, @@time_zone, @@tx_isolation, @@character_set_client, @@autocommit")
    modes, zone, isolation, charset, autocommit = cursor.fetchone()
    assert {"STRICT_ALL_TABLES", "NO_ZERO_DATE", "NO_AUTO_VALUE_ON_ZERO"} <= set(modes.split(","))
    assert not {"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"} & set(modes.split(","))
    assert (zone, isolation, charset, autocommit) == ("+00:00", "READ-COMMITTED", "utf8mb4", 1)
    assert database.product == "MariaDB"


async def test_r29_a_full_table_is_exit_7_and_says_so(bench: Bench):
    await put(bench, ("id", "t"), (1, "x"))
    sql(bench, "CREATE TRIGGER full BEFORE INSERT ON orders FOR EACH ROW"
               " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'")  # fmt: skip
    with pytest.raises(WriteError, match="no room left") as caught:
        await put(bench, ("id", "t"), (2, "y"))
    assert caught.value.exit_code == 7
    sql(bench, "DROP TRIGGER full")
    assert (await put(bench, ("id", "t"), (2, "y"))).written == 1
