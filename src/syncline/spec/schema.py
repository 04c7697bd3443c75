"""The JSON Schema of the integration file, out of the same models that read it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from syncline.model import kind_of, kinds
from syncline.spec.integration import Integration

FAMILIES = ("source", "destination", "auth", "pagination")
_PLACE = "#/definitions/"


def json_schema() -> dict[str, Any]:
    """Draft-07, for editors; every key described, every kind known here (those of installed packages too) offered."""
    definitions: dict[str, Any] = {}
    for family in FAMILIES:
        for name, part in kinds(family).items():
            definitions[f"{family}.{name}"] = _with_kind(_schema_of(part, definitions), kind_of(part))
    root = _schema_of(Integration, definitions)
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Syncline integration",
        **root,
        "definitions": dict(sorted(definitions.items())),
    }
    resolved: dict[str, Any] = _offer_kinds(whole)
    return resolved


def _schema_of(part: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = part.model_json_schema(by_alias=True, ref_template=_PLACE + "{model}")
    definitions.update(schema.pop("$defs", {}))
    return schema


def _with_kind(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    properties = {**schema["properties"], "kind": {"const": kind, "description": schema.get("description", kind)}}
    return {**schema, "properties": properties, "required": ["kind", *schema.get("required", [])]}


def _offer_kinds(value: Any) -> Any:
    if isinstance(value, list):
        return [_offer_kinds(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    family = value.get("x-syncline-family")
    if family is not None:
        offers: list[Any] = [{"$ref": f"{_PLACE}{family}.{name}"} for name in kinds(family)]
        rest = {key: inner for key, inner in value.items() if key not in ("x-syncline-family", "x-syncline-also")}
        return {**rest, "anyOf": offers + _offer_kinds(value.get("x-syncline-also", []))}
    cleaned = {key: _offer_kinds(inner) for key, inner in value.items() if key != "title" or not isinstance(inner, str)}
    if "title" in value and "$schema" in value:
        cleaned["title"] = value["title"]
    return cleaned
