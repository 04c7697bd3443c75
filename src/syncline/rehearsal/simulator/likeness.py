"""What records look like, where somebody can show it: recorded answers, a JSON Schema, or an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncline.model import read_path
from syncline.model.paths import Path, parse_path
from syncline.rehearsal.simulator.values import VALUES, Make, kind_by_name
from syncline.sources.endpoint import PLACEHOLDER
from syncline.spec import Stream

Likeness = dict[Path, Make]
"""What stands at each path of a record; the elements of a list stand at index 0."""

MOST = 200
"""Records of a sample that are looked at."""
DEEPEST = 8
FORMATS = {
    "date-time": "moment",
    "date": "day",
    "time": "time",
    "email": "email",
    "uri": "url",
    "url": "url",
    "uuid": "uuid",
    "byte": "base64",
}
TYPES = {"integer": "integer", "number": "number", "boolean": "flag"}
METHODS = ("get", "post", "put")


def likeness_of(document: Any, stream: Stream) -> Likeness:
    """What a document says of this stream's records; nothing where it does not speak of them."""
    if isinstance(document, dict) and ("openapi" in document or "swagger" in document):
        schema = _answer_schema(document, stream)
        return dict(_from_schema(schema, document, (), DEEPEST)) if schema else {}
    if isinstance(document, dict) and ("$schema" in document or "properties" in document):
        return dict(_from_schema(document, document, (), DEEPEST))
    return _from_samples(_records(document, stream))


def _records(document: Any, stream: Stream) -> list[Any]:
    """The records of a recorded answer, of a list of records, or one record."""
    found = read_path(parse_path(stream.records), document) if stream.records else document
    if isinstance(found, list):
        return found[:MOST]
    return document[:MOST] if isinstance(document, list) else [document] if isinstance(document, dict) else []


def _from_samples(records: Sequence[Any]) -> Likeness:
    met: dict[Path, list[Any]] = {}
    for record in records:
        for path, value in _leaves(record, (), DEEPEST):
            met.setdefault(path, []).append(value)
    inner = {path[:length] for path in met for length in range(len(path))}
    return {path: _one_of(values) for path, values in met.items() if path not in inner}


def _leaves(value: Any, path: Path, depth: int) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and depth:
        for name, below in value.items():
            yield from _leaves(below, (*path, name), depth - 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict) and depth:
        for element in value:
            yield from _leaves(element, (*path, 0), depth - 1)
    else:
        yield path, value


def _one_of(values: Sequence[Any]) -> Make:
    return lambda h, n: values[(h >> 33) % len(values)]


def _from_schema(schema: Any, root: Any, path: Path, depth: int) -> Iterator[tuple[Path, Make]]:
    schema = _resolved(schema, root)
    properties = _properties(schema, root)
    if properties and depth:
        for name, inner in properties.items():
            yield from _from_schema(inner, root, (*path, str(name)), depth - 1)
        return
    kind = _type_of(schema)
    if kind == "array" and depth:
        items = _resolved(schema.get("items") or {}, root)
        if _properties(items, root):
            yield from _from_schema(items, root, (*path, 0), depth - 1)
        else:
            yield path, VALUES["numbers" if _type_of(items) in ("integer", "number") else "list"]
    elif path:
        yield path, _leaf(schema, kind, str(path[-1]))


def _leaf(schema: Mapping[str, Any], kind: str | None, name: str) -> Make:
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and choices:
        return _one_of(choices)
    if kind == "object":
        return VALUES["object"]
    if kind in TYPES:
        return VALUES[TYPES[kind]]
    found = FORMATS.get(str(schema.get("format")))
    by_name = kind_by_name(name)
    plain = by_name if isinstance(VALUES[by_name](0, 0), str) else "words"
    return VALUES[found or plain]


def _resolved(schema: Any, root: Any) -> dict[str, Any]:
    """The schema behind a reference within the document; those that lead elsewhere say nothing."""
    for _ in range(DEEPEST):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            break
        steps = schema["$ref"].removeprefix("#/").split("/") if schema["$ref"].startswith("#/") else ["$"]
        schema = root
        for step in steps:
            schema = schema.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    if not isinstance(schema, dict):
        return {}
    for name in ("oneOf", "anyOf"):
        options = [one for one in schema.get(name) or () if isinstance(one, dict) and one.get("type") != "null"]
        if options:
            return _resolved(options[0], root)
    return schema


def _properties(schema: Mapping[str, Any], root: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in schema.get("allOf") or ():
        found |= _properties(_resolved(part, root), root)
    own = schema.get("properties")
    return {**found, **own} if isinstance(own, dict) else found


def _type_of(schema: Mapping[str, Any]) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    return str(kind) if kind else "array" if "items" in schema else None


def _answer_schema(document: dict[str, Any], stream: Stream) -> dict[str, Any] | None:
    """The schema of the stream's records, by its path and where in the answer they stand."""
    wanted = PLACEHOLDER.sub("{}", stream.path).strip("/")
    paths = document.get("paths")
    for text, operations in (paths if isinstance(paths, dict) else {}).items():
        if not isinstance(operations, dict) or not _same_path(re.sub(r"\{[^}]*\}", "{}", str(text)).strip("/"), wanted):
            continue
        for method in METHODS:
            schema = _success(operations.get(method), document)
            if schema is not None:
                return _at_the_records(schema, document, stream)
    return None


def _same_path(theirs: str, ours: str) -> bool:
    """Whether one is the other, or the other below a base path."""
    return theirs == ours or theirs.endswith(f"/{ours}") or ours.endswith(f"/{theirs}")


def _success(operation: Any, root: Any) -> dict[str, Any] | None:
    responses = operation.get("responses") if isinstance(operation, dict) else None
    for status, response in (responses if isinstance(responses, dict) else {}).items():
        if str(status).startswith("2") or status == "default":
            found = _resolved(response, root)
            contents = found.get("content")
            for media in (contents if isinstance(contents, dict) else {}).values():
                if isinstance(media, dict) and "schema" in media:
                    return _resolved(media["schema"], root)
            if "schema" in found:
                return _resolved(found["schema"], root)
    return None


def _at_the_records(schema: dict[str, Any], root: Any, stream: Stream) -> dict[str, Any] | None:
    for step in parse_path(stream.records) if stream.records and stream.records != "." else ():
        schema = _resolved(_properties(schema, root).get(str(step)), root)
    return _resolved(schema["items"], root) if "items" in schema else schema or None
