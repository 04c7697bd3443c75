"""Reading integration files, and writing them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from syncline.errors import Mistake, SpecError
from syncline.model import kinds
from syncline.model.units import FROM_FILE
from syncline.spec.integration import Integration
from syncline.spec.lint import lint_integration
from syncline.spec.mistakes import mistakes_in
from syncline.spec.yaml_text import Document, read, show_path
from syncline.spec.yaml_write import Notes, write

SCHEMA_LINE = "# yaml-language-server: $schema=./syncline.schema.json\n"


def load(path: str | Path) -> Integration:
    """The integration in a YAML file, or the one value of type Integration in a Python file.

    Raises SpecError with every mistake of the file, each with its line and column.
    """
    path = Path(path)
    if path.is_dir():
        raise SpecError(f"{path} is a folder; name a file", hint=f"syncline check {path} checks all files of it")
    if path.suffix == ".py":
        return _load_python(path)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise SpecError(f"there is no file {str(path)!r}", hint=_other_files(path)) from None
    except OSError as error:
        raise SpecError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    return loads(text, str(path))


def loads(text: str | bytes, name: str = "<text>") -> Integration:
    """The integration in a YAML text; `name` stands in errors for the file. Raises SpecError."""
    document = read(text, name)
    try:
        integration = Integration.model_validate(document.data, context=FROM_FILE)
    except ValidationError as error:
        fields = _FieldNames(document.data)
        found = list(mistakes_in(error.errors(), fields.at))
        raise _spec_error(name, document, found) from None
    found = list(lint_integration(integration))
    if found:
        raise _spec_error(name, document, found)
    return integration


def dump(integration: Integration, notes: Notes | None = None) -> str:
    """The file that reads back as this value; what equals a default is left out. `notes` stand in it as comments."""
    return SCHEMA_LINE + write(integration.to_data(), notes)


def check_value(integration: Integration) -> Integration:
    """The same integration, after the checks that a file gets: for those written in Python. Raises SpecError."""
    found = list(lint_integration(integration))
    if found:
        mistakes = [Mistake(integration.name, 0, 0, show_path(path), what) for path, what in found]
        raise SpecError(_count(mistakes), mistakes=mistakes)
    return integration


def _spec_error(name: str, document: Document, found: list[tuple[tuple[str | int, ...], str]]) -> SpecError:
    mistakes = []
    for path, what in found:
        line, column = document.position(path, key="unknown key" in what)
        mistakes.append(Mistake(name, line, column, show_path(path), what))
    mistakes.sort(key=lambda mistake: (mistake.line, mistake.column))
    return SpecError(_count(mistakes), mistakes=mistakes)


def _count(mistakes: list[Mistake]) -> str:
    return "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def _other_files(path: Path) -> str | None:
    from syncline.model.names import nearest  # late: only a mistake needs it

    folder = path.parent
    names = [entry.name for entry in folder.glob("*.y*ml")][:200] if folder.is_dir() else []
    near = nearest(path.name, names)
    if near:
        return f"did you mean {folder / near}?"
    return f"there is: {', '.join(sorted(names)[:6])}" if names else None


def _load_python(path: Path) -> Integration:
    try:
        namespace = _run_module(path) if (path.parent / "__init__.py").is_file() else runpy.run_path(str(path))
    except FileNotFoundError:
        raise SpecError(f"there is no file {str(path)!r}", hint=_other_files(path)) from None
    except ValidationError as error:
        fields = _FieldNames(None)
        mistakes = [
            Mistake(str(path), 0, 0, show_path(at), what) for at, what in mistakes_in(error.errors(), fields.at)
        ]
        raise SpecError(_count(mistakes), mistakes=mistakes) from None
    found = {id(value): value for value in namespace.values() if isinstance(value, Integration)}
    if len(found) != 1:
        raise SpecError(
            f"{str(path)!r} holds {len(found)} integrations; it must hold one",
            hint="write: integration = Integration(name=…, source=…, streams=[…], destination=…)",
        )
    return check_value(next(iter(found.values())))


def _run_module(path: Path) -> dict[str, Any]:
    """A file of a package, run as the module it is, so that it can import its neighbours. Leaves no modules behind."""
    if not path.is_file():
        raise FileNotFoundError(path)
    root = path.resolve().parent
    names = [path.stem]
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == names[0]}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        return runpy.run_module(".".join(names))
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.partition(".")[0] == names[0]]:
            del sys.modules[name]
        sys.modules.update(before)


class _FieldNames:
    """The field names that are known at a path of a document, found by walking the models beside the data."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def at(self, path: tuple[str | int, ...]) -> list[str]:
        models: list[type[BaseModel]] = [Integration]
        value = self.data
        for step in path:
            value = self._inner(value, step)
            if isinstance(step, int):
                continue
            annotations = [
                model.model_fields[name].annotation
                for model in models
                for name, field in model.model_fields.items()
                if step in (name, field.alias)
            ]
            found = [part for annotation in annotations for part in _parts_in(annotation)]
            models = self._by_kind(value) or found
        return [field.alias or name for model in models for name, field in model.model_fields.items()]

    @staticmethod
    def _inner(value: Any, step: str | int) -> Any:
        if isinstance(value, dict):
            return value.get(step)
        return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None

    @staticmethod
    def _by_kind(value: Any) -> list[type[BaseModel]]:
        kind = value.get("kind") if isinstance(value, dict) else None
        families = ("source", "destination", "auth", "pagination")
        return [kinds(family)[kind] for family in families if isinstance(kind, str) and kind in kinds(family)]


def _parts_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in getattr(annotation, "__args__", ()) for part in _parts_in(inner)]
