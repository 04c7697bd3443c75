"""R34, R35: what goes into MariaDB comes out exact, or is refused with its path; and the quick way does as the careful one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from math import nan
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from syncline.databases.literals import literal, tuples
from syncline.databases.mysql import MysqlDatabase
from syncline.destinations.sql.mysql import MysqlTables
from syncline.destinations.sql.mysql_types import limit_of, misfit_of_json, sized
from syncline.destinations.sql.rows import Put, Rows, Unfit
from syncline.model import Batch, Secret, decode_json, reveal
from tests.destinations.conformance import MariadbBench

Page = list[Any]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MysqlDatabase]:
    folder = tmp_path_factory.mktemp("exactness")
    bench = MariadbBench(folder)
    opened = MysqlDatabase.open(Secret(reveal(bench.destination.url)))
    yield opened
    opened.close()
    bench.drop()


texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    [
        "007",
        "1e5",
        "NO",
        "true",
        "1.0",
        "a ",
        "'",
        "\\",
        "\\'",
        "%s",
        "?",
        "\0",
        "\x1a",
        "--",
        "/*",
        "\ufffe",
        "\U0010ffff",
    ]
)
decimals = st.decimals(allow_nan=True, allow_infinity=True) | st.decimals(-(10**9), 10**9, places=2)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.integers(-(10**70), 10**70)
    | decimals
    | st.floats()
    | texts
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.binary(max_size=4)
    | st.dictionaries(texts, st.integers() | texts | decimals, max_size=2)
)
alike_ones = st.sampled_from(
    [
        st.integers(),
        decimals,
        st.floats(),
        texts,
        st.datetimes(timezones=st.just(UTC)),
        st.dates(),
        st.binary(max_size=4),
    ]
).flatmap(lambda kind: st.lists(kind | st.none(), min_size=1, max_size=4))
pages = st.lists(st.lists(scalars, min_size=1, max_size=4) | alike_ones, min_size=1, max_size=4)


def quickly(rows: Rows, batch: Batch, database: MysqlDatabase) -> Put:
    database.begin()
    try:
        put = rows.put(rows.ready(batch))
    except Unfit:
        database.rollback()
        rows.forget()
        return carefully(rows, batch, database)
    database.commit()
    return put


def carefully(rows: Rows, batch: Batch, database: MysqlDatabase) -> Put:
    database.begin()
    put = rows.put_carefully(rows.ready_carefully(batch))
    database.commit()
    return put


def batches(found: list[Page]) -> Iterator[Batch]:
    number = 0
    for page in found:
        yield Batch(columns=("id", "v"), rows=[(number + index, value) for index, value in enumerate(page)])
        number += len(page)


def fresh(database: MysqlDatabase, name: str, key: tuple[str, ...] = ("id",)) -> Rows:
    database.execute(f"DROP TABLE IF EXISTS {name}")
    return Rows(MysqlTables(database), name, key)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@example([[1.5], [2], [2**53 + 1]], ("id",))
@example([[Decimal("1.1")], [Decimal("1E-31")]], ())
@example([[True], [datetime(1, 1, 1, tzinfo=UTC)], [{"a": 1}]], ("id",))
@example([[False, Decimal("sNaN")]], ("id",))
@example([[False, 0], [nan]], ("id",))
@example([["\udcc3\udca4"]], ())  # lone surrogates that some drivers would make an ä of
@given(pages, st.sampled_from([("id",), ()]))
def test_r34_r35_whatever_comes_is_exact_or_rejected_with_its_path(
    database: MysqlDatabase, found: list[Page], key: tuple[str, ...]
):
    rows = fresh(database, "exact", key)
    expected: dict[int, Any] = {}
    for batch in batches(found):
        put = quickly(rows, batch, database)
        refused = {refusal.row for refusal in put.refusals}
        assert all(refusal.path == "v" and refusal.reason for refusal in put.refusals)
        assert put.written + put.unchanged + len(refused) == len(batch.rows)
        expected |= {number: value for index, (number, value) in enumerate(batch.rows) if index not in refused}
    table = MysqlTables(database).load("exact")
    names = "id, v" if "v" in table.columns else "id, NULL"
    stored = dict(database.execute(f"SELECT {names} FROM exact").fetchall()) if table.exists else {}
    assert stored.keys() == expected.keys()
    logical = table.columns["v"].logical if "v" in table.columns else "unknown"
    for number, value in expected.items():
        kept = stored[number]
        if kept is not None and "v" in table.columns:
            kept = MysqlTables(database).restore(kept, table.columns["v"])
        assert alike(kept, value), (logical, stored[number], value)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pages)
@example([[0.0, Decimal("sNaN")]])
@example([[0.0, 10**400]])
def test_the_quick_way_does_as_the_careful_one(database: MysqlDatabase, found: list[Page]):
    quick, careful = fresh(database, "quick"), fresh(database, "careful")
    for batch in batches(found):
        one, other = quickly(quick, batch, database), carefully(careful, batch, database)
        assert [(r.row, r.path) for r in one.refusals] == [(r.row, r.path) for r in other.refusals]
        assert (one.written, one.unchanged) == (other.written, other.unchanged)
    tables = MysqlTables(database)
    first, second = tables.load("quick"), tables.load("careful")
    assert first.columns == second.columns
    if first.exists:
        listed = tables.listed(column.name for column in first.columns.values())
        kept = [
            database.execute(f"SELECT {listed} FROM {name} ORDER BY id").fetchall() for name in ("quick", "careful")
        ]
        assert kept[0] == kept[1]


def alike(found: Any, value: Any) -> bool:
    """Equal, or where the column had to become text or JSON, the value's exact spelling."""
    if found is None or value is None:
        return found is value
    if type(found) is type(value) and found == value:
        return True
    if isinstance(value, bool):
        return found == str(value).lower() or found == value
    if isinstance(value, Decimal) and value.is_nan():  # equal to nothing
        return bool(found == str(value))
    if isinstance(value, int | float | Decimal):
        meant = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return Decimal(repr(found) if isinstance(found, float) else str(found)) == meant
    if isinstance(value, datetime):
        return datetime.fromisoformat(str(found)) == value
    if isinstance(value, date):
        return str(found) == value.isoformat()
    if isinstance(value, dict):
        return bool(plain(decode_json(found) if isinstance(found, str) else found) == plain(value))
    return bool(found == value)


def plain(value: Any) -> Any:
    """Numbers as numbers, whichever type they have."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return Decimal(value) if isinstance(value, int | Decimal) else value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([5e-324, 1.7976931348623157e308, -0.0, 0.1, 1e16, 123456789012345680.0])
def test_floats_come_out_bit_for_bit(database: MysqlDatabase, values: list[float]):
    rows = ", ".join(f"SELECT CAST({literal(value)} AS DOUBLE)" for value in values).replace(
        ", SELECT", " UNION ALL SELECT"
    )
    assert [found for (found,) in database.execute(rows).fetchall()] == values


@given(
    st.lists(
        st.tuples(texts.filter(str.isprintable), st.binary(), st.integers(), st.none() | st.booleans()), min_size=1
    )
)
def test_rows_are_spelled_by_column_as_they_are_one_by_one(rows: list[tuple[Any, ...]]):
    assert tuples(rows) == [f"({','.join(map(literal, row))})".encode() for row in rows]


def test_what_no_column_holds_is_not_spelled():
    with pytest.raises(TypeError):
        literal(object())
    with pytest.raises(UnicodeEncodeError):
        tuples([("\ud800",)])


@given(st.integers(0, 65), st.integers(0, 65))
def test_room_for_digits_is_enough_and_within_what_there_is(whole: int, scale: int):
    room = sized((whole, scale))
    if room is None:
        assert scale > 30 or whole + scale > 65
        return
    assert room[0] >= whole
    assert room[1] >= scale
    assert room[1] <= 30
    assert sum(room) <= 65


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"a": [1, Decimal("0.5")]}, True),
        ({"a": Decimal("1.10")}, True),
        ([2**64 - 1, -(2**63)], True),
        ([2**64], False),
        ({"deep": [{"er": Decimal("12345678901234567.89")}]}, False),
        ("text", True),
    ],
)
def test_mysqls_own_json_is_not_given_numbers_that_it_would_round(value: Any, fits: bool):
    assert (misfit_of_json(value, "json") is None) == fits
    assert misfit_of_json(value, "LONGTEXT COMMENT 'JSON'") is None


def test_types_that_keep_everything_need_no_look():
    for declared in (
        "BIGINT",
        "DOUBLE",
        "DECIMAL(20,2)",
        "LONGTEXT",
        "DATETIME(6)",
        "DATE",
        "LONGBLOB",
        "BOOLEAN",
        "JSON",
    ):
        assert limit_of(declared) is None
    for declared in ("geometry", "inet6", "int(11) GENERATED"):
        assert limit_of(declared)("x")  # type: ignore[misc]
