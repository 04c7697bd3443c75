"""Why an API refuses a record, in its own words: which field, and what about it. The shapes that are in use, read by one walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncline.http.snippets import printable

LONGEST = 300
MOST = 4
DEPTH = 6

INNER = ("error", "errors", "details", "detail", "fieldViolations", "invalid-params", "invalid_params", "violations",
         "userErrors", "body", "result", "issues", "messages")  # fmt: skip
"""Where the particulars stand: JSON:API, RFC 9457, Google, Microsoft, GitHub, HubSpot, FastAPI, Symfony, GraphQL."""
FIELD = ("param", "field", "fields", "pointer", "parameter", "target", "loc", "propertyName", "propertyPath", "attribute",
         "property", "path", "source", "context", "name")  # fmt: skip
MESSAGE = ("message", "detail", "msg", "description", "reason", "error_description", "title", "error_message", "text")
CODE = ("errorCode", "code", "error", "type")
NOISE = ("data", "attributes", "body", "input", "query")
"""First steps of a pointer that belong to the request's envelope."""


def fault_of(document: Any) -> tuple[str, str]:
    """The field's path (empty where the API names none) and the reason (empty where it gives none)."""
    found = list(dict.fromkeys(_faults(document, "", DEPTH)))
    particular = [fault for fault in found if fault[0]] or found
    if not particular:
        return "", ""
    path = particular[0][0]
    reasons = [reason if one == path or not one else f"{one}: {reason}" for one, reason in particular[:MOST]]
    more = f" (and {len(particular) - MOST} more)" if len(particular) > MOST else ""
    return path, printable("; ".join(dict.fromkeys(reasons)) + more, LONGEST)


def _faults(document: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if not depth or not document:
        return
    if isinstance(document, str):
        yield path, document
    elif isinstance(document, list):
        for item in document[:50]:
            yield from _faults(item, path, depth - 1)
    elif isinstance(document, dict):
        yield from _in_object(document, path, depth)


def _in_object(document: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    here = _field(document) or path
    within: list[tuple[str, str]] = []
    for name in INNER:
        inner: Any = document.get(name)
        if isinstance(inner, dict | list):
            if isinstance(inner, dict) and _names_fields(inner):
                within += _by_field(inner, here, depth - 1)
            else:
                within += _faults(inner, here, depth - 1)
    yield from within
    message = next((document[name] for name in MESSAGE if isinstance(document.get(name), str) and document[name]), None)
    code = next((document[name] for name in CODE if isinstance(document.get(name), str) and document[name]), None)
    if message or (code and not within):
        said = message or str(code)
        yield here, f"{code}: {said}" if code and code not in said and not code.startswith("http") else said


def _names_fields(inner: dict[str, Any]) -> bool:
    """Whether it is an object of fields and what is wrong with each: {"email": ["has already been taken"]}."""
    if inner and all(isinstance(value, list) for value in inner.values()):
        return True
    known = inner.keys() & {*MESSAGE, *CODE, *INNER}
    return bool(inner) and not known and all(value and isinstance(value, str | list | dict) for value in inner.values())


def _by_field(inner: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in inner.items():
        yield from _faults(value, f"{path}.{name}" if path else str(name), depth)


def _field(document: dict[str, Any]) -> str:
    for name in FIELD:
        value = document.get(name)
        if name in ("name", "path", "source", "type") and not isinstance(value, dict) and len(document) < 2:
            continue
        if isinstance(value, dict):
            value = _field(value)
        if isinstance(value, list) and name in ("fields", "propertyName"):
            value = next(iter(value), None)
        elif isinstance(value, list):
            value = ".".join(str(step) for step in value if isinstance(step, str | int))
        if isinstance(value, str) and value:
            return _plain(value)
    return ""


def _plain(pointer: str) -> str:
    """`/data/attributes/email`, `body.email` and `email` all mean the field email."""
    steps = [step for step in pointer.lstrip("#").replace("/", ".").split(".") if step]
    while len(steps) > 1 and (steps[0] in NOISE or steps[0].isdigit()):
        steps = steps[1:]
    return printable(".".join(steps), 200)
