"""Integration files and streams as the command line names them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from syncline.errors import UsageError
from syncline.model.names import did_you_mean
from syncline.operate.folder import files_in
from syncline.spec import Integration, Stream


def find_files(paths: Iterable[str]) -> list[Path]:
    """The files named, and the YAML files within the folders named, hidden ones left out. Raises UsageError."""
    found: list[Path] = []
    for name in paths:
        inside = files_in(Path(name)) if Path(name).is_dir() else [Path(name)]
        if not inside:
            raise UsageError(f"there is no YAML file in {name}", hint="name a file, or a folder of integration files")
        found += inside
    return list(dict.fromkeys(found))


def chosen_streams(integration: Integration, names: list[str] | None) -> list[Stream]:
    """The streams of these names, or all. Raises UsageError."""
    known = [stream.name for stream in integration.streams]
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no stream {name!r}; {did_you_mean(name, known)}", integration=integration.name)
    return [stream for stream in integration.streams if not names or stream.name in names]
