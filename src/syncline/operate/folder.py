"""A folder of integration files, watched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from syncline.errors import SpecError, SynclineError
from syncline.spec import Integration, load

ENDINGS = (".yaml", ".yml")
Stamp = tuple[int, int, int]


class Found(msgspec.Struct, frozen=True):
    """A file that is new or has changed: the integration in it, or what is wrong with it."""

    path: Path
    integration: Integration | None
    mistake: SynclineError | None = None


class Change(msgspec.Struct, frozen=True):
    found: tuple[Found, ...]
    gone: tuple[Path, ...]


class Folder:
    """Tells what has changed since the last look. A file counts once two looks have seen it alike: it is written to its end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: dict[str, Stamp] = {}
        self._read: dict[str, Stamp] = {}
        self._names: dict[Path, str] = {}

    def look(self, *, at_once: bool = False) -> Change:
        """`at_once` reads every file as it is now, as at the start."""
        stamps = _stamps(self.root)
        gone = sorted(name for name in self._read if name not in stamps)
        for name in gone:
            self._read.pop(name)
            self._names.pop(Path(name), None)
        settled = [
            name
            for name, stamp in stamps.items()
            if self._read.get(name) != stamp and (at_once or self._seen.get(name) == stamp)
        ]
        self._seen = stamps
        found = []
        for name in sorted(settled):
            self._read[name] = stamps[name]
            self._names.pop(Path(name), None)
            found.append(self._load(Path(name)))
        return Change(tuple(found), tuple(map(Path, gone)))

    def _load(self, path: Path) -> Found:
        try:
            integration = load(path)
        except SynclineError as error:
            return Found(path, None, error)
        for other, name in self._names.items():
            if name == integration.name:
                mistake = SpecError(f"the name {name!r} is taken by {other}", hint="give each integration its own name")
                return Found(path, None, mistake.at(integration=name))
        self._names[path] = integration.name
        return Found(path, integration)


def files_in(root: Path) -> list[Path]:
    """The YAML files of a folder and the folders below it, hidden ones left out; or the one file."""
    return [root] if root.is_file() else sorted(Path(entry.path) for entry in _entries(str(root)))


def _stamps(root: Path) -> dict[str, Stamp]:
    """Of every file, by its path. No path is made an object: a server looks at a thousand files once a second."""
    found = {}
    for place in [root] if root.is_file() else _entries(str(root)):
        with suppress(OSError):  # it has just gone
            status = place.stat()
            found[os.fspath(place)] = status.st_mtime_ns, status.st_size, status.st_ino
    return found


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        return  # gone, or not ours to read
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)
        elif entry.name.endswith(ENDINGS):
            yield entry
