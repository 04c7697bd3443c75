"""Where files go: a pattern of names, placeholders and columns, and the paths that come of it."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal

import msgspec

from syncline.destinations.file.names import BARE_NULL, MAX_COMPONENT_BYTES, NULL, checked_name, component
from syncline.errors import PlanError, WriteError

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
RESERVED_FOLDERS = ("_manifest", ".syncline")
DAY = "%Y-%m-%d"

Kind = Literal["stream", "run", "date", "part", "column"]
Values = tuple[str | None, ...]
"""What a row's columns are in its path, escaped; None where there is none."""


class Field(msgspec.Struct, frozen=True):
    """A placeholder: `{stream}`, `{run}`, `{date}`, `{part}`, or a column, perhaps with a format for its time."""

    kind: Kind
    name: str
    format: str | None = None

    def __str__(self) -> str:
        return f"{{{self.name}:{self.format}}}" if self.format else f"{{{self.name}}}"


Piece = str | Field


class Mistaken(ValueError):
    """The pattern is not one; the message says why and what to write."""


class Names(msgspec.Struct, frozen=True):
    """What a pass is called in its files' names."""

    table: str
    run: str
    day: date


class Layout(msgspec.Struct, frozen=True):
    """A pattern that was read: the root, which nothing is written outside of, and the components below it."""

    root: str
    components: tuple[tuple[Piece, ...], ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(piece for pieces in self.components for piece in pieces if isinstance(piece, Field))

    @property
    def columns(self) -> tuple[Field, ...]:
        """The placeholders that a row fills, in their order; each once."""
        return tuple(dict.fromkeys(field for field in self.fields if field.kind == "column"))

    def has(self, kind: Kind) -> bool:
        return any(field.kind == kind for field in self.fields)

    def path(self, names: Names, values: Values = (), part: int = 1) -> str:
        """The file of this partition, relative to the root, with slashes. Raises WriteError where it gets too long."""
        given = dict(zip(self.columns, values, strict=True))
        made = []
        for pieces in self.components:
            text = "".join(self._piece(piece, pieces, names, given, part) for piece in pieces)
            first = pieces[0] if pieces else ""
            name = component(text, from_data=isinstance(first, Field) and first.kind == "column")
            if len(name.encode()) > MAX_COMPONENT_BYTES:
                raise WriteError(
                    f"a file's name would be longer than {MAX_COMPONENT_BYTES} bytes: {name[:60]}…",
                    hint="put fewer columns into one name of the destination's path",
                )
            made.append(name)
        return "/".join(made)

    @staticmethod
    def _piece(piece: Piece, around: tuple[Piece, ...], names: Names, given: dict[Field, str | None], part: int) -> str:
        if isinstance(piece, str):
            return piece
        if piece.kind == "stream":
            return names.table
        if piece.kind == "run":
            return names.run
        if piece.kind == "date":
            return names.day.strftime(piece.format or DAY)
        if piece.kind == "part":
            return f"{part:04d}"
        value = given[piece]
        if value is None:
            place = around.index(piece)
            before = around[place - 1] if place else ""
            return NULL if isinstance(before, str) and before.endswith("=") else BARE_NULL
        return value


def read_pattern(pattern: str) -> tuple[str, tuple[tuple[Piece, ...], ...]]:
    """Root and components of a pattern. Raises Mistaken."""
    if not pattern or "\0" in pattern or set("{}") & set(PLACEHOLDER.sub("", pattern)):
        raise Mistaken(f"the path {pattern!r} is not a pattern; write out/{{stream}}/{{run}}.jsonl, or a folder")
    if "{" not in pattern:
        return pattern.rstrip("/") or "/", ()
    before = pattern.partition("{")[0]
    root, slash, _ = before.rpartition("/")
    if root.endswith((":", ":/")) or before.endswith("://"):
        raise Mistaken("the bucket of a store cannot be a placeholder; write its name")
    rest = pattern[len(root) + len(slash) :]
    components = [_component(text) for text in _split(rest)]
    return (root if root or not slash else "/") or ".", tuple(components)


def _split(text: str) -> list[str]:
    """At the slashes; within a placeholder a slash belongs to its format, which is then split with it."""

    def spread(match: re.Match[str]) -> str:
        name, colon, form = match[1].partition(":")
        return "/".join(f"{{{name}{colon}{piece}}}" for piece in form.split("/")) if "/" in form else match[0]

    return PLACEHOLDER.sub(spread, text).split("/")


def _component(text: str) -> tuple[Piece, ...]:
    if text in (".", ".."):
        raise Mistaken(f"the path cannot hold {text!r} behind a placeholder")
    pieces: list[Piece] = []
    at = 0
    for match in PLACEHOLDER.finditer(text):
        if match.start() > at:
            pieces.append(text[at : match.start()])
        pieces.append(_field(match[1]))
        at = match.end()
    if at < len(text):
        pieces.append(text[at:])
    return tuple(pieces)


def _field(text: str) -> Field:
    name, colon, form = text.partition(":")
    kind: Kind = "column"
    if name in ("stream", "run", "date", "part"):
        kind = name  # type: ignore[assignment]
    elif not name or name == "row.":
        raise Mistaken("the path has an empty placeholder {}; name a column, or stream, run, date or part")
    name = name.removeprefix("row.") if kind == "column" else name
    if not colon:
        return Field(kind, name)
    if kind not in ("date", "column"):
        raise Mistaken(f"{{{text}}}: {name} takes no format; write {{{name}}}")
    if "%" not in form or datetime(2026, 11, 22).strftime(form) == form:
        raise Mistaken(f"{{{text}}}: {form!r} is not a format of a time; write {{{name}:%Y-%m-%d}}")
    return Field(kind, name, form)


def layout(pattern: str, *, write: str, ending: str, rolling: bool) -> Layout:
    """The layout for a way of writing. `rolling`: a partition may get several files.

    Raises Mistaken where the files of two streams, of two runs, or of two parts would have the same name.
    """
    root, components = read_pattern(pattern)
    if not components:
        if pattern.removesuffix(".gz").endswith(tuple(ENDINGS)):
            folder, _, name = pattern.rpartition("/")
            better = f"{folder}/{{stream}}-{name}" if folder else f"{{stream}}-{name}"
            raise Mistaken(f"the path {pattern!r} names one file for all streams; write a folder, or {better}")
        components = (_component(_default_name(write, rolling) + ending),)
    elif not components[-1]:
        components = (*components[:-1], _component("{run}" + ending))
    found = Layout(root, components)
    if rolling and not found.has("part"):
        found = Layout(root, (*components[:-1], _with_part(components[-1])))
    _judge(found, pattern, write)
    if found.components[0] in [(folder,) for folder in RESERVED_FOLDERS]:
        raise Mistaken(f"the folder {found.components[0][0]!r} is where Syncline keeps its manifests; choose another")
    if not all(found.components):
        raise Mistaken(f"the path {pattern!r} has two slashes in a row")
    return found


def _default_name(write: str, rolling: bool) -> str:
    if write != "replace":
        return "{stream}-{run}"
    return "{stream}-{run}-{part}" if rolling else "{stream}"


def _with_part(last: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """`-{part}` before the name's ending."""
    part: tuple[Piece, ...] = ("-", Field("part", "part"))
    if isinstance(last[-1], str) and "." in last[-1]:
        stem, dot, ending = last[-1].partition(".")
        return (*last[:-1], *((stem,) if stem else ()), *part, dot + ending)
    return (*last, *part)


def _judge(found: Layout, pattern: str, write: str) -> None:
    if not found.has("stream"):
        raise Mistaken(f"the path {pattern!r} has no {{stream}}; add it, so that streams do not share a file")
    if found.has("run"):
        return
    if write == "append":
        raise Mistaken(f"write: append makes one file a run, but the path {pattern!r} has no {{run}}; add it")
    if found.columns or found.has("part"):
        raise Mistaken(
            f"the path {pattern!r} has no {{run}}; add it: new files of a set stand beside the old until all are there"
        )


def named(table: str, run: str, day: date) -> Names:
    """Raises PlanError for names that cannot be a file's."""
    if table in RESERVED_FOLDERS:
        raise PlanError(f"the name {table!r} is taken", hint="choose another one: `into: {table: orders}`")
    return Names(checked_name(table), checked_name(run), day)
