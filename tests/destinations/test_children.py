"""Lists as tables of their own, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from syncline.destinations import Deletes, Target
from syncline.model import Batch
from syncline.state import Lease
from tests.destinations.conformance import DATABASES, KEY, MAKERS, Bench, at, done, sqlite_bench

COLUMNS = ("id", "total", "items")


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = MAKERS[request.param](tmp_path)
    yield made
    made.drop()


def target(write: str = "upsert", **made: Any) -> Target:
    return Target(table="orders", write=write, children={"items": made})


def rows(*found: tuple[int, int, Any]) -> Batch:
    return Batch(columns=COLUMNS, rows=list(found))


def items(*skus: str) -> list[dict[str, Any]]:
    return [{"sku": sku, "price": Decimal("1.50")} for sku in skus]


async def write(bench: Bench, found: Batch, where: Target, *, finish: bool = True, **options: Any) -> Any:
    async with bench.sink() as sink:
        lease: Lease = await bench.lease(sink)
        state = await sink.state.load(KEY)
        deletes = options.pop("deletes", None)
        writer = await sink.begin(
            KEY, "orders", where, primary_key=("id",), lease=lease, checkpoint=state.checkpoint, deletes=deletes
        )
        written = await writer.write(found, [], at(1), lease, **options)
        if finish:
            await writer.finish(done("z"), lease, complete=True)
        return written


def elements(bench: Bench, table: str = "orders_items", order: str = "_position") -> list[tuple[Any, ...]]:
    found = sorted(bench.read(table), key=lambda row: (row["_parent_id"], row[order]))
    return [(row["_parent_id"], row[order], row["sku"]) for row in found]


async def test_a_list_becomes_rows_with_its_parents_key_and_its_order(bench: Bench):
    await write(bench, rows((1, 10, items("a", "b")), (2, 20, None), (3, 30, [])), target())
    assert elements(bench) == [(1, 0, "a"), (1, 1, "b")]
    assert [Decimal(row["price"]) for row in bench.read("orders_items")] == [Decimal("1.5")] * 2
    assert {"id", "total"} == {name for row in bench.read() for name in row if row[name] is not None}


async def test_a_list_that_is_shorter_now_loses_its_end_and_unchanged_ones_stay(bench: Bench):
    await write(bench, rows((1, 10, items("a", "b", "c")), (2, 20, items("x"))), target())
    await write(bench, rows((1, 10, items("a", "B")), (2, 20, items("x"))), target())
    assert elements(bench) == [(1, 0, "a"), (1, 1, "B"), (2, 0, "x")]
    await write(bench, rows((1, 10, None)), target())
    assert elements(bench) == [(2, 0, "x")]


async def test_elements_that_are_no_objects_are_values(bench: Bench):
    await write(bench, rows((1, 10, ["red", "blue"])), target())
    found = sorted((row["_position"], row["value"]) for row in bench.read("orders_items"))
    assert found == [(0, "red"), (1, "blue")]


@pytest.mark.parametrize("how", ["append", "replace"])
async def test_children_of_appended_and_replaced_rows(bench: Bench, how: str):
    await write(bench, rows((1, 10, items("a")), (2, 20, items("b"))), target(how))
    assert elements(bench) == [(1, 0, "a"), (2, 0, "b")]
    await write(bench, rows((3, 30, items("c", "d"))), target(how))
    after = [(3, 0, "c"), (3, 1, "d")]
    assert elements(bench) == ([(1, 0, "a"), (2, 0, "b"), *after] if how == "append" else after)


async def test_replaced_children_are_seen_at_the_end_only(bench: Bench):
    await write(bench, rows((1, 10, items("a"))), target("replace"))
    await write(bench, rows((2, 20, items("b"))), target("replace"), finish=False)
    assert elements(bench) == [(1, 0, "a")]


async def test_a_parent_and_its_children_are_refused_together(bench: Bench):
    found = rows(
        (1, 10, items("a", "b")),
        (2, 20, [{"sku": "fine"}, {"sku": "bro\ud800ken"}]),
        (3, 30, "no list"),
        (4, 40, [{"_position": 7}]),
        (5, 50, items("e")),
    )
    raw = [{"raw": row[0]} for row in found.rows]
    written = await write(bench, found, target(), records=raw)
    assert written.written == 2
    assert [(refused.path, refused.record["raw"]) for refused in written.rejected] == [
        ("items[1].sku", 2),
        ("items", 3),
        ("items", 4),
    ]
    assert sorted(row["id"] for row in bench.read()) == [1, 5]
    assert elements(bench) == [(1, 0, "a"), (1, 1, "b"), (5, 0, "e")]


async def test_children_go_with_their_parent(bench: Bench):
    deletes = Deletes(when="gone", how="hard")
    await write(bench, rows((1, 10, items("a")), (2, 20, items("b"))), target(), deletes=deletes)
    await write(bench, rows(), target(), deletes=deletes, gone=[(1,)])
    assert elements(bench) == [(2, 0, "b")]
    missing = Deletes(missing=True, how="hard", max_ratio="100%")
    await write(bench, rows((3, 30, items("c"))), target(), deletes=missing)
    assert elements(bench) == [(3, 0, "c")]


async def test_the_columns_have_the_names_that_the_file_gives_them(bench: Bench):
    where = target(table="lines", parent={"id": "order_id"}, order="line")
    await write(bench, rows((1, 10, items("a", "b"))), where)
    found = sorted((row["order_id"], row["line"], row["sku"]) for row in bench.read("lines"))
    assert found == [(1, 0, "a"), (1, 1, "b")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.one_of(st.none(), st.lists(st.sampled_from("abc"), max_size=4))), max_size=5
        ),
        max_size=4,
    )
)
async def test_whatever_comes_the_tables_hold_the_last_lists(tmp_path_factory: Any, batches: list[Any]):
    bench = sqlite_bench(tmp_path_factory.mktemp("lists"))
    meant: dict[int, list[str]] = {}
    for found in batches:
        last = dict(found)
        await write(bench, rows(*((key, 0, items(*(skus or ""))) for key, skus in last.items())), target())
        meant |= {key: list(skus or ()) for key, skus in last.items()}
    wanted = [(key, place, sku) for key, skus in sorted(meant.items()) for place, sku in enumerate(skus)]
    assert elements(bench) == wanted
