"""A folder of integration files, watched."""

from __future__ import annotations

from pathlib import Path

import msgspec

from syncline.errors import SpecError, SynclineError
from syncline.spec import Integration, load

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
        self._seen: dict[Path, Stamp] = {}
        self._read: dict[Path, Stamp] = {}
        self._names: dict[Path, str] = {}

    def look(self, *, at_once: bool = False) -> Change:
        """`at_once` reads every file as it is now, as at the start."""
        stamps = {path: stamp for path in files_in(self.root) if (stamp := _stamp(path)) is not None}
        gone = tuple(path for path in self._read if path not in stamps)
        for path in gone:
            self._read.pop(path)
            self._names.pop(path, None)
        settled = [
            path
            for path, stamp in stamps.items()
            if self._read.get(path) != stamp and (at_once or self._seen.get(path) == stamp)
        ]
        self._seen = stamps
        found = []
        for path in settled:
            self._read[path] = stamps[path]
            self._names.pop(path, None)
            found.append(self._load(path))
        return Change(tuple(found), gone)

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
    if root.is_file():
        return [root]
    return sorted(
        path
        for pattern in ("*.yaml", "*.yml")
        for path in root.rglob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
