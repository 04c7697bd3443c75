"""The files of a package: client, mapping, sync, tests, and what it takes to build and run it."""

from __future__ import annotations

import keyword
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from syncline.errors import PlanError
from syncline.generate.code.checking import check_declarations
from syncline.generate.code.expressions import Imports, call
from syncline.generate.code.layout import Group, joined, lay_out, text
from syncline.generate.document import document
from syncline.generate.project.files import IGNORED, environment_example
from syncline.generate.project.naming import column_name
from syncline.recordings import Recording
from syncline.spec import Integration, load

TEMPLATES = Path(__file__).with_name("templates")
_BUILD = ("dist/", ".venv/", ".mypy_cache/", ".ruff_cache/", ".pytest_cache/")


def package_files(integration: Integration, recordings: Mapping[str, Recording]) -> dict[str, bytes]:
    """Every file by its path below the folder. What is Python is parsed, and makes a value equal to `integration`.

    Raises PlanError for an integration that no Python can be written for.
    """
    package = package_name(integration)
    constants = _constants(integration)
    modules = {
        "client": _client(integration),
        "mapping": _mapping(integration, constants),
        "integration": _integration(integration, package, constants),
    }
    known = {*_modules(), f"{package}.client", f"{package}.mapping"}
    for name, source in modules.items():
        check_declarations(source, f"{name}.py", known)
    words = {"package": package, "name": integration.name, "title": text(integration.name)}
    files = {f"src/{package}/{name}.py": source for name, source in modules.items()}
    for path in sorted(TEMPLATES.rglob("*.txt")):
        target = str(path.relative_to(TEMPLATES)).removesuffix(".txt").replace("PACKAGE", package)
        files[target] = Template(path.read_text(encoding="utf-8")).substitute(words)
    files |= {
        f"{integration.name}.md": document(integration, f"src/{package}/integration.py"),
        ".env.example": environment_example(integration),
        ".gitignore": joined([*IGNORED, *_BUILD]),
        f"src/{package}/py.typed": "",
    }
    _prove(integration, package, files)
    encoded = {path: content.encode() for path, content in files.items()}
    return encoded | {
        f"recordings/{integration.name}/{name}.json": recording.dumped() for name, recording in recordings.items()
    }


def package_name(integration: Integration) -> str:
    """An identifier, and nobody else's name."""
    name = column_name(integration.name)
    return f"{name}_sync" if keyword.iskeyword(name) or name in ("syncline", "tests", "src") else name


def _modules() -> set[str]:
    """Where parts may come from."""
    rooms = ("auth", "destinations", "http", "mapping", "model", "pagination", "resilience", "sources", "spec")
    return {"syncline", "decimal", *(f"syncline.{room}" for room in rooms)} | {
        name for name in sys.modules if name.startswith("syncline.")
    }


def _constants(integration: Integration) -> dict[str, str]:
    """The name of each stream's mapping: ORDERS."""
    found: dict[str, str] = {}
    for stream in integration.streams:
        found[stream.name] = column_name(stream.name, {name.lower() for name in found.values()}).upper()
    return found


def _client(integration: Integration) -> str:
    imports = Imports()
    parts = {"source": integration.source, "destination": integration.destination}
    body = [f"{name} = {lay_out(call(part, imports), used=len(name) + 3)}" for name, part in parts.items()]
    return joined(['"""Both ends: where records come from, and where rows go."""', "", *imports.lines(), "", *body])


def _mapping(integration: Integration, constants: Mapping[str, str]) -> str:
    imports = Imports()
    body = []
    for stream in integration.streams:
        if stream.mapping is not None:
            name = constants[stream.name]
            body.append(f"{name} = {lay_out(call(stream.mapping, imports), used=len(name) + 3)}")
    says = '"""What a record becomes: for each column, where it comes from."""'
    return joined([says, "", *imports.lines(), "", *body] if body else [says])


def _integration(integration: Integration, package: str, constants: Mapping[str, str]) -> str:
    imports = Imports()
    streams = []
    for stream in integration.streams:
        mapped = {"mapping": constants[stream.name]} if stream.mapping is not None else {}
        streams.append(("", call(stream, imports, **mapped)))
    group: Any = Group("(", tuple(streams), ")", single=len(streams) == 1)
    whole = call(integration, imports, source="source", destination="destination", streams=group)
    used = sorted(name for name in constants.values() if any(f"mapping={name}" in _keywords(one) for _, one in streams))
    imports.names[f"{package}.client"] = {"destination", "source"}
    if used:
        imports.names[f"{package}.mapping"] = set(used)
    ours = [line for line in imports.lines() if line.startswith(f"from {package}.")]
    theirs = [line for line in imports.lines() if line not in ours]
    says = '"""The integration: the same value as the file that it was exported from."""'
    body = f"integration = {lay_out(whole, used=14)}"
    return joined([says, "", *theirs, "", *ours, "", body])


def _keywords(group: Group) -> list[str]:
    return [f"{before}{value}" for before, value in group.items if isinstance(value, str)]


def _prove(integration: Integration, package: str, files: Mapping[str, str]) -> None:
    """The Python, loaded from a folder that nobody else sees, is the integration. Raises PlanError."""
    with tempfile.TemporaryDirectory(prefix="syncline-export-") as folder:
        for path, content in files.items():
            if path.endswith(".py") and path.startswith("src/"):
                place = Path(folder) / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(content, encoding="utf-8")
        if load(Path(folder) / "src" / package / "integration.py") != integration:
            raise PlanError(
                "the Python that was written is not the same integration, so nothing is kept of it",
                hint="please report this, with the integration file",
            )
