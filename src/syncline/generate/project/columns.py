"""A mapping skeleton: every field that is known, with its type as a note."""

from __future__ import annotations

from typing import Any

from syncline.generate.inference import Entity, RecordField
from syncline.generate.project.naming import column_name
from syncline.model import PathError, parse_path

MOST_COLUMNS = 120


class Columns:
    """The columns of one entity: `mapping` as the file has it, `notes` by column; `left_out` counts what is too much.

    `promised` says that somebody promises which fields each record has; that a few records had them is no promise.
    """

    def __init__(self, entity: Entity, *, promised: bool) -> None:
        self.mapping: dict[str, Any] = {}
        self.notes: dict[str, str] = {}
        self.left_out = 0
        keys = entity.primary_key.value or ()
        self._by_path = {field.path: field for field in entity.fields} if promised else {}
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
        required = key or self._is_promised(field.path)
        self.mapping[target] = {"source": field.path, "required": True} if required else field.path
        said: list[str] = [field.type if field.type != "any" else "of unknown type"]
        if field.format and field.type == "text":
            said.append(field.format)
        if field.nullable:
            said.append("may be null")
        if field.description:
            said.append(field.description[:80])
        self.notes[target] = ", ".join(said)

    def _is_promised(self, path: str) -> bool:
        """Whether each record has it, which takes that each has what it stands in."""
        field = self._by_path.get(path)
        if field is None or field.required is not True or field.nullable:
            return False
        above = path.rpartition(".")[0]
        return not above or self._is_promised(above)


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
