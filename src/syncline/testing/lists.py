"""Lists as tables of their own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncline.destinations import Deletes, WriteMode
from syncline.model import Batch, Written
from syncline.testing.bench import Bench, at, done
from syncline.testing.group import Group, blocking, need

COLUMNS = ("id", "total", "items")


class Lists(Group):
    """Lists as tables of their own."""

    @blocking
    async def test_a_list_becomes_rows_with_its_parents_key_and_its_order(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        await write(bench, rows((1, 10, items("a", "b")), (2, 20, None), (3, 30, [])))
        assert elements(bench) == [(1, 0, "a"), (1, 1, "b")]
        assert [Decimal(row["price"]) for row in bench.read("orders_items")] == [Decimal("1.5")] * 2
        assert {"id", "total"} == {name for row in bench.read() for name in row if row[name] is not None}

    @blocking
    async def test_a_list_that_is_shorter_now_loses_its_end_and_unchanged_ones_stay(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        await write(bench, rows((1, 10, items("a", "b", "c")), (2, 20, items("x"))))
        await write(bench, rows((1, 10, items("a", "B")), (2, 20, items("x"))))
        assert elements(bench) == [(1, 0, "a"), (1, 1, "B"), (2, 0, "x")]
        await write(bench, rows((1, 10, None)))
        assert elements(bench) == [(2, 0, "x")]

    @blocking
    async def test_elements_that_are_no_objects_are_values(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        await write(bench, rows((1, 10, ["red", "blue"])))
        found = sorted((row["_position"], row["value"]) for row in bench.read("orders_items"))
        assert found == [(0, "red"), (1, "blue")]

    @pytest.mark.parametrize("how", ["append", "replace"])
    @blocking
    async def test_children_of_appended_and_replaced_rows(self, bench: Bench, how: WriteMode) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        await write(bench, rows((1, 10, items("a")), (2, 20, items("b"))), how)
        assert elements(bench) == [(1, 0, "a"), (2, 0, "b")]
        await write(bench, rows((3, 30, items("c", "d"))), how)
        after = [(3, 0, "c"), (3, 1, "d")]
        assert elements(bench) == ([(1, 0, "a"), (2, 0, "b"), *after] if how == "append" else after)

    @blocking
    async def test_replaced_children_are_seen_at_the_end_only(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        await write(bench, rows((1, 10, items("a"))), "replace")
        await write(bench, rows((2, 20, items("b"))), "replace", finish=False)
        assert elements(bench) == [(1, 0, "a")]

    @blocking
    async def test_a_parent_and_its_children_are_refused_together(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        found = rows(
            (1, 10, items("a", "b")),
            (2, 20, [{"sku": "fine"}, {"sku": "bro\ud800ken"}]),
            (3, 30, "no list"),
            (4, 40, [{"_position": 7}]),
            (5, 50, items("e")),
        )
        raw = [{"raw": row[0]} for row in found.rows]
        written = await write(bench, found, records=raw)
        assert written.written == 2
        assert [(refused.path, refused.record["raw"]) for refused in written.rejected] == [
            ("items[1].sku", 2),
            ("items", 3),
            ("items", 4),
        ]
        assert sorted(bench.ids()) == [1, 5]
        assert elements(bench) == [(1, 0, "a"), (1, 1, "b"), (5, 0, "e")]

    @blocking
    async def test_children_go_with_their_parent(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        deletes = Deletes(when="gone", how="hard")
        await write(bench, rows((1, 10, items("a")), (2, 20, items("b"))), deletes=deletes)
        await write(bench, rows(), deletes=deletes, gone=[(1,)])
        assert elements(bench) == [(2, 0, "b")]
        missing = Deletes(missing=True, how="hard", max_ratio=1.0)
        await write(bench, rows((3, 30, items("c"))), deletes=missing)
        assert elements(bench) == [(3, 0, "c")]

    @blocking
    async def test_the_columns_have_the_names_that_the_file_gives_them(self, bench: Bench) -> None:
        need(bench.abilities.lists, "lists as tables of their own")
        made = {"table": "lines", "parent": {"id": "order_id"}, "order": "line"}
        await write(bench, rows((1, 10, items("a", "b"))), made=made)
        found = sorted((row["order_id"], row["line"], row["sku"]) for row in bench.read("lines"))
        assert found == [(1, 0, "a"), (1, 1, "b")]


def rows(*found: tuple[int, int, Any]) -> Batch:
    return Batch(columns=COLUMNS, rows=list(found))


def items(*skus: str) -> list[dict[str, Any]]:
    return [{"sku": sku, "price": Decimal("1.50")} for sku in skus]


async def write(
    bench: Bench, found: Batch, how: WriteMode = "upsert", *, finish: bool = True, made: Any = None, **options: Any
) -> Written:
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        begin = {"primary_key": ("id",), "children": {"items": made or {}}, "deletes": options.pop("deletes", None)}
        writer = await bench.begin(sink, how, lease=lease, **begin)
        written = await writer.write(found, [], at(1), lease, **options)
        if finish:
            await writer.finish(done("z"), lease, complete=True)
        return written


def elements(bench: Bench, table: str = "orders_items", order: str = "_position") -> list[tuple[Any, ...]]:
    found = sorted(bench.read(table), key=lambda row: (row["_parent_id"], row[order]))
    return [(row["_parent_id"], row[order], row["sku"]) for row in found]
