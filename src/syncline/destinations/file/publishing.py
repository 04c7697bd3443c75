"""From a complete pass to files that everybody may read, in steps that can be repeated from any point.

1. Everything is staged in the store, last of it the manifest: which files, how many rows and bytes, which digest.
2. The checkpoint is committed, and says that this is to be published. Nothing of it was visible before.
3. Each file is moved to its name; then the manifest is, by which readers know that the files are all there; where the set
   is replaced, the old manifests and then the old files are removed; then the staged manifest, and with it all that is to do.
4. The checkpoint no longer says it.

Who finds in a checkpoint that something is to be published does step 3 anew; what was done already is not done twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from syncline.destinations.file.names import escaped
from syncline.destinations.file.spool import ENDING
from syncline.destinations.file.store import Store
from syncline.errors import PlanError, WriteError
from syncline.events import Reached, emit
from syncline.model import decode_json, encode_json

MANIFESTS = "_manifest"
WORK = ".syncline"
CURRENT = "current"
"""The manifest of a set that is replaced as a whole; appended runs have one each, by the name of the run."""
VERSION = 1


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One complete file; `path` is relative to the root, `sha256` that of its bytes."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of one stream left: exactly these files, all complete. `columns` in the order of the files, with their types."""

    version: int = VERSION
    stream: str
    run: str
    write: str
    format: str
    compression: str
    finished: datetime
    rows: int
    columns: Sequence[tuple[str, str]] = ()
    files: Sequence[FileEntry] = ()


class Publisher:
    """The staged and published files of one stream. Everything blocks, and may raise WriteError."""

    def __init__(self, store: Store, key: str, table: str) -> None:
        self._store = store
        self.work = f"{WORK}/{escaped(key)}"
        self._manifests = f"{MANIFESTS}/{table}"

    def staged_name(self, fence: int, number: int) -> str:
        return f"{self.work}/{fence:d}/{number:d}{ENDING}"

    def stage(self, fence: int, made: Sequence[tuple[str, Path, int]], manifest: Manifest) -> None:
        """Step 1: the files by their final path, each with its rows, and the manifest."""
        files = []
        for number, (path, file, rows) in enumerate(made):
            self._store.stage(file, self.staged_name(fence, number))
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            files.append(FileEntry(path=path, rows=rows, bytes=file.stat().st_size, sha256=digest))
        complete = msgspec.structs.replace(manifest, files=files, rows=sum(file.rows for file in files))
        self._store.write(self._staged_manifest(fence), encode_json(complete))

    def publish(self, fence: int, run: str | None = None, *, anew: bool = False) -> None:
        """Step 3. Nothing where it was done already, as the manifest of `run` shows.

        `anew`: everything is read again, so what is gone is not missed. Else raises WriteError for it.
        """
        staged = self._store.read(self._staged_manifest(fence))
        if staged is None:
            if run is not None and not anew and not self._is_shown(run):
                raise self._gone(f"{self._store.shown}/{self._staged_manifest(fence)}")
            return
        manifest = read_manifest(staged, self._staged_manifest(fence))
        replaces = manifest.write == "replace"
        files = [file for number, file in enumerate(manifest.files) if self._show(fence, number, file, replaces, anew)]
        manifest = msgspec.structs.replace(manifest, files=files, rows=sum(file.rows for file in files))
        old = self._replaced(fence, manifest) if replaces else []
        if self._store.read(self._staged_manifest(fence)) is None:  # another one, who took over, was quicker
            return
        name = f"{self._manifests}/{CURRENT if replaces else manifest.run}.json"
        self._store.write(name, _pretty(manifest))
        emit(Reached(station="manifest written"))
        if replaces:
            self._store.remove([one for one in self._store.names(self._manifests) if one != name])
            self._store.remove(old)
        self._store.remove([self._staged_manifest(fence), self._old_files(fence)])

    def _show(self, fence: int, number: int, file: FileEntry, over: bool, anew: bool) -> bool:
        path = _within(file.path)
        if self._store.move(self.staged_name(fence, number), path, over=over):
            emit(Reached(station="file published"))
            return True
        if self._store.exists(path):
            return True
        if not anew:
            raise self._gone(f"{self._store.shown}/{path}")
        return False

    def _is_shown(self, run: str) -> bool:
        if self._store.exists(f"{self._manifests}/{run}.json"):
            return True
        current = self._store.read(f"{self._manifests}/{CURRENT}.json")
        return current is not None and read_manifest(current, CURRENT).run == run

    @staticmethod
    def _gone(shown: str) -> WriteError:
        return WriteError(
            f"{shown} was committed, and is gone before it could be shown",
            hint="`syncline run FILE --full` reads everything again",
        )

    def clean(self) -> None:
        """Remove what was staged and never committed."""
        staged = re.compile(re.escape(self.work) + r"/[0-9]+/")
        self._store.remove([name for name in self._store.names(self.work) if staged.match(name)])

    def _replaced(self, fence: int, manifest: Manifest) -> list[str]:
        """The files that give way, remembered before the first manifest that knows them does."""
        known = self._store.read(self._old_files(fence))
        if known is not None:
            return [_within(path) for path in decode_json(known)]
        new = {file.path for file in manifest.files}
        old: list[str] = []
        for name in self._store.names(self._manifests):
            data = self._store.read(name)
            if data is not None and name.endswith(".json"):
                old += [file.path for file in read_manifest(data, name).files if file.path not in new]
        self._store.write(self._old_files(fence), encode_json(old))
        return [_within(path) for path in old]

    def _staged_manifest(self, fence: int) -> str:
        return f"{self.work}/{fence:d}/manifest.json"

    def _old_files(self, fence: int) -> str:
        return f"{self.work}/{fence:d}/old.json"


def read_manifest(data: bytes, name: str) -> Manifest:
    """Raises WriteError for one that cannot be read."""
    try:
        return msgspec.convert(decode_json(data), Manifest)
    except ValueError as problem:
        raise WriteError(
            f"the manifest {name} cannot be read",
            hint="restore it, or remove it; its files are then no longer Syncline's",
            evidence=str(problem)[:200],
        ) from None


def _pretty(manifest: Manifest) -> bytes:
    return msgspec.json.format(encode_json(manifest), indent=1) + b"\n"


def _within(path: Any) -> str:
    """A path out of a file that others may have written. Raises PlanError where it leads out of the root."""
    pure = PurePosixPath(str(path))
    if pure.is_absolute() or ".." in pure.parts or "\\" in str(path) or not pure.parts:
        raise PlanError(
            "a manifest names a file outside of the destination",
            hint=f"look into {MANIFESTS} and {WORK} of the destination: somebody has changed what is there",
            evidence=str(path)[:200],
        )
    return str(path)
