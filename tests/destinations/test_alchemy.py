"""The way through SQLAlchemy: exact everywhere, with savepoints or without, in tables of its own and in others'."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st
from sqlalchemy.sql import quoted_name

from syncline.databases.address import parse_address
from syncline.databases.alchemy import AlchemyDatabase
from syncline.destinations import Sql
from syncline.destinations.sql.alchemy import AlchemyTables
from syncline.destinations.sql.alchemy_columns import AlchemyColumn, Columns, same_json
from syncline.destinations.sql.alchemy_rows import Pieces
from syncline.destinations.sql.rows import Put, Rows, Unfit
from syncline.errors import SynclineError
from syncline.events import listening
from syncline.model import Batch, Secret, decode_json, reveal
from syncline.testing import SimulatedClock
from tests.destinations.conformance import MAKERS
from tests.destinations.test_sqlite import alike, texts
from tests.support.services import need_mariadb, need_postgresql

ALCHEMY = [name for name in MAKERS if "+" in name]
WAYS: dict[str, dict[str, Any]] = {
    "": {},
    "read back": {"tried": False},
    "read back, no savepoints": {"tried": False, "savepoints": False},
}


TRIED = [(maker, way) for maker in ALCHEMY for way in WAYS] + [("strange", "")]


@pytest.fixture(params=TRIED, ids=lambda param: " ".join(param).strip())
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlchemyDatabase]:
    maker, way = request.param
    bench = MAKERS[maker](tmp_path)
    assert isinstance(bench.destination, Sql)
    found = parse_address(reveal(bench.destination.url)).open()
    assert isinstance(found, AlchemyDatabase)
    found.ways = msgspec.structs.replace(found.ways, **WAYS[way])
    yield found
    found.close()
    bench.drop()


def put(database: AlchemyDatabase, rows: Rows, batch: Batch) -> Put:
    """As the sink does it."""
    try:
        with database.transaction():
            return rows.put(rows.ready(batch))
    except Unfit:
        rows.forget()
        with database.transaction():
            return rows.put_carefully(rows.ready_carefully(batch))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(places=3, min_value=-1000, max_value=1000)
    | st.floats(allow_nan=False)
    | texts
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.binary(max_size=4)
    | st.dictionaries(texts, st.integers() | st.booleans() | texts, max_size=2)
)
keys = st.integers(0, 3) | st.integers(2**70, 2**70 + 2) | st.sampled_from(["a", "A", "a ", "", "ä", "007", "7"])
pages = st.lists(st.lists(st.tuples(keys, scalars), min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.mark.slow
@pytest.mark.parametrize("key", [("id",), ()], ids=["upsert", "append"])
@settings(
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(pages=[[(1, date(839, 7, 26)), ("ä", {"007": True})], [("a", False)], [("a ", Decimal("0.01"))]])  # trimmed
@given(pages=pages)
def test_r34_r35_whatever_comes_is_exact_or_rejected_with_its_path(
    database: AlchemyDatabase, key: tuple[str, ...], pages: list[list[tuple[Any, Any]]]
):
    tables = AlchemyTables.of(database)
    with database.transaction():
        tables.drop("t")
    rows = Rows(tables, "t", key)
    expected: dict[str, tuple[int, Any, Any]] = {}
    number = 0
    for page in pages:
        batch = Batch(columns=("n", "id", "v"), rows=[(number + place, *row) for place, row in enumerate(page)])
        number += len(page)
        outcome = put(database, rows, batch)
        refused = {refusal.row for refusal in outcome.refusals}
        assert all(refusal.path in ("id", "v") and refusal.reason for refusal in outcome.refusals), outcome.refusals
        assert outcome.written + outcome.unchanged + len(refused) == len(page)
        for place, row in enumerate(batch.rows):
            if place not in refused:
                expected[spelled(row[1 if key else 0])] = row
    found = {spelled(row[1 if key else 0]): row for row in landed(database, tables)}
    assert found.keys() == expected.keys()
    for name, row in expected.items():
        for stored, value in zip(found[name], row, strict=True):
            assert said_the_same(stored, value), (stored, value)


def spelled(key: Any) -> str:
    """A key as text, whatever the column's type made of it."""
    return key if isinstance(key, str) else str(Decimal(key).normalize())


def said_the_same(stored: Any, value: Any) -> bool:
    if stored is None or value is None:
        return stored is value
    if isinstance(value, dict) and isinstance(stored, str):
        return same_json(decode_json(stored), value)
    return alike(stored, value)


def landed(database: AlchemyDatabase, tables: AlchemyTables) -> list[tuple[Any, ...]]:
    """What stands in the table, read by its types."""
    table = tables.load("t")
    columns = [
        column for name in ("n", "id", "v") if isinstance(column := tables.column_of(table, name), AlchemyColumn)
    ]
    if not table.exists:
        return []
    pieces = Pieces(database, Columns(database.dialect, database.ways), lambda name: quoted_name(name, True), "t")
    rows = database.run(sa.select(*pieces.table(columns).c)).fetchall()
    return [(*map(tables.restore, row, columns), *[None] * (3 - len(columns))) for row in rows]


@pytest.mark.parametrize("url", [
    "postgresql+psycopg://nobody:{secret}@{postgresql}/test",
    "mysql+pymysql://nobody:{secret}@{mariadb}/test",
    "postgresql+psycopg://nobody:{secret}@127.0.0.1:9/test",
    "mysql+pymysql://nobody:{secret}@[::1/test",
])  # fmt: skip
async def test_s9_a_password_is_in_no_error_event_or_log(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "canary-3c1d9f"
    servers = {"postgresql": urlsplit(need_postgresql()), "mariadb": urlsplit(need_mariadb())}
    places = {name: f"{parts.hostname}:{parts.port}" for name, parts in servers.items()}
    caplog.set_level("DEBUG")
    heard: list[str] = []
    destination = Sql(url=Secret(url.format(secret=secret, **places)), patience=0.1)
    with listening(lambda scope, event: heard.append(repr(event))), pytest.raises(SynclineError) as caught:
        async with destination.open(integration="shop", default_state=tmp_path / "s.db", clock=SimulatedClock()):
            pass
    shown = [caught.value.block(), str(caught.value.to_data()), repr(destination), caplog.text, *heard]
    assert not [text for text in shown if secret in text]
    frames = traceback.TracebackException.from_exception(caught.value).format(chain=True)
    assert secret not in "".join(frames)
