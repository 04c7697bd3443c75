"""What no single field can know: whether the parts of an integration fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from syncline.destinations import Destination
from syncline.errors import OriginError
from syncline.http.origins import check_url
from syncline.model import Part
from syncline.model.names import did_you_mean
from syncline.pagination import Unpaged
from syncline.spec.integration import Integration, Stream
from syncline.spec.keys import MissingKey, key_columns
from syncline.spec.mistakes import Path

_MEANT = re.compile(r"\$\{(?:[A-Z_][A-Z0-9_]*|[a-z][a-z-]*:[^{}]+)\}")
"""What somebody wrote as a reference, where text is text."""


def lint_integration(integration: Integration) -> Iterator[tuple[Path, str]]:
    """Every misfit, as a path into the file and a sentence that says what to do."""
    names = [stream.name for stream in integration.streams]
    tables: dict[str, str] = {}
    yield from _lint_address(integration.source)
    for index, stream in enumerate(integration.streams):
        at: Path = ("streams", index)
        if names.index(stream.name) != index:
            yield (*at, "name"), f"there are two streams named {stream.name!r}; give each its own name"
        known = _known_names(stream, integration, frozenset())
        yield from ((at + path, what) for path, what in _lint_stream(stream, known))
        yield from ((at + path, what) for path, what in _lint_parents(stream, integration))
        if misfit := _misfit(integration.source, stream):
            yield (*at, misfit.partition(" ")[0].partition(".")[0]), misfit
        destination = integration.destination
        if isinstance(destination, Destination) and (misfit := destination.misfit(stream.into, stream.deletes)):
            word = misfit.partition(" ")[0].rstrip(":")
            yield (*at, "into", word if word in type(stream.into).model_fields else "write"), misfit
        table = stream.into.table or stream.name
        if table in tables and names.index(stream.name) == index:
            yield (
                (*at, "into"),
                f"streams {tables[table]!r} and {stream.name!r} both write to {table!r}; give one another table",
            )
        tables.setdefault(table, stream.name)


def _lint_address(source: Part) -> Iterator[tuple[Path, str]]:
    """An address that stands in the file can be judged there; one by reference only when it is known."""
    base_url = getattr(source, "base_url", None)
    if isinstance(base_url, str):
        try:
            check_url(base_url, "base_url")
        except OriginError as error:
            yield ("source", "base_url"), f"{error.what}; {error.hint}"


def _misfit(source: Part, stream: Stream) -> str | None:
    judge = getattr(source, "misfit", None)
    return judge(stream) if judge else None


def _known_names(stream: Stream, integration: Integration, below: frozenset[str]) -> tuple[str, ...]:
    """What a path may use: the names given by the stream's own parents and partitions, then those of its ancestors."""
    names = stream.context_names
    for parent in stream.parents:
        for other in integration.streams:
            if other.name == parent.stream and other.name not in below:
                names += _known_names(other, integration, below | {stream.name})
    return names


def _lint_stream(stream: Stream, known: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for name in stream.placeholders:
        if name not in known:
            yield ("path",), f"{{{name}}} is given by no parent and no partitions; {did_you_mean(name, known)}"
    if len(set(stream.context_names)) != len(stream.context_names):
        yield ("parent",), "two parents or partitions go by the same name; change an 'as'"
    if stream.into.write == "upsert":
        if not stream.primary_key:
            yield ("into",), "write: upsert needs the stream's primary_key; or write: append"
        else:
            try:
                key_columns(stream)
            except MissingKey as missing:
                yield ("mapping",), f"the key {missing.path!r} is not among the mapped fields; add {missing.suggestion}"
    if stream.into.write == "replace" and stream.incremental is not None:
        yield (
            ("into", "write"),
            "write: replace puts what a pass brings in the place of all rows, and an incremental pass brings only what is new; "
            "write: upsert, or no incremental",
        )
    yield from _lint_deletes(stream)
    targets = stream.mapping.targets if stream.mapping is not None else None
    for column in stream.into.children:
        if targets is not None and column not in targets:
            yield ("into", "children"), f"{column!r} is not among the mapped fields; {did_you_mean(column, targets)}"
        if not stream.primary_key:
            yield ("into", "children"), "rows of lists need the parent's key; set the stream's primary_key"
    if stream.single and not isinstance(stream.pagination, Unpaged):
        yield ("pagination",), "a stream of a single record has no pages; remove pagination or single"
    if stream.body is not None and stream.method == "GET":
        yield ("body",), "a GET has no body; set method: POST, and repeatable: true if it only reads"
    for name in ("body", "variables", "where"):
        for path, reference in _references_in(getattr(stream, name)):
            what = f"{reference} is no reference here, but text that would be used as it stands; references work in"
            yield (name, *path), f"{what} source, destination, and a stream's params and headers"


def _lint_deletes(stream: Stream) -> Iterator[tuple[Path, str]]:
    deletes = stream.deletes
    if deletes is None:
        return
    if deletes.when is None and not deletes.missing:
        yield ("deletes",), "deletes says nothing; write when: deleted_at, or missing: true"
    if stream.into.write != "upsert":
        yield (
            ("deletes",),
            f"rows of write: {stream.into.write} are not deleted one by one; deletes is for write: upsert",
        )


def _references_in(value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str) and (found := _MEANT.search(value)):
        yield (), found[0]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, one in inner:
        yield from (((key, *path), reference) for path, reference in _references_in(one))


def _lint_parents(stream: Stream, integration: Integration) -> Iterator[tuple[Path, str]]:
    others = {other.name: other for other in integration.streams}
    for parent in stream.parents:
        if parent.stream not in others:
            names = [name for name in others if name != stream.name]
            yield ("parent", "stream"), f"there is no stream {parent.stream!r}; {did_you_mean(parent.stream, names)}"
    line, seen = [stream], {stream.name}
    while line:
        for parent in line.pop().parents:
            if parent.stream == stream.name:
                yield ("parent",), f"{stream.name!r} is its own parent"
                return
            if parent.stream in others and parent.stream not in seen:
                seen.add(parent.stream)
                line.append(others[parent.stream])
