"""Object stores and other file systems: memory, moto's S3, one that only renames; credentials that nobody sees (S9)."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ValidationError

from syncline.cli import main
from syncline.destinations import File, Target
from syncline.destinations.file.remote import RemoteStore, scheme_of, shown_url
from syncline.destinations.file.storage import revealed
from syncline.errors import PlanError, WriteError
from syncline.events import Event, Noticed, Reached, Scope, listening
from syncline.model import Batch, Reference, Secret, decode_json
from syncline.secrets import resolve
from tests.destinations.conformance import KEY, Bench, Given, schema_of
from tests.destinations.files.support import land
from tests.destinations.files.test_publishing import Broken, breaking
from tests.support import s3

COLUMNS = ("id", "k")
ROWS = [(1, "a"), (2, "b"), (3, "a")]


class Shelf(LocalFileSystem):
    """A file system that shows a file while it is written, and renames: as SFTP does."""

    protocol = "shelf"
    renames = True
    seen: ClassVar[list[str]] = []

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        if Path(path2).exists() and not self.renames:
            raise OSError("the server does not rename over a file")
        self.seen.append(Path(path2).name)
        super().mv(path1, path2, **options)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("shelf://"))


fsspec.register_implementation("shelf", Shelf, clobber=True)


@pytest.fixture
def memory() -> Iterator[Any]:
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield fsspec.filesystem("memory")
    MemoryFileSystem.store.clear()


def bench_at(folder: Path, path: str, **options: Any) -> Bench:
    return Given(folder, File(path=path, **options))


def found(fs: Any, root: str) -> list[str]:
    return sorted(str(path).removeprefix(f"{root}/") for path in fs.find(root))


def current(fs: Any, root: str) -> list[Any]:
    """The rows that the manifests lead to."""
    rows = []
    for path in sorted(fs.find(f"{root}/_manifest/orders")):
        for file in decode_json(fs.cat_file(path))["files"]:
            content = fs.cat_file(f"{root}/{file['path']}")
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
            rows += [decode_json(line) for line in content.splitlines()]
    return rows


async def test_memory_holds_what_a_run_wrote(tmp_path: Path, memory: Any):
    bench = bench_at(tmp_path, "memory://shop/{stream}/{k}/{run}.jsonl")
    await land(bench, COLUMNS, ROWS[:2], end=False)
    assert found(memory, "/shop") == [], "nothing is in the store before the pass is complete"
    await land(bench, COLUMNS, ROWS[2:], run="r2")
    assert found(memory, "/shop") == ["_manifest/orders/r1.json", "orders/a/r1.jsonl", "orders/b/r1.jsonl"]
    assert sorted(row["id"] for row in current(memory, "/shop")) == [1, 2, 3]
    assert not (tmp_path / ".syncline" / "spool").exists()


@pytest.mark.parametrize("station", ["file completed", "pass committed", "file published", "manifest written"])
async def test_r2_what_was_committed_is_published_from_another_machine(tmp_path: Path, memory: Any, station: str):
    bench = bench_at(tmp_path, "memory://shop/{stream}/{k}/{run}.jsonl", spool=str(tmp_path / "here"))
    await land(bench, COLUMNS, [(9, "a")], write="replace", run="r0", cursor="before")
    with pytest.raises(Broken), breaking(station):
        await land(bench, COLUMNS, ROWS, write="replace")
    other = bench_at(tmp_path, "memory://shop/{stream}/{k}/{run}.jsonl", spool=str(tmp_path / "there"))
    other.clock.advance(1_000)
    async with other.sink() as sink:
        lease = await other.lease(sink, "r2")
        if station == "file completed":
            assert [row["id"] for row in current(memory, "/shop")] == [9]
            with pytest.raises(WriteError, match="cannot be gone on with"):  # its spool is on the other machine
                await other.begin(sink, "replace", lease=lease)
            return
        await other.begin(sink, "replace", lease=lease)
    assert sorted(row["id"] for row in current(memory, "/shop")) == [1, 2, 3]
    assert found(memory, "/shop") == ["_manifest/orders/current.json", "orders/a/r1.jsonl", "orders/b/r1.jsonl"]


async def test_a_store_may_keep_what_we_cannot_remove(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []

    def listen(scope: Scope, event: Event) -> None:
        if isinstance(event, Noticed):
            told.append(event.what)

    def refuse(fs: Any, path: str) -> None:
        raise PermissionError("AccessDenied: s3:DeleteObject")

    monkeypatch.setattr(MemoryFileSystem, "rm_file", refuse)
    bench = bench_at(tmp_path, "memory://shop")
    with listening(listen):
        await land(bench, COLUMNS, ROWS)
    assert sorted(row["id"] for row in current(memory, "/shop")) == [1, 2, 3]
    assert any("could not be removed" in one and "AccessDenied" in one for one in told)


async def test_where_files_are_seen_while_they_are_written_they_get_another_name_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shelf = tmp_path / "shelf"
    monkeypatch.setattr(Shelf, "seen", [])
    seen: list[list[str]] = []

    def look(scope: Scope, event: Event) -> None:
        if isinstance(event, Reached):
            seen.append([path.name for path in shelf.rglob("*.jsonl")])

    bench = bench_at(tmp_path, f"shelf://{shelf}/{{stream}}.jsonl")
    for renames in (True, False):
        monkeypatch.setattr(Shelf, "renames", renames)
        with listening(look):
            await land(bench, COLUMNS, ROWS, write="replace", run=f"r{renames}")
    assert seen[:4] == [[], [], [], []]
    assert "orders.jsonl" in Shelf.seen and "current.json" in Shelf.seen
    assert (shelf / "orders.jsonl").read_text().count("\n") == 3
    assert sorted(path.name for path in shelf.rglob("*") if path.is_file()) == ["current.json", "orders.jsonl"]


@pytest.mark.slow
async def test_s3_takes_partitions_large_files_and_replaced_sets(tmp_path: Path):
    bucket = s3.bucket(schema_of(tmp_path).replace("_", "-"))
    fs = s3.file_system()
    bench = bench_at(tmp_path, f"s3://{bucket}/a b/{{stream}}/k={{k}}/{{run}}.jsonl", storage=secret_options())
    await land(bench, COLUMNS, ROWS, write="replace")
    await land(bench, COLUMNS, [(5, "é/ü"), (6, None)], write="replace", run="r2")
    assert found(fs, f"{bucket}/a b") == [
        "_manifest/orders/current.json",
        "orders/k=__HIVE_DEFAULT_PARTITION__/r2.jsonl",
        "orders/k=é%2Fü/r2.jsonl",
    ]
    assert sorted(row["id"] for row in current(fs, f"{bucket}/a b")) == [5, 6]
    big = bench_at(tmp_path / "big", f"s3://{bucket}/big", storage=secret_options())
    await land(big, ("id", "text"), [(n, "x" * 1_000_000) for n in range(60)])  # several parts of one upload
    assert [row["id"] for row in current(fs, f"{bucket}/big")] == list(range(60))


def secret_options() -> dict[str, Any]:
    return {name: Secret(value) if name in ("key", "secret") else value for name, value in s3.options().items()}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["bucket", "address"])
async def test_s9_the_secret_is_in_no_error(tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]):
    options = secret_options()
    if wrong == "address":
        options["endpoint_url"] = "http://127.0.0.1:9"
        options["config_kwargs"] = {"retries": {"max_attempts": 1}, "connect_timeout": 1}
    part = File(path="s3://no-such-bucket-4711/x", storage=options)
    assert s3.SECRET not in repr(part) + str(part) + json.dumps(part.to_data())
    bench = Given(tmp_path, part)
    with pytest.raises(WriteError, match="cannot be written") as caught:
        await land(bench, COLUMNS, ROWS)
    told = caught.value.block() + json.dumps(caught.value.to_data()) + repr(caught.value) + capsys.readouterr().err
    assert s3.SECRET not in told and s3.KEY not in told
    assert caught.value.exit_code == 7 and caught.value.hint
    state = tmp_path / ".syncline" / "state.db"
    assert state.exists() and s3.SECRET.encode() not in state.read_bytes()


@pytest.mark.slow
def test_s9_a_run_with_storage_shows_its_secret_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_KEY", s3.KEY)
    monkeypatch.setenv("AWS_SECRET", s3.SECRET)
    monkeypatch.setenv("STORE", s3.endpoint())
    file = tmp_path / "shop.yaml"
    file.write_text(
        """
name: shop
source: {kind: rest, base_url: "http://127.0.0.1:9"}
streams: [{name: orders, path: /orders, into: {write: append}}]
destination:
  kind: file
  path: s3://no-such-bucket-4711/{stream}/{run}.jsonl
  storage: {key: "${AWS_KEY}", secret: "${AWS_SECRET}", endpoint_url: "${STORE}", client_kwargs: {region_name: eu-west-1}}
"""
    )
    shown = ""
    for verb in (["check", "--lint"], ["run", "--debug"], ["run", "--json"], ["status"], ["plan"], ["doctor"]):
        main([*verb, str(file)])
        captured = capsys.readouterr()
        shown += captured.out + captured.err
    assert "no-such-bucket-4711" in shown
    kept = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert s3.SECRET not in shown + kept


@pytest.mark.parametrize(
    ("storage", "place"),
    [
        ({"key": "AKIA"}, "key"),
        ({"secret": "s"}, "secret"),
        ({"client_kwargs": {"aws_secret_access_key": "s"}}, "aws_secret_access_key"),
        ({"account_key": "s"}, "account_key"),
        ({"connection_string": "s"}, "connection_string"),
        ({"token": "/etc/key.json"}, "token"),
        ({"password": "s"}, "password"),
        ({"sas_token": ["s"]}, "sas_token"),
    ],
)
def test_s9_a_secret_in_the_file_is_a_mistake(storage: dict[str, Any], place: str):
    with pytest.raises(ValidationError) as caught:
        File.model_validate({"kind": "file", "path": "s3://b/x", "storage": storage})
    assert f"a secret stands in the file at {place}" in str(caught.value)


def test_options_are_references_or_plain_values():
    storage = {
        "key": "${AWS_KEY}",
        "anon": False,
        "endpoint_url": "https://s3.example",
        "token": "anon",
        "key_filename": "/home/me/.ssh/id",
        "client_kwargs": {"region_name": "eu-west-1", "verify": ["${CA}"], "timeout": 5},
    }
    part = File.model_validate({"kind": "file", "path": "s3://b/x", "storage": storage})
    assert part.storage["key"] == Reference("${AWS_KEY}")
    assert part.to_data()["storage"] == storage
    assert File.model_validate(part.to_data()) == part
    known = resolve(part, {"AWS_KEY": "the-key-4711", "CA": "ca.pem"}, Path())
    assert "the-key-4711" not in repr(known)
    assert revealed(known.storage) == storage | {
        "key": "the-key-4711",
        "client_kwargs": {"region_name": "eu-west-1", "verify": ["ca.pem"], "timeout": 5},
    }


def test_options_that_are_no_block_are_a_mistake():
    with pytest.raises(ValidationError, match="written as a block"):
        File.model_validate({"kind": "file", "path": "s3://b/x", "storage": "key"})


def test_addresses_are_shown_without_what_is_secret_in_them():
    assert shown_url("ftp://me:canary@host/x?token=canary#y") == "ftp://host/x"
    assert shown_url("s3://bucket/a/b") == "s3://bucket/a/b"
    assert scheme_of("file:///tmp/x") is None
    assert scheme_of("out/x") is None
    with pytest.raises(PlanError, match="chains"):
        scheme_of("simplecache::s3://bucket/x")


async def test_folders_of_this_machine_take_no_options(tmp_path: Path):
    bench = bench_at(tmp_path, str(tmp_path / "out"), storage={"anon": True})
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        with pytest.raises(PlanError, match="storage: is for stores"):
            await bench.begin(sink, "append", lease=lease)


async def test_a_file_url_is_a_folder_of_this_machine(tmp_path: Path):
    await land(bench_at(tmp_path, f"file://{tmp_path}/out"), COLUMNS, ROWS)
    assert (tmp_path / "out" / "orders-r1.jsonl").exists()


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PlanError) as caught:
        RemoteStore("gs://bucket/x", {})
    assert caught.value.hint == "pip install gcsfs"
    with pytest.raises(PlanError, match="cannot be written to nonsense://x"):
        RemoteStore("nonsense://x", {})
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(PlanError, match="need fsspec") as caught:
        RemoteStore("s3://bucket/x", {})
    assert "syncline[files]" in (caught.value.hint or "")


async def test_an_upload_that_lost_bytes_is_an_error(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch):
    real = MemoryFileSystem.put_file

    def torn(fs: Any, local: str, remote: str, **options: Any) -> None:
        real(fs, local, remote, **options)
        fs.store[remote] = type(fs.store[remote])(fs, remote, io.BytesIO(b"{").getvalue())

    monkeypatch.setattr(MemoryFileSystem, "put_file", torn)
    with pytest.raises(WriteError, match="has 1 bytes after it was written"):
        await land(bench_at(tmp_path, "memory://shop"), COLUMNS, ROWS)
    monkeypatch.setattr(MemoryFileSystem, "put_file", real)
    bench = bench_at(tmp_path, "memory://shop")
    bench.clock.advance(1_000)
    await land(bench, COLUMNS, [(4, "a")], run="r2")
    assert [row["id"] for row in current(memory, "/shop")] == [1, 2, 3, 4]


async def test_a_trial_looks_and_leaves_the_store_as_it_is(tmp_path: Path, memory: Any):
    part = File(path="memory://shop/{stream}/{k}/{run}.jsonl")
    batch = Batch(columns=COLUMNS, rows=[*ROWS, (4, "c"), (5, "d"), (6, "e"), (7, "\ud800")])
    trial = await part.trial("orders", Target(write="append"), batch)
    assert trial.statements == (
        "WRITE orders/a/RUN.jsonl",
        "WRITE orders/b/RUN.jsonl",
        "WRITE orders/c/RUN.jsonl",
        "WRITE 2 more files like these",
    )
    assert (trial.exists, trial.inserts, [one.path for one in trial.rejected]) == (False, 6, ["k"])
    assert found(memory, "/shop") == []
    assert KEY
