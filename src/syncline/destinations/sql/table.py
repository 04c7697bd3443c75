"""A table as it is now, and what is to be changed about it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from syncline.destinations.values import Logical


class Column(msgspec.Struct, frozen=True):
    """A column; `declared` is its type as the database spells it.

    `lossy` marks one of somebody else's making in which the database may change a value without saying so. `fits` are the digits
    before and after the point that a decimal column of fixed size holds.
    """

    name: str
    declared: str
    logical: Logical
    lossy: bool = False
    fits: tuple[int, int] | None = None


class Table(msgspec.Struct):
    """A table; `columns` by folded name. `ours` is one that Syncline made, whose columns it may widen."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...] = ()
    exists: bool = False
    ours: bool = True


class Change(msgspec.Struct, frozen=True):
    """A change of a table: the statement that people see, and what does it (the statement itself, where that is left out)."""

    statement: str
    apply: Callable[[], None] | None = None
