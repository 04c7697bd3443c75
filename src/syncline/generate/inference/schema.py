"""The form of a JSON value, told by a document or read off samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from syncline.generate.inference.api import FieldType, RecordField

Type = Literal["object", "array", "string", "integer", "number", "boolean", "null", "any"]

MAX_FIELDS = 300
MAX_NESTING = 3
MAX_SAMPLES = 250
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WEB = re.compile(r"https?://\S+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one value's form.

    `required` names the properties that are always there; `told` says whether somebody told, so that what is not in it may be
    absent. `samples` are values that were seen, or examples from a document, few and whole. `open` marks objects with keys that
    are data (a map).
    """

    type: Type = "any"
    format: str | None = None
    description: str = ""
    properties: dict[str, Schema] = {}
    required: frozenset[str] = frozenset()
    told: bool = False
    items: Schema | None = None
    nullable: bool = False
    open: bool = False
    samples: tuple[Any, ...] = ()

    def at(self, *keys: str) -> Schema | None:
        """The schema below these keys, or None."""
        found: Schema | None = self
        for key in keys:
            found = found.properties.get(key) if found is not None else None
        return found

    @property
    def scalar(self) -> bool:
        return self.type in ("string", "integer", "number", "boolean")


def of_samples(values: Sequence[Any]) -> Schema:
    """The schema that these values have in common."""
    return _of(list(values)[:MAX_SAMPLES], 0)


def _of(values: list[Any], depth: int) -> Schema:
    present = [value for value in values if value is not None]
    nullable = len(present) < len(values)
    if not present:
        return Schema(type="null" if nullable else "any", nullable=nullable)
    kinds = {_kind(value) for value in present}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1:
        return Schema(type="any", nullable=nullable, samples=tuple(present[:5]))
    kind = kinds.pop()
    if kind == "object" and depth < 8:
        names = list(dict.fromkeys(name for value in present for name in value))[:MAX_FIELDS]
        return Schema(
            type="object",
            nullable=nullable,
            properties={
                str(name): _of([value[name] for value in present if name in value], depth + 1) for name in names
            },
            required=frozenset(str(name) for name in names if all(name in value for value in present)),
            told=True,
        )
    if kind == "array" and depth < 8:
        inner = [element for value in present for element in value[:MAX_SAMPLES]][:MAX_SAMPLES]
        return Schema(type="array", nullable=nullable, items=_of(inner, depth + 1))
    return Schema(type=kind, format=_format(kind, present), nullable=nullable, samples=tuple(present[:MAX_SAMPLES]))


def _kind(value: Any) -> Type:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float | Decimal):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def _format(kind: Type, values: Sequence[Any]) -> str | None:
    if kind != "string":
        return None
    for name, pattern in (("date-time", _MOMENT), ("date", _DAY), ("uri", _WEB), ("uuid", _UUID)):
        if all(pattern.fullmatch(value[:300]) for value in values):
            return name
    return None


def fields_of(record: Schema, *, most: int = MAX_FIELDS) -> tuple[RecordField, ...]:
    """The fields of a record, nested objects by their paths, lists of objects by `path[*].key`."""
    found: list[RecordField] = []
    for field in _fields(record, "", 0):
        found.append(field)
        if len(found) == most:
            break
    return tuple(found)


def _fields(schema: Schema, prefix: str, depth: int) -> Iterator[RecordField]:
    for name, inner in schema.properties.items():
        path = prefix + step(name)
        yield RecordField(
            path=path,
            type=_field_type(inner),
            required=(name in schema.required) if schema.told else None,
            nullable=inner.nullable if schema.told or inner.nullable else None,
            format=inner.format,
            description=" ".join(inner.description.split())[:200],
        )
        if depth < MAX_NESTING:
            if inner.type == "object" and not inner.open:
                yield from _fields(inner, f"{path}.", depth + 1)
            elif inner.items is not None and inner.items.type == "object":
                yield from _fields(inner.items, f"{path}[*].", depth + 1)


def step(name: str) -> str:
    """A key as one step of a path."""
    plain = re.fullmatch(r"[^.\[\]\"\s][^.\[\]\"]*", name) is not None and name == name.strip()
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def join(*names: str) -> str:
    """Keys as a path; no keys are the whole."""
    return ".".join(step(name) for name in names) or "."


def _field_type(schema: Schema) -> FieldType:
    if schema.type == "string":
        return {"date-time": "datetime", "date": "date"}.get(schema.format or "", "text")  # type: ignore[return-value]
    named: dict[str, FieldType] = {"array": "list", "any": "any"}
    return named.get(schema.type, schema.type)  # type: ignore[arg-type]
