"""The end of a pass, broken off at every step: what was committed becomes visible, what was not does not (R2)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import Target
from syncline.destinations.file.publishing import Publisher
from syncline.destinations.file.store import LocalStore
from syncline.errors import WriteError
from syncline.events import Event, Reached, Scope, listening
from syncline.model import Checkpoint
from tests.destinations.conformance import KEY
from tests.destinations.files.support import current, files_bench, land, lines, manifests, names

STATIONS = ("file appended", "file committed", "file completed", "pass committed", "file published", "manifest written")
COLUMNS = ("id", "k")


class Broken(Exception):
    """The process ends here, as far as the files can tell."""


def breaking(station: str, count: int = 1) -> Any:
    left = count

    def listen(scope: Scope, event: Event) -> None:
        nonlocal left
        if isinstance(event, Reached) and event.station == station:
            left -= 1
            if left == 0:
                raise Broken

    return listening(listen)


async def rest(bench: Any, write: str, run: str, portion: int | None = None) -> None:
    """What the next run does: it goes on where the checkpoint says."""
    bench.clock.advance(100)
    async with bench.sink() as sink:
        state = await sink.state.load(KEY)
        lease = await bench.lease(sink, run)
        await bench.begin(sink, write, lease=lease)
        if state.checkpoint.cursor == "z":
            return
    page = (state.checkpoint.resume or {"page": 0})["page"]
    await land(bench, COLUMNS, *BATCHES[page:], write=write, run=run, first=page + 1, portion=portion)


BATCHES = [[(1, "a"), (2, "b")], [(3, "a")], [(4, "c")]]


@pytest.mark.parametrize("write", ["append", "replace"])
@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize(("path", "portion"), [("out", None), ("out", 1), ("out/{stream}/{k}/{run}.jsonl", None)])
async def test_r2_broken_off_at_every_station_nothing_is_torn_lost_or_doubled(
    tmp_path: Path, path: str, portion: int | None, station: str, write: str
):
    bench = files_bench(tmp_path, path)
    out = tmp_path / "out"
    await land(bench, COLUMNS, [(9, "a"), (8, "d")], write=write, run="r0", cursor="before")
    broken = 0
    for count in (1, 2, 1):
        try:
            with breaking(station, count):
                if broken:
                    await rest(bench, write, "r2", portion)
                else:
                    await land(bench, COLUMNS, *BATCHES, write=write, portion=portion)
        except Broken:
            broken += 1
        if visible(out):
            ids = {row["id"] for row in lines(current(out))}
            assert ids in ({8, 9}, {1, 2, 3, 4}, {1, 2, 3, 4, 8, 9})
    assert broken
    await rest(bench, write, "r9")
    ids = sorted(row["id"] for row in lines(current(out)))
    assert ids == ([1, 2, 3, 4] if write == "replace" else [1, 2, 3, 4, 8, 9])
    assert not (out / ".syncline").exists(), "nothing is left behind"
    assert sorted(str(file) for file in current(out)) == sorted(str(out / name) for name in names(out))


def visible(out: Path) -> bool:
    """A set of one file is exchanged before its manifest is: then the old manifest does not fit it for a moment."""
    try:
        current(out)
    except AssertionError:
        return False
    return True


async def test_a_full_run_shows_first_what_a_crash_left_to_show(tmp_path: Path):
    bench = files_bench(tmp_path)
    with pytest.raises(Broken), breaking("pass committed"):
        await land(bench, COLUMNS, *BATCHES)
    bench.clock.advance(100)
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        writer = await sink.begin(
            KEY, "orders", Target(write="append"), lease=lease, checkpoint=Checkpoint(), fresh=True
        )
        await writer.finish(Checkpoint(cursor="y"), lease)
    assert names(tmp_path / "out") == ["orders-r1.jsonl"]


async def test_a_file_that_is_gone_before_it_was_shown_is_said(tmp_path: Path):
    bench = files_bench(tmp_path)
    with pytest.raises(Broken), breaking("file published"):
        await land(bench, COLUMNS, *BATCHES)
    (tmp_path / "out" / "orders-r1.jsonl").unlink()
    bench.clock.advance(100)
    with pytest.raises(WriteError, match="gone before it could be shown") as caught:
        await land(bench, COLUMNS, [(5, "a")], run="r2")
    assert "--full" in (caught.value.hint or "")
    await land(bench, COLUMNS, [(1, "a")], run="r3", fresh=True)
    assert [row["id"] for row in lines(current(tmp_path / "out"))] == [1]


@pytest.mark.parametrize("write", ["append", "replace"])
async def test_a_pass_that_is_gone_before_it_was_shown_is_said(tmp_path: Path, write: str):
    bench = files_bench(tmp_path)
    await land(bench, COLUMNS, [(9, "a")], run="r0", write=write)
    with pytest.raises(Broken), breaking("pass committed"):
        await land(bench, COLUMNS, *BATCHES, run="r1", write=write)
    shutil.rmtree(tmp_path / "out" / ".syncline")
    bench.clock.advance(100)
    with pytest.raises(WriteError, match="gone before it could be shown") as caught:
        await land(bench, COLUMNS, [(5, "a")], run="r2", write=write)
    assert "--full" in (caught.value.hint or "")
    await land(bench, COLUMNS, [(1, "a")], run="r3", write=write, fresh=True)
    assert [row["id"] for row in lines(current(tmp_path / "out"))][-1] == 1


async def test_whoever_reads_the_files_may_take_them_away(tmp_path: Path):
    bench = files_bench(tmp_path)
    await land(bench, COLUMNS, *BATCHES, run="r1")
    shutil.rmtree(tmp_path / "out")
    bench.clock.advance(100)
    await land(bench, COLUMNS, [(5, "a")], run="r2")
    assert [row["id"] for row in lines(current(tmp_path / "out"))] == [5]


async def test_somebody_else_s_file_of_the_same_name_is_not_overwritten(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{run}.jsonl")
    other = tmp_path / "out" / "orders" / "r1.jsonl"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    with pytest.raises(WriteError, match="is there already") as caught:
        await land(bench, COLUMNS, [(1, "a")])
    assert other.read_text() == "mine"
    assert "move it away" in (caught.value.hint or "")
    other.unlink()
    bench.clock.advance(100)
    await land(bench, COLUMNS, [(2, "a")], run="r2")
    assert sorted(row["id"] for row in lines(current(tmp_path / "out"))) == [1, 2]


async def test_a_manifest_that_cannot_be_read_is_said(tmp_path: Path):
    bench = files_bench(tmp_path)
    await land(bench, COLUMNS, [(1, "a")], write="replace")
    (tmp_path / "out" / "_manifest" / "orders" / "current.json").write_text("{")
    with pytest.raises(WriteError, match=r"manifest .*current\.json cannot be read"):
        await land(bench, COLUMNS, [(2, "a")], write="replace", run="r2")


async def test_a_folder_on_another_disk_gets_its_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = Path.replace

    def across(source: Path, target: Path) -> Path:
        if source.name == "0.part" and source.parent.parent.name == KEY:
            raise OSError(18, "Invalid cross-device link")
        return real(source, target)

    monkeypatch.setattr(Path, "replace", across)
    await land(files_bench(tmp_path), COLUMNS, *BATCHES)
    assert names(tmp_path / "out") == ["orders-r1.jsonl"]
    assert len(lines(current(tmp_path / "out"))) == 4


async def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    await land(files_bench(tmp_path), COLUMNS, *BATCHES)
    assert len(lines(current(tmp_path / "out"))) == 4


async def test_a_spool_of_its_own_may_be_anywhere(tmp_path: Path):
    bench = files_bench(tmp_path, spool=str(tmp_path / "fast"))
    await land(bench, COLUMNS, BATCHES[0], end=False)
    assert not (tmp_path / "out").exists()
    assert [file.suffix for file in (tmp_path / "fast").rglob("*") if file.is_file()] == [".part"]
    await land(bench, COLUMNS, BATCHES[1], run="r2")
    assert len(lines(current(tmp_path / "out"))) == 3
    assert not (tmp_path / "fast").exists()


async def test_nobody_else_s_work_is_cleaned_away(tmp_path: Path):
    other = tmp_path / "out" / ".syncline" / "other.orders"
    other.mkdir(parents=True)
    (other / "1-1.part").write_text("{}")
    await land(files_bench(tmp_path), COLUMNS, BATCHES[0])
    assert (other / "1-1.part").exists()


async def test_what_was_staged_and_not_committed_is_removed(tmp_path: Path):
    bench = files_bench(tmp_path)
    with pytest.raises(Broken), breaking("file completed"):
        await land(bench, COLUMNS, *BATCHES)
    assert list((tmp_path / "out" / ".syncline").rglob("manifest.json"))
    bench.clock.advance(100)
    await land(bench, COLUMNS, [(7, "a")], run="r2", fresh=True)
    assert [row["id"] for row in lines(current(tmp_path / "out"))] == [7]
    assert not (tmp_path / "out" / ".syncline").exists()


def test_publishing_what_another_one_published_does_nothing(tmp_path: Path):
    publisher = Publisher(LocalStore(tmp_path), KEY, "orders")
    publisher.publish(5)
    assert list(tmp_path.iterdir()) == []


async def test_a_manifest_says_what_is_in_the_files(tmp_path: Path):
    bench = files_bench(tmp_path, format="parquet")
    await land(bench, ("id", "n"), [(1, 2), (2, None)])
    (manifest,) = manifests(tmp_path / "out")
    assert {**manifest, "files": None} == {
        "version": 1,
        "stream": "orders",
        "run": "r1",
        "write": "append",
        "format": "parquet",
        "compression": "zstd",
        "finished": manifest["finished"],
        "rows": 2,
        "columns": [["id", "BIGINT"], ["n", "BIGINT"]],
        "files": None,
    }
    assert [(file["path"], file["rows"]) for file in manifest["files"]] == [("orders-r1.parquet", 2)]
    shutil.rmtree(tmp_path / "out")
