"""Files of JSON lines: names, patterns, torn ends, full disks."""

from __future__ import annotations

import errno
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from syncline.destinations import File, Target
from syncline.errors import PlanError, WriteError
from syncline.model import Batch, Checkpoint
from tests.destinations.conformance import KEY, Bench, at, batch, done, jsonl_bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return jsonl_bench(tmp_path)


def names(bench: Bench) -> list[str]:
    return sorted(path.relative_to(bench.folder / "out").as_posix() for path in (bench.folder / "out").rglob("*.*"))


async def test_a_line_is_one_exact_object(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "replace", lease=lease)
        rows = [(1, Decimal("1.10"), 2**70, {"a": [None, True]}, "é\n")]
        await writer.write(Batch(columns=("id", "price", "big", "items", "t"), rows=rows), [], at(1), lease)
        await writer.finish(done("z"), lease)
    expected = '{"id":1,"price":1.10,"big":1180591620717411303424,"items":{"a":[null,true]},"t":"é\\n"}\n'
    assert (bench.folder / "out" / "orders.jsonl").read_text() == expected


async def test_r2_only_complete_files_are_visible(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "run-1")
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1, 2), [], at(1), lease)
        assert all(name.startswith(".") for name in names(bench))
    (part,) = (bench.folder / "out").glob(".*.part")
    with part.open("ab") as file:
        file.write(b'{"id": 3, "te')  # what a crash in the middle of a write leaves
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "run-2")
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(3), [], at(2), lease)
        await writer.finish(done("z"), lease)
    assert names(bench) == ["orders-run-1.jsonl"]
    assert [row["id"] for row in bench.read()] == [1, 2, 3]


async def test_an_append_of_nothing_makes_no_file(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(Batch(columns=("id",), rows=[]), [], at(1), lease)
        await writer.finish(done("z"), lease)
    assert not (bench.folder / "out").exists()


async def test_a_lost_unfinished_file_is_said(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1), [], at(1), lease)
    for part in (bench.folder / "out").glob(".*.part"):
        part.unlink()
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        with pytest.raises(WriteError, match="gone or too short") as caught:
            await bench.begin(sink, "append", lease=lease)
        assert "--full" in (caught.value.hint or "")
        writer = await bench.begin(sink, "append", lease=lease, fresh=True)
        await writer.write(batch(7), [], at(1), lease)
        await writer.finish(done("z"), lease)
    assert [row["id"] for row in bench.read()] == [7]


async def test_r29_a_full_disk_is_exit_7_and_the_run_resumes(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    real = os.fsync

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1), [], at(1), lease)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match="no room left") as caught:
            await writer.write(batch(2, 3), [], at(2), lease)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (7, True)
    monkeypatch.setattr(os, "fsync", real)
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        state = await sink.state.load(KEY)
        assert state.checkpoint.resume == {"page": 1}
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(2, 3), [], at(2), lease)
        await writer.finish(done("z"), lease)
    assert [row["id"] for row in bench.read()] == [1, 2, 3]


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "..", ".hidden", "", "a\0b", "C:x", "a\nb", "\ud800", "x" * 200, "*"]
)
def test_s16_names_from_data_cannot_leave_the_root(tmp_path: Path, name: str):
    place = File(path=str(tmp_path / "out"))
    with pytest.raises(PlanError, match="cannot be a file's name"):
        place.place(name, Target(write="append"), "r1")
    if name:
        with pytest.raises(PlanError):
            place.place("orders", Target(write="append", table=name), "r1")
    with pytest.raises(PlanError):
        place.place("orders", Target(write="append"), name)


async def test_s16_a_checkpoint_cannot_lead_out_of_the_root(bench: Bench):
    victim = bench.folder / "victim"
    victim.write_text("mine")
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        note = {"destination": {"part": "../victim", "final": "../stolen"}}
        with pytest.raises(PlanError, match="outside"):
            await sink.begin(KEY, "orders", Target(write="append"), lease=lease, checkpoint=Checkpoint(extra=note))
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "write", "expected"),
    [
        ("out", "replace", "out/orders.jsonl"),
        ("out", "append", "out/orders-r1.jsonl"),
        ("out/{stream}/{run}.jsonl", "append", "out/orders/r1.jsonl"),
        ("{stream}.jsonl", "replace", "orders.jsonl"),
        ("/data/all-{stream}.jsonl", "replace", "/data/all-orders.jsonl"),
    ],
)
def test_paths_are_folders_or_patterns(path: str, write: Any, expected: str):
    place = File(path=path)
    found = place.place("orders", Target(write=write), "r1")
    assert found == Path(expected)
    assert found.is_relative_to(place.root())


@pytest.mark.parametrize(
    ("path", "write", "match"),
    [
        ("out", "upsert", "cannot be updated"),
        ("out/{stream}.jsonl", "append", "no {run}"),
        ("out/{run}.jsonl", "append", "no {stream}"),
        ("out/{table}.jsonl", "replace", "not a pattern"),
    ],
)
def test_what_cannot_be_written_is_said(path: str, write: Any, match: str):
    with pytest.raises(PlanError, match=match) as caught:
        File(path=path).place("orders", Target(write=write), "r1")
    assert caught.value.hint


@pytest.mark.parametrize("format", ["csv", "parquet", "xlsx"])
def test_other_formats_are_refused(format: str):
    with pytest.raises(ValidationError, match=r"jsonl"):
        File.model_validate({"kind": "file", "path": "out", "format": format})


def test_parts_are_values():
    part = File(path="${OUT}/{stream}")
    assert File.model_validate(part.to_data()) == part
