"""Files of JSON lines: names, patterns, torn ends, full disks."""

from __future__ import annotations

import errno
import gzip
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.destinations import Target, UnfinishedLost
from syncline.destinations.file import spool
from syncline.destinations.file.json_lines import JsonLines
from syncline.destinations.values import misfit
from syncline.errors import PlanError, StateError, WriteError
from syncline.model import Batch, Checkpoint, decode_json, encode_json
from tests.destinations.conformance import KEY, Bench, FilesBench, at, batch, done
from tests.destinations.files.support import current, encoded, files_bench, land, lines, manifests, names, resumed

COLUMNS = ("id", "text")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return FilesBench(tmp_path)


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
    out = bench.folder / "out"
    await land(bench, COLUMNS, [(1, "t"), (2, "t")], run="run-1", end=False)
    assert all(name.startswith(".syncline/") for name in names(out))
    (part,) = out.rglob("*.part")
    with part.open("ab") as file:
        file.write(b'{"id": 3, "te')  # what a crash in the middle of a write leaves
    await land(bench, COLUMNS, [(3, "t")], run="run-2")
    assert names(out) == ["orders-run-1.jsonl"]
    assert [row["id"] for row in bench.read()] == [1, 2, 3]
    assert current(out) == [out / "orders-run-1.jsonl"]


async def test_a_pass_taken_up_again_and_again_is_one_file_in_order(bench: Bench):
    for page in range(4):
        await land(bench, COLUMNS, [(2 * page, "t")], [(2 * page + 1, "t")], run=f"r{page}", end=page == 3)
    assert [row["id"] for row in bench.read()] == list(range(8))
    assert names(bench.folder / "out") == ["orders-r0.jsonl"]


async def test_an_append_of_nothing_makes_no_file(bench: Bench):
    await land(bench, ("id",), [])
    assert not (bench.folder / "out").exists()


async def test_a_lost_unfinished_file_is_said_with_where_to_begin_anew(bench: Bench):
    await land(bench, COLUMNS, [(1, "t")], end=False)
    for part in (bench.folder / "out").rglob("*.part"):
        part.unlink()
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        with pytest.raises(UnfinishedLost, match="cannot be gone on with") as caught:
            await bench.begin(sink, "append", lease=lease)
        assert (caught.value.restart, caught.value.exit_code) == (Checkpoint(), 7)
        assert "run again" in (caught.value.hint or "")
        writer = await bench.begin(sink, "append", lease=lease, fresh=True)
        await writer.write(batch(7), [], at(1), lease)
        await writer.finish(done("z"), lease)
    assert [row["id"] for row in bench.read()] == [7]


async def test_what_an_unfinished_pass_began_with_is_what_it_begins_anew_with(bench: Bench):
    began = Checkpoint(cursor="c", seen=("a", "b"))
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await sink.begin(KEY, "orders", Target(write="append"), lease=lease, checkpoint=began)
        later = Checkpoint(cursor="c", resume={"page": 1}, seen=("a", "b", "of the lost page"), items=1)
        await writer.write(batch(1), [], later, lease)
    shutil.rmtree(bench.folder / "out")
    async with bench.sink() as sink:
        lease = await bench.lease(sink, "r2")
        with pytest.raises(UnfinishedLost) as caught:
            await bench.begin(sink, "append", lease=lease)
    assert caught.value.restart == began


async def test_another_format_begins_an_unfinished_pass_anew(bench: Bench):
    await land(bench, COLUMNS, [(1, "t")], end=False)
    other = files_bench(bench.folder, format="csv")
    async with other.sink() as sink:
        other.clock.advance(100)
        lease = await other.lease(sink, "r2")
        with pytest.raises(UnfinishedLost) as caught:
            await other.begin(sink, "append", lease=lease)
    assert "other files" in (caught.value.evidence or "")


async def test_a_checkpoint_of_another_destination_is_no_unfinished_file(bench: Bench):
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        with pytest.raises(UnfinishedLost):
            await sink.begin(KEY, "orders", Target(write="append"), lease=lease, checkpoint=at(3))
        damaged = Checkpoint(extra={"destination": {"publish": "x"}})
        with pytest.raises(StateError, match="no file destination wrote") as caught:
            await sink.begin(KEY, "orders", Target(write="append"), lease=lease, checkpoint=damaged)
    assert "state reset" in (caught.value.hint or "")


async def test_r29_a_full_disk_is_exit_7_and_the_run_resumes(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    real = spool._sync_data
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, "append", lease=lease)
        await writer.write(batch(1), [], at(1), lease)
        monkeypatch.setattr(spool, "_sync_data", full)
        with pytest.raises(WriteError, match="no room left") as caught:
            await writer.write(batch(2, 3), [], at(2), lease)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (7, True)
    monkeypatch.setattr(spool, "_sync_data", real)
    async with bench.sink() as sink:
        state = await sink.state.load(KEY)
    assert resumed(state.checkpoint) == 1
    await land(bench, COLUMNS, [(2, "t"), (3, "t")], run="r2")
    assert [row["id"] for row in bench.read()] == [1, 2, 3]


async def test_s16_a_checkpoint_cannot_lead_out_of_the_root(bench: Bench):
    """A note holds numbers only; paths are in a staged manifest, and are looked at again."""
    victim = bench.folder / "victim"
    victim.write_text("mine")
    await land(bench, COLUMNS, [(1, "t")], run="r1")
    staged = bench.folder / "out" / ".syncline" / KEY / "9"
    staged.mkdir(parents=True)
    (staged / "0.part").write_text("theirs")
    entry = {"path": "../victim", "rows": 1, "bytes": 6, "sha256": ""}
    manifest = manifests(bench.folder / "out")[0] | {"files": [entry]}
    (staged / "manifest.json").write_bytes(encode_json(manifest))
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        note = Checkpoint(extra={"destination": {"publish": 9}})
        with pytest.raises(PlanError, match="outside"):
            await sink.begin(KEY, "orders", Target(write="append"), lease=lease, checkpoint=note)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("size", [1, 10, 1_000])
async def test_parts_hold_whole_lines_and_no_more_than_they_may(tmp_path: Path, size: int):
    bench = files_bench(tmp_path, max_file=size)
    await land(bench, COLUMNS, [(number, "é" * number) for number in range(50)])
    files = current(tmp_path / "out")
    assert [file.name for file in files] == [f"orders-r1-{n:04d}.jsonl" for n in range(1, len(files) + 1)]
    assert [row["id"] for row in lines(files)] == list(range(50))
    counts = [len(file.read_bytes().splitlines()) for file in files]
    assert all(count == 1 or file.stat().st_size <= size for count, file in zip(counts, files, strict=True))
    assert (len(files) == 50) == (size < 1_000)


async def test_gzip_is_gzip_and_the_same_rows_make_the_same_bytes(tmp_path: Path):
    made = []
    for name in ("a", "b"):
        bench = files_bench(tmp_path / name, compression="gzip")
        await land(bench, COLUMNS, [(1, "t")], [(2, "t")])
        (file,) = current(tmp_path / name / "out")
        assert file.name == "orders-r1.jsonl.gz"
        made.append(file.read_bytes())
        assert gzip.decompress(made[-1]) == b'{"id":1,"text":"t"}\n{"id":2,"text":"t"}\n'
    assert made[0] == made[1]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=5)
    | st.sampled_from(["NaN", "null", "Infinity", 'a"b', "\ud800", "\0", "\u2028"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True)


@given(st.data(), NAMES)
def test_r34_r35_the_quick_way_and_the_careful_one_agree(data: st.DataObject, columns: list[str]):
    rows = data.draw(st.lists(st.tuples(*[VALUES for _ in columns]), min_size=1, max_size=4))
    got = encoded(JsonLines(), Batch(columns=tuple(columns), rows=rows))[0]
    kept = [row for number, row in enumerate(rows) if number not in {one.row for one in got.refused}]
    sections = b"".join(section.data for section in got.sections)
    assert [decode_json(line) for line in sections.split(b"\n")[:-1]] == [
        dict(zip(columns, map(exactly, row), strict=True)) for row in kept
    ]
    for one in got.refused:
        row = rows[one.row]
        assert one.reason
        assert any(misfit(value, "json") for value in row) or any(misfit(name, "text") for name in columns)


def exactly(value: Any) -> Any:
    """As the exact reader of JSON gives it back."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: exactly(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return value


async def test_r27_frozen_and_discarding_schemas_hold_from_the_second_batch(bench: Bench):
    await land(bench, COLUMNS, [(1, "t")], schema="freeze")
    with pytest.raises(WriteError, match="frozen: a new column 'more' came"):
        await land(bench, (*COLUMNS, "more"), [(2, "t", 1)], schema="freeze", run="r2")
    await land(bench, ("more", *COLUMNS), [(1, 3, "t")], schema="discard", run="r3", fresh=True)
    assert bench.read() == [{"id": 1, "text": "t"}, {"id": 3, "text": "t"}]
