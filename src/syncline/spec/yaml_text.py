"""YAML as integration files use it: data with positions, and nothing that guesses.

A plain scalar is a number, a truth value or nothing only where JSON would say so too (`null`, `true` and their spellings of
the YAML 1.2 core schema, and `~`, included); everything else is text: `NO`, `yes`, `12:30`, `007`, `1_000`, `+33`, `0x1F`,
`.5`, `2024-01-01`. Integers have any size. Other numbers are floats where the float says exactly what is written, else
Decimal. Keys are always text. Tags, merge keys and repeated keys are refused; aliases, size and depth are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from syncline.errors import Mistake, SpecError
from syncline.spec.libyaml import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_ALIASED = 10_000
MAX_MISTAKES = 100

Path = Sequence[str | int]

_SPECIAL: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_SPECIAL |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NUMBER = r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"
_UNREADABLE_ASCII = re.compile("[^\t\n\r -~]")
# this one and the writer's patterns below are compiled when they are first needed: most runs need none of them
_UNREADABLE = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_WORD = re.compile(r"[A-Za-z_][\w-]*")

_SENTENCES = (
    (
        "mapping values are not allowed",
        "a ':' stands where no value can begin; quote the text, mend the indentation or close the bracket above",
    ),
    ("maximum nesting depth", f"more than {MAX_DEPTH} levels deep"),
    ("did not find expected key", "the indentation does not fit the lines above, or something before is not closed"),
    ("did not find expected '-'", "the indentation does not fit the list above; every item begins with '- '"),
    ("could not find expected ':'", "a ':' is missing after this key, or a bracket above is not closed"),
    ("did not find expected ',' or '}'", "a ',' or '}' is missing"),
    ("did not find expected ',' or ']'", "a ',' or ']' is missing"),
    ("unexpected end of stream", "a quote is not closed"),
    ("unknown escape character", "an unknown escape after '\\'; write '\\\\' for a backslash or use single quotes"),
    ("block sequence entries are not allowed", "a list cannot begin here; put it on a line of its own"),
    ("expected <document start>", "the document has come to its end before this; mend the indentation or a quote"),
    ("did not find expected node content", "a value is missing here"),
    ("found a tab character that violates indentation", "a tab stands here; indent with spaces"),
    ("exceeded maximum nesting depth", f"more than {MAX_DEPTH} levels deep"),  # libyaml's own limit is a higher one
)


class _Node:
    """A value and where it stands; `children` by key or index, `keys` the places of a mapping's keys."""

    __slots__ = ("children", "column", "data", "keys", "line", "weight")

    def __init__(self, data: Any, line: int, column: int) -> None:
        self.data = data
        self.line = line
        self.column = column
        self.children: dict[str, _Node] | list[_Node] | None = None
        self.keys: dict[str, tuple[int, int]] | None = None
        self.weight = 1

    def child(self, step: str | int) -> _Node | None:
        if isinstance(self.children, dict):
            return self.children.get(str(step))
        if isinstance(self.children, list) and isinstance(step, int) and 0 <= step < len(self.children):
            return self.children[step]
        return None


class Document:
    """One file's plain data, and where each piece of it stands."""

    def __init__(self, name: str, root: _Node) -> None:
        self.name = name
        self.data: Any = root.data
        self._root = root

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its key.

        Of what does not exist, the nearest thing around it that does: by its key where it has one.
        """
        node, place = self._root, (self._root.line, self._root.column)
        for number, step in enumerate(path):
            child = node.child(step)
            if child is None:
                return place
            place = (node.keys or {}).get(str(step), (child.line, child.column))
            node = child
            if number == len(path) - 1 and not key:
                return node.line, node.column
        return place

    def mistake(self, path: Path, what: str, *, key: bool = False) -> Mistake:
        """What is wrong with the value (or the key) at `path`."""
        line, column = self.position(path, key=key)
        return Mistake(self.name, line, column, show_path(path), what)


def show_path(path: Path) -> str:
    """`streams[0].mapping.email`; keys that are no words stand in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if _WORD.fullmatch(step) else '"' + step.replace('"', '\\"') + '"'
            text += f".{word}" if text else word
    return text


def read(text: str | bytes, name: str) -> Document:
    """Read one document. Raises SpecError with a Mistake for everything that is wrong, as far as reading could go on."""
    reader = _Reader(name)
    root = reader.read(_decode(text, name))
    if reader.mistakes:
        raise _spec_error(name, reader.mistakes)
    return Document(name, root)


def _spec_error(name: str, mistakes: list[Mistake]) -> SpecError:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return SpecError(f"{name} has {count}", mistakes=mistakes, hint="mend the places named and check again")


def _decode(text: str | bytes, name: str) -> str:
    size = len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        raise _spec_error(name, [Mistake(name, 1, 1, "", f"the file has {size:,} bytes; {MAX_BYTES:,} are allowed")])
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            line, column = _place(raw[: error.start].decode(errors="replace"))
            raise _spec_error(
                name, [Mistake(name, line, column, "", "this is not UTF-8; save the file as UTF-8")]
            ) from None
    text = text.removeprefix("\ufeff")
    if bad := _UNREADABLE_ASCII.search(text) if text.isascii() else re.search(_UNREADABLE, text):
        line, column = _place(text[: bad.start()])
        what = f"the character U+{ord(bad[0]):04X} cannot stand in a file; write \\u{ord(bad[0]):04x} in double quotes"
        raise _spec_error(name, [Mistake(name, line, column, "", what)])
    return text


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Reader:
    """Builds nodes from libyaml's events, one document, mistakes collected on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mistakes: list[Mistake] = []
        self.path: list[str | int] = []
        self.anchors: dict[str, _Node | None] = {}
        self.aliased = 0

    def read(self, text: str) -> _Node:
        loader = yaml.CSafeLoader(text)
        self.next = loader.get_event
        try:
            self.next()
            if type(self.next()) is yaml.StreamEndEvent:
                self._stop("the file is empty", 1, 1)
            root = self._node(self.next())
            self.next()
            if type(extra := self.next()) is not yaml.StreamEndEvent:
                self._stop("a second document begins here; one file is one document", *_start(extra))
        except yaml.MarkedYAMLError as error:
            self._stop_at(error, text)
        finally:
            loader.dispose()
        return root

    def _node(self, event: Any) -> _Node:
        if type(event) is yaml.AliasEvent:
            return self._alias(event)
        mark = event.start_mark
        node = _Node(None, mark.line + 1, mark.column + 1)
        if event.tag is not None:
            self._note(f"the tag {event.tag} is not allowed; kinds are written as kind: …", node.line, node.column)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if type(event) is yaml.ScalarEvent:
            node.data = self._scalar(event) if event.implicit[0] else event.value
        else:
            if len(self.path) >= MAX_DEPTH:
                self._stop(f"more than {MAX_DEPTH} levels deep", node.line, node.column)
            if type(event) is yaml.MappingStartEvent:
                self._mapping(node)
            else:
                self._sequence(node)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _mapping(self, node: _Node) -> None:
        data: dict[str, Any] = {}
        children: dict[str, _Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        node.data, node.children, node.keys = data, children, keys
        while type(event := self.next()) is not yaml.MappingEndEvent:
            line, column = _start(event)
            key = self._key(event, line, column)
            self.path.append(key)
            if key in keys:
                first = keys[key]
                self._note(f"{key!r} stands here twice; the first is on line {first[0]}", line, column)
            child = self._node(self.next())
            self.path.pop()
            if key not in keys:
                keys[key], children[key], data[key] = (line, column), child, child.data
            node.weight += child.weight

    def _key(self, event: Any, line: int, column: int) -> str:
        if type(event) is not yaml.ScalarEvent:
            self._stop("a key is text, not a list, a block or an alias", line, column)
        if event.tag is not None:
            self._note(f"the tag {event.tag} is not allowed", line, column)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Node(event.value, line, column)
        key = str(event.value)
        if event.implicit[0] and key == "":
            self._note("a key is missing before the ':'", line, column)
        if event.implicit[0] and key == "<<":
            self._note("merge keys (<<) are not allowed; write the fields out, or alias a whole block", line, column)
        return key

    def _sequence(self, node: _Node) -> None:
        data: list[Any] = []
        children: list[_Node] = []
        node.data, node.children = data, children
        while type(event := self.next()) is not yaml.SequenceEndEvent:
            self.path.append(len(data))
            child = self._node(event)
            self.path.pop()
            children.append(child)
            data.append(child.data)
            node.weight += child.weight

    def _alias(self, event: Any) -> _Node:
        line, column = _start(event)
        if event.anchor not in self.anchors:
            self._stop(f"there is no anchor &{event.anchor} above", line, column)
        target = self.anchors[event.anchor]
        if target is None:
            self._stop(f"*{event.anchor} contains itself", line, column)
        self.aliased += target.weight
        if self.aliased > MAX_ALIASED:
            self._stop(f"the aliases stand for more than {MAX_ALIASED:,} values", line, column)
        node = _Node(target.data, line, column)
        node.weight = target.weight
        return node

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if text in _SPECIAL:
            return _SPECIAL[text]
        if text[0] not in "-0123456789" or not (match := re.fullmatch(NUMBER, text)):
            return text
        try:
            return int(text) if match[1] is None and match[2] is None else _number(text)
        except (ValueError, InvalidOperation):
            self._note("the number is too large; put it in quotes to keep it as text", *_start(event))
            return text

    def _note(self, what: str, line: int, column: int) -> None:
        self.mistakes.append(Mistake(self.name, line, column, show_path(self.path), what))
        if len(self.mistakes) >= MAX_MISTAKES:
            raise _spec_error(self.name, self.mistakes)

    def _stop(self, what: str, line: int, column: int) -> NoReturn:
        path = show_path(self.path) if len(self.path) < MAX_DEPTH else ""
        raise _spec_error(self.name, [*self.mistakes, Mistake(self.name, line, column, path, what)]) from None

    def _stop_at(self, error: yaml.MarkedYAMLError, text: str) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = next((sentence for part, sentence in _SENTENCES if part in problem), problem)
        if "cannot start any token" in problem:
            lines = text.splitlines()
            found = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
            what = (
                "a tab stands here; indent with spaces"
                if found == "\t"
                else f"text beginning with {found} needs quotes"
            )
        self._stop(what, line, column)


def _start(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _number(text: str) -> float | Decimal:
    exact = Decimal(text)
    number = float(text)
    return number if Decimal(repr(number)) == exact else exact
