"""The files of a project, and writing them: all or none, nothing outside the folder, nothing lost."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from syncline.errors import UsageError
from syncline.generate.document import document
from syncline.recordings import Recording
from syncline.secrets import references
from syncline.spec import Integration, json_schema

IGNORED = (".env", ".syncline/", "*.db", "*.db-wal", "*.db-shm", "*.duckdb", "data/", "__pycache__/")


def project_files(integration: Integration, text: str, recordings: Sequence[Recording]) -> dict[str, bytes]:
    """Every file of the project by its path below the folder."""
    name = integration.name
    files = {
        f"{name}.yaml": text,
        f"{name}.md": document(integration, f"{name}.yaml"),
        "syncline.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        ".env.example": environment_example(integration),
        ".gitignore": "".join(f"{line}\n" for line in IGNORED),
    }
    encoded = {path: content.encode() for path, content in files.items()}
    return encoded | {f"recordings/{name}/{one.stream}.json": one.dumped() for one in recordings}


def variables(integration: Integration) -> dict[str, list[str]]:
    """The environment variables that the file refers to, each with what it is used for."""
    found: dict[str, list[str]] = {}
    for place, reference in references(integration):
        for name in reference.names():
            scheme, colon, rest = name.partition(":")
            if not colon or scheme == "env":
                found.setdefault(rest if colon else name, []).append(place)
    return found


def environment_example(integration: Integration) -> str:
    lines = [
        "# Copy this to .env, which is not for version control, and fill it in.",
        "# Or keep the values in a manager: syncline reads ${vault:…}, ${aws-sm:…}, ${keyring:…} and others as well.",
    ]
    for name, places in variables(integration).items():
        lines += ["", f"# {', '.join(places)}", f"{name}="]
    return "\n".join(lines) + "\n"


def write_files(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> list[str]:
    """Write them, each as a whole; a `.gitignore` that is there is added to. Returns what was kept under another name.

    Raises UsageError where other files of these names are there, unless `force` lets them be renamed to NAME~ first; and for a
    path that would lead out of the folder.
    """
    root = folder.resolve()
    wanted: dict[Path, bytes] = {}
    for name, content in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(root) or path.is_symlink():
            raise UsageError(f"{path} leads out of {folder}", hint="choose another folder: --dir FOLDER")
        if name == ".gitignore" and path.is_file():
            wanted[path] = _added(path.read_bytes(), content)
        elif not (path.is_file() and path.read_bytes() == content):
            wanted[path] = content
    others = [path for path in wanted if path.exists() and path.name != ".gitignore"]
    if others and not force:
        raise UsageError(
            f"{', '.join(str(path) for path in others[:4])} {'is' if len(others) == 1 else 'are'} there already",
            hint="choose another folder (--dir FOLDER), or --force, which keeps the old ones as NAME~",
        )
    kept = [str(_put_aside(path)) for path in others]
    try:
        for path, content in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _written(path, content)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written to: {error.strerror}", hint="choose another: --dir FOLDER"
        ) from None
    return kept


def _put_aside(path: Path) -> Path:
    number, aside = 1, path.with_name(f"{path.name}~")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}~{number}")
    return path.rename(aside)


def _written(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(path)


def _added(there: bytes, ours: bytes) -> bytes:
    known = there.splitlines()
    missing = [line for line in ours.splitlines() if line not in known]
    if not missing:
        return there
    return b"\n".join([*known, *missing, b""])
