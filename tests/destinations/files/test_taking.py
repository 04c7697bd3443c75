"""Rows that a writer takes before their batch is written: the same files, and nothing kept that is not committed."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from syncline.destinations import Taker
from syncline.destinations.file.part import BATCH_ROWS
from syncline.destinations.file.sink import FileWriter
from syncline.engine import arun
from syncline.model import Batch
from syncline.spec import loads
from tests.destinations.conformance import parquet_rows
from tests.destinations.files.support import current, files_bench, land, lines
from tests.engine.shelf import CURSOR, Shelf, books
from tests.support.serving import serving

FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = ("id", "value")
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.text("a\n\"',ü\ud800", max_size=3),
    st.booleans(),
    st.sampled_from([0.5, -2.25, float("nan")]),
    st.decimals(allow_nan=True, places=2, min_value=-999, max_value=999),
    st.lists(st.integers(0, 9), max_size=2),
)
"""Some of them no file can hold, some only as another type of the column."""


def content(root: Path, ending: str) -> Any:
    files = current(root)
    if ending == "parquet":
        return [row for file in files for row in parquet_rows(file)]
    return [file.read_bytes() for file in files]


@pytest.mark.parametrize("ending", FORMATS)
@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.lists(VALUES, max_size=7), min_size=1, max_size=4), portion=st.integers(1, 4))
async def test_what_is_taken_makes_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, ending: str, batches: list[list[Any]], portion: int
):
    numbered = [[(10 * page + n, value) for n, value in enumerate(values)] for page, values in enumerate(batches)]
    portions = [rows[begin : begin + portion] for rows in numbered for begin in range(0, len(rows), portion)]
    found = []
    for given_batches, size in ((portions, None), (numbered, portion)):
        folder = tmp_path_factory.mktemp("files")
        bench = files_bench(folder, f"out/{{stream}}/{{run}}.{ending}")
        written = await land(bench, COLUMNS, *given_batches, portion=size)
        refused = [reject.record["id"] for page in written for reject in page.rejected]
        found.append((sum(page.written for page in written), refused, content(folder / "out", ending)))
    assert found[1][:2] == found[0][:2]
    if ending != "parquet" or not refused:  # from the first portion with a refused row on, all are written together
        assert found[1] == found[0]


@pytest.mark.parametrize("ending", FORMATS)
async def test_r1_what_was_taken_and_not_written_is_gone_with_the_run(tmp_path: Path, ending: str):
    bench = files_bench(tmp_path, f"out/{{stream}}/{{run}}.{ending}")
    await land(bench, COLUMNS, [(1, "a"), (2, "b")], portion=1, end=False)
    async with bench.sink() as sink:
        bench.clock.advance(100)
        lease = await bench.lease(sink, "r2")
        writer = await bench.begin(sink, "append", lease=lease)
        assert isinstance(writer, Taker)
        assert writer.take(Batch(columns=COLUMNS, rows=[(3, "lost with the process")]))
    bench.clock.advance(100)
    await land(bench, COLUMNS, [(3, "c"), (4, "d")], run="r3", first=2, portion=1)
    if ending == "jsonl":
        assert [row["value"] for row in lines(current(tmp_path / "out"))] == ["a", "b", "c", "d"]
    elif ending == "csv":
        assert content(tmp_path / "out", "csv") == [b"id,value\r\n1,a\r\n2,b\r\n3,c\r\n4,d\r\n"]
    else:
        assert [row["value"] for row in content(tmp_path / "out", "parquet")] == ["a", "b", "c", "d"]


async def test_a_column_that_becomes_json_begins_a_new_piece_within_a_batch(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{run}.parquet")
    rows = [(1, 5), (2, Decimal("1.50")), (3, [1]), (4, {"a": 1})]
    (written,) = await land(bench, COLUMNS, rows, portion=1)
    assert (written.written, written.rejected) == (4, ())
    assert [row["value"] for row in content(tmp_path / "out", "parquet")] == ["5", "1.50", "[1]", '{"a":1}']


async def test_r1_every_piece_is_durable_before_it_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced = {}

    def noting(number: int) -> None:
        found = os.fstat(number)
        synced[found.st_ino] = found.st_size

    monkeypatch.setattr("syncline.destinations.file.spool._sync_data", noting)
    bench = files_bench(tmp_path, "out/{stream}/{run}.parquet")
    await land(bench, COLUMNS, [(1, 5), (2, [1]), (3, 6)], portion=1, end=False)
    pieces = [file.stat() for file in (tmp_path / "out").rglob("*.part")]
    assert len(pieces) == 2
    assert {(one.st_ino, one.st_size) for one in pieces} == set(synced.items())


async def test_places_of_many_rows_are_not_scattered(tmp_path: Path):
    async with files_bench(tmp_path, "out/{stream}/{value}/{run}.jsonl").sink() as sink:
        bench = files_bench(tmp_path, "out/{stream}/{value}/{run}.jsonl")
        writer = await bench.begin(sink, "append", lease=await bench.lease(sink, "r1"))
        assert not writer.portion


@pytest.mark.parametrize("ending", FORMATS)
async def test_a_run_hands_over_what_it_reads_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
):
    monkeypatch.chdir(tmp_path)
    taken = []

    def counting(take: Any) -> Any:
        def counted(self: Any, batch: Batch) -> bool:
            taken.append((len(batch.rows), take(self, batch)))
            return bool(taken[-1][1])

        return counted

    monkeypatch.setitem(BATCH_ROWS, ending, 40)
    monkeypatch.setattr(FileWriter, "take", counting(FileWriter.take))
    async with serving(Shelf(books=230, page=9)) as url:
        integration = loads(text(url, ending))
        report = await arun(integration)
    assert (report.exit_code, report.account.written, report.account.adds_up) == (0, 230, True)
    assert [done for _, done in taken] == [True] * len(taken)
    assert {rows for rows, _ in taken} == {18}, (
        "two pages of nine, of which a batch of 40 is taken in more than four portions"
    )


def text(url: str, ending: str) -> str:
    said = {
        "name": "shelf",
        "source": {"kind": "rest", "base_url": url},
        "streams": [books(into={"write": "append"}, pagination=CURSOR)],
        "destination": {"kind": "file", "path": f"out/{{stream}}/{{run}}.{ending}"},
    }
    return yaml.safe_dump(said)
