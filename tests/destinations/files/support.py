"""A folder of files under test, written to in passes, read back as a reader would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from syncline.destinations import File
from syncline.destinations.file.columns import Columns
from syncline.destinations.file.encoding import Encoded, Encoder, Format
from syncline.model import Batch, Checkpoint, Written, decode_json
from tests.destinations.conformance import Bench, Given, at, done

Row = tuple[Any, ...]


def files_bench(folder: Path, path: str = "out", **options: Any) -> Bench:
    """The destination at `path` below the folder."""
    return Given(folder, File(path=f"{folder}/{path}", **options))


async def land(
    bench: Bench,
    columns: tuple[str, ...],
    *batches: Iterable[Row],
    write: str = "append",
    run: str = "r1",
    end: bool = True,
    cursor: Any = "z",
    first: int = 1,
    portion: int | None = None,
    **options: Any,
) -> list[Written]:
    """One run: a pass, or the rest of one from page `first` on, in these batches; `end=False` leaves it as a crash would.

    With a `portion`, the writer is offered so many rows of a batch at a time, as the engine does, and the rest is written with it.
    """
    written = []
    async with bench.sink() as sink:
        lease = await bench.lease(sink, run)
        writer = await bench.begin(sink, write, lease=lease, **options)
        for page, rows in enumerate(batches, first):
            left = list(rows)
            while portion and left and writer.take(Batch(columns=columns, rows=left[:portion])):
                left = left[portion:]
            written.append(await writer.write(Batch(columns=columns, rows=left), [], at(page), lease))
        if end:
            await writer.finish(done(cursor), lease)
    return written


def manifests(root: Path, stream: str = "orders") -> list[dict[str, Any]]:
    folder = root / "_manifest" / stream
    found = [decode_json(file.read_bytes()) for file in folder.glob("*.json")]
    return sorted(found, key=lambda one: str(one["finished"]))


def current(root: Path, stream: str = "orders") -> list[Path]:
    """The files that the manifests name, each proved to be what they say."""
    files = []
    for manifest in manifests(root, stream):
        assert manifest["rows"] == sum(file["rows"] for file in manifest["files"])
        for file in manifest["files"]:
            content = (root / file["path"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
            files.append(root / file["path"])
    return files


def names(root: Path) -> list[str]:
    """Every file below the root but the manifests."""
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith("_manifest/"))


def lines(files: Sequence[Path]) -> list[Any]:
    return [decode_json(line) for file in files for line in file.read_bytes().splitlines()]


def encoded(format: Format, *batches: Batch, schema: Any = "evolve", known: Sequence[Any] = ()) -> list[Encoded]:
    """What becomes of batches, one after another."""
    columns = Columns("orders", schema, known)
    made = []
    for batch in batches:
        made.append(Encoder(format, None).encode(batch, columns))
        columns = made[-1].columns
    return made


def resumed(checkpoint: Checkpoint) -> Any:
    return (checkpoint.resume or {}).get("page")
