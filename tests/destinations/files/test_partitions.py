"""Rows sorted into many files: each where it belongs, few files open at a time, sets exchanged as a whole."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from syncline.destinations.file.splitting import Handles, split
from syncline.destinations.file.spool import Spool, head
from syncline.errors import WriteError
from syncline.events import Event, Reached, Scope, listening
from tests.destinations.conformance import Bench
from tests.destinations.files.support import current, files_bench, land, lines, manifests, names

COLUMNS = ("id", "country", "created_at")
PATH = "out/{stream}/country={country}/day={created_at:%Y-%m-%d}/{run}"


def order(number: int) -> tuple[Any, ...]:
    return number, ("DE", "FR", None)[number % 3], datetime(2026, 1, 1 + number % 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
async def test_rows_stand_in_the_file_of_their_columns(tmp_path: Path, format: str):
    bench = files_bench(tmp_path, f"{PATH}.{format}")
    await land(bench, COLUMNS, map(order, range(10)), end=False)
    await land(bench, COLUMNS, map(order, range(10, 20)), run="r2")
    out = tmp_path / "out"
    assert names(out) == sorted(
        f"orders/country={country}/day=2026-01-0{day}/r1.{format}"
        for country in ("DE", "FR", "__HIVE_DEFAULT_PARTITION__")
        for day in (1, 2)
    )
    assert sorted(map(str, current(out))) == sorted(str(out / name) for name in names(out))
    reader = {"jsonl": "read_json", "csv": "read_csv", "parquet": "read_parquet"}[format]
    with duckdb.connect(":memory:") as connection:
        query = f"SELECT id, country, day FROM {reader}('{out}/**/*.{format}', hive_partitioning = true) ORDER BY id"
        found = connection.execute(query).fetchall()
    assert [(id, country, str(day)) for id, country, day in found] == [
        (number, order(number)[1], f"{order(number)[2]:%Y-%m-%d}") for number in range(20)
    ]
    (manifest,) = manifests(out)
    assert (manifest["rows"], manifest["run"], manifest["stream"]) == (20, "r1", "orders")


async def test_a_set_is_exchanged_as_a_whole(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{country}/{run}.jsonl")
    out = tmp_path / "out"
    (out / "orders" / "DE").mkdir(parents=True)
    (out / "orders" / "DE" / "mine.jsonl").write_text("{}\n")
    await land(bench, COLUMNS, map(order, range(6)), write="replace")
    first = current(out)
    assert len(first) == 3
    seen: list[tuple[str, bool, int]] = []

    def look(scope: Scope, event: Event) -> None:
        if isinstance(event, Reached) and event.station in ("file published", "manifest written"):
            seen.append((event.station, all(file.exists() for file in first), len(current(out))))

    with listening(look):
        await land(bench, COLUMNS, [order(0), order(1)], write="replace", run="r2")
    assert seen == [("file published", True, 3), ("file published", True, 3), ("manifest written", True, 2)]
    assert sorted(row["id"] for row in lines(current(out))) == [0, 1]
    assert names(out) == ["orders/DE/mine.jsonl", "orders/DE/r2.jsonl", "orders/FR/r2.jsonl"], "others' files stay"
    await land(bench, COLUMNS, [], write="replace", run="r3")
    assert (names(out), current(out)) == (["orders/DE/mine.jsonl"], [])
    assert len(manifests(out)) == 1


async def test_a_set_takes_the_place_of_what_was_appended(tmp_path: Path):
    bench = files_bench(tmp_path)
    await land(bench, ("id",), [(1,)], run="a1")
    await land(bench, ("id",), [(2,)], run="a2")
    assert len(manifests(tmp_path / "out")) == 2
    await land(bench, ("id",), [(3,)], write="replace", run="r1")
    assert names(tmp_path / "out") == ["orders.jsonl"]
    await land(bench, ("id",), [(4,)], run="a3")
    assert [row["id"] for row in lines(current(tmp_path / "out"))] == [3, 4]


async def test_parts_are_counted_in_every_partition(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{country}/{run}-{part}.jsonl", max_file=150)
    await land(bench, COLUMNS, map(order, range(9)))
    assert names(tmp_path / "out") == sorted(
        f"orders/{country}/r1-000{part}.jsonl" for country in ("DE", "FR", "null") for part in (1, 2)
    )
    assert sorted(row["id"] for row in lines(current(tmp_path / "out"))) == list(range(9))


async def test_values_that_come_to_the_same_name_share_a_file(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{run}-{a}{b}.jsonl")
    await land(bench, ("a", "b"), [("x", "yz"), ("xy", "z"), ("x", "yz")])
    (file,) = current(tmp_path / "out")
    assert file.name == "r1-xyz.jsonl"
    assert len(lines([file])) == 3


async def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    most = 0
    append = Handles.append

    def counted(handles: Handles, path: Path, data: bytes) -> None:
        nonlocal most
        append(handles, path, data)
        most = max(most, len(handles), len(os.listdir("/proc/self/fd")) - before)  # noqa: PTH208

    monkeypatch.setattr(Handles, "append", counted)
    bench = files_bench(tmp_path, "out/{stream}/{id}/{run}.jsonl")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    await land(bench, ("id", "n"), [(n % 300, n) for n in range(600)], [(n % 300, n) for n in range(600, 900)])
    assert 60 < most < 100
    rows = lines(current(tmp_path / "out"))
    assert sorted(row["n"] for row in rows) == list(range(900))
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208


def test_handles_open_a_file_again_to_append(tmp_path: Path):
    handles = Handles(2)
    for round_ in range(3):
        for name in "abc":
            handles.append(tmp_path / name, f"{name}{round_}".encode())
            assert len(handles) <= 2
    handles.close()
    assert {name: (tmp_path / name).read_text() for name in "abc"} == {name: f"{name}0{name}1{name}2" for name in "abc"}


@pytest.mark.parametrize("damage", [b">[1,", b"garbage\n", b">[1,50,[]]\nxx"])
def test_a_damaged_spool_is_an_error(tmp_path: Path, damage: bytes):
    spool = Spool(tmp_path, 1)
    segment = spool.begin(0)
    data = head(("x",), 1, 10) + b"0123456789"
    segment.length = spool.append(data + damage, 0)
    segment.rows = 1
    with pytest.raises(OSError, match=r"damaged|middle"):
        split(spool.settled(tmp_path), str, tmp_path)


async def test_a_column_refused_in_a_row_takes_no_other_row_with_it(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{country}/{run}.jsonl")
    written = await land(bench, COLUMNS, [(1, "DE", 1), (2, ["x"], 1), (3, "\ud800", 1), (4, "FR", "\ud800")])
    assert [(one.path, one.record["id"]) for one in written[0].rejected] == [
        ("country", 2),
        ("country", 3),
        ("created_at", 4),
    ]
    assert "part of the file's name" in written[0].rejected[0].reason
    assert names(tmp_path / "out") == ["orders/DE/r1.jsonl"]


async def test_a_misspelled_column_stops_the_run_before_anything_is_written(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{contry}/{run}.jsonl")
    with pytest.raises(WriteError, match="no column 'contry'"):
        await land(bench, COLUMNS, [order(1)])
    assert not (tmp_path / "out").exists()


async def test_a_field_that_some_records_have_is_nothing_in_the_rest_of_a_pass(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{country}/{run}.jsonl")
    await land(bench, COLUMNS, [order(0)], end=False)
    await land(bench, ("id",), [(7,)], run="r2")
    assert names(tmp_path / "out") == ["orders/DE/r1.jsonl", "orders/null/r1.jsonl"]


async def test_a_changed_layout_begins_an_unfinished_pass_anew(tmp_path: Path):
    await land(files_bench(tmp_path, "out/{stream}/{country}/{run}.jsonl"), COLUMNS, [order(0)], end=False)
    bench: Bench = files_bench(tmp_path, "out/{stream}/{id}/{run}.jsonl")
    bench.clock.advance(100)
    with pytest.raises(WriteError, match="cannot be gone on with"):
        await land(bench, COLUMNS, [order(1)], run="r2")
