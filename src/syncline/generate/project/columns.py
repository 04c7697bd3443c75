"""A mapping skeleton: every field that is known, with its type as a note."""

from __future__ import annotations

from typing import Any

from syncline.generate.inference import Entity, RecordField
from syncline.generate.project.naming import column_name
from syncline.model import PathError, parse_path

MOST_COLUMNS = 120


class Columns:
    """The columns of one entity: `mapping` as the file has it, `notes` by column; `left_out` counts what is too much."""

    def __init__(self, entity: Entity) -> None:
        self.mapping: dict[str, Any] = {}
        self.notes: dict[str, str] = {}
        self.left_out = 0
        keys = entity.primary_key.value or ()
        # that a few records had it is no promise that all do
        self.promised = not any("live answer" in line for line in entity.records.evidence)
        for field in _leaves(entity.fields, keys):
            if len(self.mapping) == MOST_COLUMNS:
                self.left_out += 1
            else:
                self._add(field, field.path in keys)
        for key in keys:
            if key not in [_source(entry) for entry in self.mapping.values()] and self.mapping:
                self._add(RecordField(path=key, type="any"), True)

    def _add(self, field: RecordField, key: bool) -> None:
        target = column_name(field.path, self.mapping)
        required = key or (self.promised and field.required is True and not field.nullable)
        self.mapping[target] = {"source": field.path, "required": True} if required else field.path
        said: list[str] = [field.type if field.type != "any" else "of unknown type"]
        if field.format and field.type == "text":
            said.append(field.format)
        if field.nullable:
            said.append("may be null")
        if field.description:
            said.append(field.description[:80])
        self.notes[target] = ", ".join(said)


def _source(entry: Any) -> str:
    return str(entry["source"] if isinstance(entry, dict) else entry)


def _leaves(fields: tuple[RecordField, ...], keys: tuple[str, ...]) -> list[RecordField]:
    """Fields that become columns: what is within a list stays within it, and an object whose fields are known is taken apart."""
    paths = [field.path for field in fields]
    chosen = []
    for field in fields:
        if not _readable(field.path) or "[" in field.path:
            continue
        within = any(path.startswith(f"{field.path}.") for path in paths)
        if field.type == "object" and within and field.path not in keys:
            continue
        chosen.append(field)
    return chosen


def _readable(path: str) -> bool:
    try:
        parse_path(path)
    except PathError:
        return False
    return "${" not in path and path.isprintable() and len(path) <= 200
