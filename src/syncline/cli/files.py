"""Integration files as the command line names them, and the state behind one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from syncline.engine import opened_state, resolved
from syncline.errors import UsageError
from syncline.model.names import did_you_mean
from syncline.spec import Integration, Stream, load
from syncline.state import StateStore


def find_files(paths: Iterable[str]) -> list[Path]:
    """The files named, and the YAML files within the folders named, hidden ones left out. Raises UsageError."""
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file for pattern in ("*.yaml", "*.yml") for file in path.rglob(pattern) if not _hidden(file, path)
        )
        if not inside:
            raise UsageError(f"there is no YAML file in {path}", hint="name a file, or a folder of integration files")
        found += inside
    return list(dict.fromkeys(found))


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


@asynccontextmanager
async def opened_file_state(path: Path) -> AsyncIterator[tuple[Integration, StateStore]]:
    """An integration and its state; asks for no credentials but those of the place where the state is kept."""
    integration = load(path)
    async with opened_state(await with_places(integration, path)) as state:
        yield integration, state


async def with_places(integration: Integration, path: Path) -> Integration:
    """The integration with the references resolved that say where its rows and its state are."""
    folder = path.resolve().parent
    places = {"destination": integration.destination, "state": integration.state}
    if "base_url" in type(integration.destination).model_fields:
        del places["destination"]  # an API: the state is beside it, and nobody is asked there
    known = {name: await resolved(place, os.environ, folder) for name, place in places.items()}
    return integration.model_copy(update=known)


def chosen_streams(integration: Integration, names: list[str] | None) -> list[Stream]:
    """The streams of these names, or all. Raises UsageError."""
    known = [stream.name for stream in integration.streams]
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no stream {name!r}; {did_you_mean(name, known)}", integration=integration.name)
    return [stream for stream in integration.streams if not names or stream.name in names]
