"""Shapes: just those parts of a document that somebody reads, decoded straight into structs, the rest skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import GenericAlias
from typing import Any, Final

import msgspec

from syncline.model.paths import MISSING, Path, read_path

MAX_MEMBERS = 1_000
ELEMENT: Final = object()
"""Stands in a tree of keys for any index of a list."""


Types = Mapping[Path, type]
"""Of single values, by path; the index of an element is 0 in it."""
Met = dict[Path, set[type]]


class Shape(msgspec.Struct, frozen=True):
    """A struct type for objects of which only some keys matter.

    `members` gives for each key the attribute that holds it and, where only parts of it matter, its own shape, or that of the
    elements of its list; what is absent is None. Attribute names are ours (`m0`, `m1`, …): keys never become names. `types` are
    those of values that are of one type or null for sure.
    """

    type: type[msgspec.Struct]
    members: dict[str, tuple[str, Shape | Elements | None]]
    types: Types
    tree: dict[Any, Any]

    def read(self, path: Path, struct: Any) -> Any:
        """What stands at `path` of a decoded struct: MISSING where it is absent or null."""
        held: Shape | Elements | None = self
        value = struct
        for number, step in enumerate(path):
            if held is None:
                return read_path(path[number:], value)
            if isinstance(held, Elements):
                if not isinstance(step, int) or not -len(value) <= step < len(value):
                    return MISSING
                value, held = value[step], held.shape
            else:
                attribute, held = held.members[str(step)]
                value = getattr(value, attribute)
            if value is None:
                return MISSING
        return value

    def open(self, struct: Any) -> dict[str, Any]:
        """The struct as the object it was decoded from, with the keys that were read and are not null."""
        found: dict[str, Any] = {}
        for key, (attribute, inner) in self.members.items():
            value = getattr(struct, attribute)
            if value is None:
                continue
            if isinstance(inner, Shape):
                value = inner.open(value)
            elif inner is not None:
                value = [None if element is None else inner.shape.open(element) for element in value]
            found[key] = value
        return found

    def met(self, structs: Iterable[Any]) -> Met:
        """The types of the single values in these structs, by path."""
        found: Met = {}
        for struct in structs:
            _meet(self, struct, (), found)
        return found

    def narrowed(self, types: Types) -> Shape:
        """The same shape, whose values are decoded as these types only."""
        return _build(self.tree, (), {path: kind | None for path, kind in types.items()}, types) or self


class Elements(msgspec.Struct, frozen=True):
    """What is held of each element of a list."""

    shape: Shape


def shape_of(paths: Iterable[Path], types: Mapping[Path, Any] | None = None) -> Shape | None:
    """The shape that holds everything at these paths; `types` are those of single values, any value by default.

    None where that is no matter of some keys: a path to the whole, or to an element of a list that is the whole.
    """
    tree: dict[Any, Any] = {}
    for path in paths:
        steps = _leading_steps(path)
        if not steps or steps[0] is ELEMENT:
            return None
        _enter(tree, steps)
    return _build(tree, (), types or {}, {}) if tree else None


def _leading_steps(path: Path) -> list[Any]:
    """Keys, and ELEMENT for an index that keys follow."""
    steps: list[Any] = []
    for step in path:
        if isinstance(step, str):
            steps.append(step)
        elif isinstance(step, int):
            steps.append(ELEMENT)
        else:
            break
    while steps and steps[-1] is ELEMENT:
        steps.pop()
    return steps


def _enter(tree: dict[Any, Any], steps: list[Any]) -> None:
    for step in steps[:-1]:
        inner = tree.setdefault(step, {})
        if inner is None:
            return  # all of it is held already
        tree = inner
    tree[steps[-1]] = None


def _build(tree: dict[Any, Any], at: Path, types: Mapping[Path, Any], known: Types) -> Shape | None:
    if len(tree) > MAX_MEMBERS:
        return None
    members: dict[str, tuple[str, Shape | Elements | None]] = {}
    fields: list[tuple[str, Any, Any]] = []
    for number, (key, below) in enumerate(tree.items()):
        here = (*at, key)
        inner: Shape | Elements | None = None
        kind: Any = types.get(here, Any)
        if below is not None and set(below) == {ELEMENT} and below[ELEMENT] is not None:
            element = _build(below[ELEMENT], (*here, 0), types, known)
            if element is None:
                return None
            inner, kind = Elements(element), GenericAlias(list, (element.type | None,)) | None
        elif below is not None and ELEMENT not in below:
            inner = _build(below, here, types, known)
            if inner is None:
                return None
            kind = inner.type | None
        members[key] = (f"m{number}", inner)
        fields.append((f"m{number}", kind, None))
    names = {attribute: key for key, (attribute, _) in members.items()}
    # gc=False: what comes out of JSON is a tree, so no ring can run through these
    return Shape(msgspec.defstruct("Shaped", fields, rename=names, gc=False), members, known, tree)


def _meet(shape: Shape, struct: Any, at: Path, found: Met) -> None:
    for key, (attribute, inner) in shape.members.items():
        value = getattr(struct, attribute)
        if value is None:
            continue
        if inner is None:
            found.setdefault((*at, key), set()).add(type(value))
        elif isinstance(inner, Shape):
            _meet(inner, value, (*at, key), found)
        else:
            for element in value:
                if element is not None:
                    _meet(inner.shape, element, (*at, key, 0), found)
