"""From rows to what is sent: filled paths and filled bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from syncline.http.origins import segment
from syncline.mapping.standard.texts import spell
from syncline.mapping.template import parse_template
from syncline.mapping.transform import TransformError
from syncline.model import MISSING, PathError, compile_path, put_path
from syncline.model.paths import read_path

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REMOTE = "id"
"""The placeholder that stands for a record's id at the destination."""
_PLACE = re.compile(r"\{([^{}]+)\}")
_FORM = re.compile(r"([A-Za-z]+) +(/\S*|https?://\S+)")


class Unfillable(ValueError):
    """A row that lacks what a request needs: where, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path, self.reason = path, reason


class Form(msgspec.Struct, frozen=True):
    """`POST /contacts?tag={tag}`, taken apart. Values are put in after that, so that none can end its place."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(_PLACE.findall(self.path + "&".join(value for _, value in self.params)))

    def fill(self, row: Mapping[str, Any], remote_id: Any = MISSING) -> str:
        """Method and path, as they are sent and stored. Raises Unfillable.

        `{id}` is `remote_id` where one is given, or None where the record's is not known; otherwise the row's. No place is left
        empty: `DELETE /contacts/` would mean another thing.
        """

        def value(name: str) -> str:
            if name == REMOTE and remote_id is None:
                raise Unfillable(
                    name, "the record's id at the destination is not known, so that it cannot be named there"
                )
            found = remote_id if name == REMOTE and remote_id is not MISSING else compile_path(name)(row)
            if found is None or found is MISSING or found == "" or isinstance(found, dict | list):
                raise Unfillable(
                    name, f"{name} is needed in the path {self.path!r}, and the row has no plain value there"
                )
            return "true" if found is True else "false" if found is False else str(found)

        path = _PLACE.sub(lambda place: segment(value(place[1])), self.path)
        if not self.params:
            return f"{self.method} {path}"
        query = [(name, _PLACE.sub(lambda place: value(place[1]), text)) for name, text in self.params]
        return f"{self.method} {path}?{urlencode(query, quote_via=quote)}"


@lru_cache(maxsize=256)
def parse_form(text: str) -> Form:
    """Raises PathError where it is no request."""
    match = _FORM.fullmatch(text.strip())
    method = match[1].upper() if match else ""
    if match is None or method not in METHODS:
        raise PathError(f"{text[:60]!r} is no request; write a method and a path: POST /contacts")
    path, _, query = match[2].partition("?")
    form = Form(method, path, tuple(parse_qsl(query, keep_blank_values=True)))
    if "{" in _PLACE.sub("", path + query) or "}" in _PLACE.sub("", path + query):
        raise PathError(f"{text[:60]!r} has a lone brace; a field of the row is written {{email}}")
    for name in form.places:
        compile_path(name)
    return form


def fill_body(template: Any, row: Mapping[str, Any]) -> Any:
    """A body with the row's values in the places of its fields: alone in a text, a value keeps its type. Raises Unfillable."""
    if isinstance(template, dict):
        return {name: fill_body(inner, row) for name, inner in template.items()}
    if isinstance(template, list):
        return [fill_body(inner, row) for inner in template]
    if not isinstance(template, str) or ("{" not in template and "}" not in template):
        return template
    pieces = parse_template(template)
    if len(pieces) == 1:
        found = read_path(pieces[0], row)  # type: ignore[arg-type]
        return None if found is MISSING else found
    return "".join(piece if isinstance(piece, str) else _spelled(read_path(piece, row), template) for piece in pieces)


def _spelled(value: Any, template: str) -> str:
    try:
        return "" if value is None or value is MISSING else spell(value)
    except TransformError as error:
        raise Unfillable(template[:80], str(error)) from None


def body_of(row: Mapping[str, Any], template: Any, omit: tuple[str, ...]) -> Any:
    """The record as it is sent, before it is wrapped."""
    if template is not None:
        return fill_body(template, row)
    return {name: value for name, value in row.items() if name not in omit}


def form_of(body: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A body as the fields of an HTML form: `address[city]`, `items[0][sku]`; null is the empty text."""
    if isinstance(body, dict | list):
        pairs = body.items() if isinstance(body, dict) else enumerate(body)
        for key, value in pairs:
            yield from form_of(value, f"{name}[{key}]" if name else str(key))
    else:
        yield name, "" if body is None else "true" if body is True else "false" if body is False else str(body)


def put(body: Any, place: str, value: Any) -> Any:
    """The body with a value at a path; `.` makes the value the body."""
    return value if place == "." else put_path(body, place, value)
