"""Disks that are really full: a small tmpfs (R29)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncline.errors import StateError, SynclineError, WriteError
from tests.destinations.conformance import KEY, Bench, Given, parquet_rows
from tests.destinations.files.support import current, files_bench, land, lines, names
from tests.support.disks import MIB, leave, small_disk

COLUMNS = ("id", "text")


def rows(begin: int, end: int) -> list[tuple[Any, ...]]:
    return [(number, f"{number * 7919 % 1_000_003:x}" * 20) for number in range(begin, end)]


def read(folder: Path, ending: str) -> list[int]:
    if ending == "parquet":
        return [row["id"] for file in current(folder) for row in parquet_rows(file)]
    if ending == "csv":
        return [int(line.split(b",")[0]) for file in current(folder) for line in file.read_bytes().splitlines()[1:]]
    return [row["id"] for row in lines(current(folder))]


async def go_on(bench: Bench, run: str, step: int = 500, total: int = 8_000, portion: int | None = None) -> None:
    """The rest of the pass, from where its checkpoint says."""
    bench.clock.advance(100)
    async with bench.sink() as sink:
        page = ((await sink.state.load(KEY)).checkpoint.resume or {"page": 0})["page"]
    batches = [rows(begin, begin + step) for begin in range(page * step, total, step)]
    await land(bench, COLUMNS, *batches, run=run, first=page + 1, portion=portion)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(("path", "portion"), [("out/{stream}/{run}", 90), ("out/{stream}/{run}-{part}", None)])
async def test_r29_a_full_disk_is_exit_7_and_the_run_resumes(
    tmp_path: Path, ending: str, path: str, portion: int | None
):
    options: dict[str, Any] = {"max_file": 100_000} if "part" in path else {}
    with small_disk(tmp_path / "disk", 3 * MIB) as disk:
        bench = Given(tmp_path, files_bench(disk, f"{path}.{ending}", **options).destination)
        out = disk / "out"
        met = set()
        for free in range(200_000, 3 * MIB, 150_000):  # a little more room at each attempt
            leave(disk, free)
            try:
                await go_on(bench, f"r{free}", portion=portion)
            except SynclineError as error:
                assert isinstance(error, WriteError), error.block()
                assert (error.exit_code, "no room left" in error.what) == (7, True), error.block()
                met.add(error.what)
                assert [name for name in names(out) if name.endswith(ending)] == []
            else:
                break
        assert met
        assert sorted(read(out, ending)) == list(range(8_000))
        assert not (out / ".syncline").exists()


async def test_r29_a_full_disk_with_the_state_on_it_loses_nothing(tmp_path: Path):
    with small_disk(tmp_path / "disk", 3 * MIB) as disk:
        bench = files_bench(disk)
        await land(bench, COLUMNS, rows(0, 500), end=False)
        leave(disk, 0)
        with pytest.raises((WriteError, StateError)) as caught:
            await go_on(bench, "r2")
        assert (caught.value.exit_code, "disk" in (caught.value.hint or "")) == (7, True), caught.value.block()
        leave(disk, 2 * MIB)
        await go_on(bench, "r3", total=4_000)
        assert sorted(read(disk / "out", "jsonl")) == list(range(4_000))
