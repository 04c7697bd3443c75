"""The place where finished files go: a folder of this machine, or any store that fsspec knows.

Names are relative to the root, with slashes. Everything is staged first, under a name that nobody reads and in the store
itself, so that whoever takes up the stream after a crash, on another machine perhaps, can publish what was committed.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from syncline.destinations.file.spool import ENDING, link, sync_file, sync_folder
from syncline.destinations.file.troubles import explained
from syncline.errors import WriteError


class Store(Protocol):
    """All of it blocks; all of it may raise WriteError."""

    shown: str
    """What people may see of where it is."""

    def stage(self, file: Path, name: str) -> None:
        """Keep a finished local file under this name, durably; the local one may stay."""
        ...

    def move(self, name: str, final: str, *, over: bool) -> bool:
        """Show what was staged under its final name, all at once. False where it is not staged any more.

        `over`: what has that name already gives way.
        """
        ...

    def exists(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes | None:
        """The whole of a small file, None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a small file there, durably; readers see the old one or the new one."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Files that are not there are none to remove; folders left empty go with them, where a store has folders."""
        ...

    def names(self, folder: str) -> list[str]:
        """Every file below a folder; none where there is no such folder."""
        ...


class LocalStore:
    """A folder of this machine, or of a network file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown = str(root)

    def stage(self, file: Path, name: str) -> None:
        path = self.root / name
        with explained(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path != file:
                path.unlink(missing_ok=True)
                link(file, path)
            sync_file(path)
            sync_folder(path.parent)

    def move(self, name: str, final: str, *, over: bool) -> bool:
        source, target = self.root / name, self.root / final
        with explained(str(target)):
            if not source.exists():
                return False
            if not over and target.exists() and not filecmp.cmp(source, target, shallow=False):
                raise WriteError(
                    f"{target} is there already, and is none of Syncline's",
                    hint="move it away and run again: the new file takes its place",
                )
            self._make(target.parent)
            try:
                source.replace(target)
            except OSError as problem:
                if problem.errno != errno.EXDEV:  # a folder below the root may be on another disk
                    raise
                near = target.with_name(f".{target.name}{ENDING}")
                shutil.copyfile(source, near)
                sync_file(near)
                near.replace(target)
                source.unlink()
            sync_folder(target.parent)
            return True

    def exists(self, name: str) -> bool:
        with explained(str(self.root / name)):
            return (self.root / name).exists()

    def read(self, name: str) -> bytes | None:
        with explained(str(self.root / name)):
            try:
                return (self.root / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        with explained(str(path)):
            self._make(path.parent)
            near = path.with_name(f".{path.name}{ENDING}")
            with near.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            near.replace(path)
            sync_folder(path.parent)

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            path = self.root / name
            with explained(str(path)):
                path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or not folder.is_relative_to(self.root) or not _removed(folder):
                    break

    def names(self, folder: str) -> list[str]:
        top = self.root / folder
        with explained(str(top)):
            return sorted(path.relative_to(self.root).as_posix() for path in top.rglob("*") if path.is_file())

    def _make(self, folder: Path) -> None:
        """The folder, and its name durable with it."""
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in missing:
            sync_folder(one.parent)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:  # it is not empty, or not ours to remove
        return False
    return True
