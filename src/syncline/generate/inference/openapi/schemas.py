"""JSON Schema, as OpenAPI documents of all versions write it, read into `Schema` as deep as the rules look."""

from __future__ import annotations

from typing import Any

from syncline.generate.inference.openapi.references import References
from syncline.generate.inference.schema import Schema, Type, of_samples

MAX_DEPTH = 7
MAX_NODES = 4_000
MAX_PROPERTIES = 300
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


class Schemas:
    """Reads one document's schemas. What is asked for twice is read once; circles end where they close."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._known: dict[tuple[str, int], Schema] = {}
        self._left = MAX_NODES

    def read(self, node: Any) -> Schema:
        """The schema of one answer or parameter."""
        self._left = MAX_NODES
        return self._read(node, 0, frozenset())

    def _read(self, node: Any, depth: int, within: frozenset[str]) -> Schema:
        self._left -= 1
        if not isinstance(node, dict) or depth > MAX_DEPTH or self._left <= 0:
            return Schema()
        target = node.get("$ref")
        if not isinstance(target, str):
            return self._plain(node, depth, within)
        if target in within:
            return Schema(type="object", open=True)
        if len(node) > 1:
            return self._plain(self._references.follow(node), depth, within | {target})
        key = (target, depth)
        if key not in self._known:
            found = self._plain(self._references.follow(node), depth, within | {target})
            if self._left <= 0:
                return found
            self._known[key] = found
        return self._known[key]

    def _plain(self, node: dict[str, Any], depth: int, within: frozenset[str]) -> Schema:
        merged = self._merged(node, depth, within)
        if merged is not None:
            return merged
        kind, nullable = _type(node)
        samples = _samples(node)
        if kind == "any" and samples and "properties" not in node:
            return of_samples(samples)
        fields: dict[str, Any] = {
            "type": kind,
            "format": node.get("format") if isinstance(node.get("format"), str) else None,
            "description": str(node.get("description") or node.get("title") or "")[:1_000],
            "nullable": nullable,
            "samples": tuple(samples),
        }
        if kind == "array":
            inner = self._read(node.get("items"), depth + 1, within)
            if inner.type == "any" and samples and isinstance(samples[0], list):
                inner = of_samples(samples[0])
            return Schema(items=inner, **fields)
        if kind != "object":
            return Schema(**fields)
        properties = node.get("properties")
        if not isinstance(properties, dict) or not properties:
            seen = [sample for sample in samples if isinstance(sample, dict)]
            if seen and depth < 3:
                return of_samples(seen)
            return Schema(open=True, **fields)
        required = node.get("required")
        return Schema(
            properties={
                str(name): self._read(inner, depth + 1, within)
                for name, inner in list(properties.items())[:MAX_PROPERTIES]
            },
            required=frozenset(str(name) for name in required) if isinstance(required, list) else frozenset(),
            told=isinstance(required, list) and bool(required),
            **fields,
        )

    def _merged(self, node: dict[str, Any], depth: int, within: frozenset[str]) -> Schema | None:
        """What `allOf` adds up to, or what the alternatives of `oneOf` and `anyOf` have."""
        parts = [part for part in _list(node.get("allOf")) if isinstance(part, dict)]
        if parts:
            own = {key: value for key, value in node.items() if key != "allOf"}
            described = {"description", "nullable", "title", "example", "xml"}
            if any(key not in described for key in own):
                parts.append(own)
            read = [self._read(part, depth, within) for part in parts]
            return _all(read, str(own.get("description") or ""))
        for word in ("oneOf", "anyOf"):
            choices = [part for part in _list(node.get(word)) if isinstance(part, dict)]
            if not choices:
                continue
            read = [self._read(part, depth, within) for part in choices[:20]]
            nullable = any(one.type == "null" for one in read)
            solid = [one for one in read if one.type not in ("null", "any")]
            if not solid:
                return Schema(nullable=nullable)
            if node.get("properties"):
                own = {key: value for key, value in node.items() if key != word}
                solid = [_all([self._plain(own, depth, within), one], "") for one in solid if one.type == "object"]
            return _any(solid or read, nullable)
        return None


def _all(parts: list[Schema], description: str) -> Schema:
    objects = [part for part in parts if part.type == "object" or part.properties]
    if not objects:
        solid = [part for part in parts if part.type != "any"]
        return solid[0] if solid else Schema(description=description)
    properties: dict[str, Schema] = {}
    for part in objects:
        for name, inner in part.properties.items():
            known = properties.get(name)
            properties[name] = inner if known is None or known.type == "any" else _narrower(known, inner)
    return Schema(
        type="object",
        description=description or objects[0].description,
        properties=properties,
        required=frozenset(name for part in objects for name in part.required),
        told=any(part.told for part in objects),
        open=not properties,
        nullable=any(part.nullable for part in parts),
        samples=tuple(sample for part in objects for sample in part.samples)[:3],
    )


def _narrower(first: Schema, second: Schema) -> Schema:
    if first.type == second.type == "object":
        return _all([first, second], "")
    if second.type == "array" and second.items is not None and second.items.type != "any":
        return second
    return first


def _any(choices: list[Schema], nullable: bool) -> Schema:
    if len(choices) == 1 or len({choice.type for choice in choices}) > 1:
        # of a list and a single thing, the list says more; otherwise the first is the usual one
        lists = [choice for choice in choices if choice.type == "array"]
        return (lists or choices)[0]
    if choices[0].type != "object":
        return choices[0]
    properties: dict[str, Schema] = {}
    for choice in choices:
        for name, inner in choice.properties.items():
            properties.setdefault(name, inner)
    required = frozenset.intersection(*(choice.required for choice in choices))
    return Schema(
        type="object",
        properties=properties,
        required=required,
        told=all(choice.told for choice in choices),
        open=not properties,
        nullable=nullable,
        description=choices[0].description,
    )


def _type(node: dict[str, Any]) -> tuple[Type, bool]:
    given = node.get("type")
    kinds = [kind for kind in (given if isinstance(given, list) else [given]) if kind in _TYPES]
    nullable = node.get("nullable") is True or node.get("x-nullable") is True or (len(kinds) > 1 and "null" in kinds)
    solid = [kind for kind in kinds if kind != "null"]
    if solid:
        return solid[0], nullable
    if kinds:
        return "null", True
    if isinstance(node.get("properties"), dict):
        return "object", nullable
    if "items" in node:
        return "array", nullable
    if isinstance(node.get("additionalProperties"), dict):
        return "object", nullable
    return "any", nullable


def _samples(node: dict[str, Any]) -> list[Any]:
    found = [node["example"]] if "example" in node else []
    found += _list(node.get("examples"))[:3]
    return [value for value in found if value is not None]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
