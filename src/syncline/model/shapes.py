"""Shapes: just those parts of a document that somebody reads, decoded straight into structs, the rest skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from syncline.model.paths import MISSING, Path, read_path

MAX_MEMBERS = 1_000


class Shape(msgspec.Struct, frozen=True):
    """A struct type for objects of which only some keys matter.

    `members` gives for each key the attribute that holds it and, where only parts of it matter, its own shape; what is absent is
    None. Attribute names are ours (`m0`, `m1`, …): keys never become names.
    """

    type: type[msgspec.Struct]
    members: dict[str, tuple[str, Shape | None]]

    def read(self, path: Path, struct: Any) -> Any:
        """What stands at `path` of a decoded struct: MISSING where it is absent or null."""
        shape: Shape | None = self
        value = struct
        for number, step in enumerate(path):
            if shape is None:
                return read_path(path[number:], value)
            attribute, inner = shape.members[str(step)]
            value = getattr(value, attribute)
            if value is None:
                return MISSING
            shape = inner
        return value

    def open(self, struct: Any) -> dict[str, Any]:
        """The struct as the object it was decoded from, with the keys that were read and are not null."""
        found: dict[str, Any] = {}
        for key, (attribute, inner) in self.members.items():
            value = getattr(struct, attribute)
            if value is not None:
                found[key] = value if inner is None else inner.open(value)
        return found


def shape_of(paths: Iterable[Path], types: Mapping[Path, Any] | None = None) -> Shape | None:
    """The shape that holds everything at these paths; `types` are those of single values, any value by default.

    None where that is no matter of some keys: a path to the whole, or to an element of a list that is the whole.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        keys = _leading_keys(path)
        if not keys:
            return None
        _enter(tree, keys)
    return _build(tree, (), types or {}) if tree else None


def _leading_keys(path: Path) -> list[str]:
    keys: list[str] = []
    for step in path:
        if not isinstance(step, str):
            break
        keys.append(step)
    return keys


def _enter(tree: dict[str, Any], keys: list[str]) -> None:
    for key in keys[:-1]:
        inner = tree.setdefault(key, {})
        if inner is None:
            return  # all of it is held already
        tree = inner
    tree[keys[-1]] = None


def _build(tree: dict[str, Any], at: Path, types: Mapping[Path, Any]) -> Shape | None:
    if len(tree) > MAX_MEMBERS:
        return None
    members: dict[str, tuple[str, Shape | None]] = {}
    fields: list[tuple[str, Any, Any]] = []
    for number, (key, below) in enumerate(tree.items()):
        here = (*at, key)
        inner = None if below is None else _build(below, here, types)
        if below is not None and inner is None:
            return None
        members[key] = (f"m{number}", inner)
        kind: Any = types.get(here, Any) if inner is None else inner.type | None
        fields.append((f"m{number}", kind, None))
    names = {attribute: key for key, (attribute, _) in members.items()}
    # gc=False: what comes out of JSON is a tree, so no ring can run through these
    return Shape(msgspec.defstruct("Shaped", fields, rename=names, gc=False), members)
