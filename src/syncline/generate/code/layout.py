"""Python expressions on lines of at most a hundred characters, laid out as formatters do it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

WIDTH = 100


class Group(msgspec.Struct, frozen=True):
    """Something with brackets: what opens and closes it, and its items, each with the text before its value."""

    start: str
    items: tuple[tuple[str, Any], ...]
    end: str
    single: bool = False
    """A tuple of one item needs a comma behind it on one line, too."""


def literal(value: Any) -> Any:
    """The expression of a plain value: text, numbers, lists, tuples and dictionaries of them, and groups."""
    if isinstance(value, dict):
        return Group("{", tuple((f"{text(str(key))}: ", literal(inner)) for key, inner in value.items()), "}")
    if isinstance(value, list):
        return Group("[", tuple(("", literal(inner)) for inner in value), "]")
    if isinstance(value, tuple):
        return Group("(", tuple(("", literal(inner)) for inner in value), ")", single=len(value) == 1)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool | int | float | None):
        return repr(value)
    if isinstance(value, Group):
        return value
    if isinstance(value, Decimal):
        return Group("Decimal(", (("", text(str(value))),), ")")
    raise TypeError(f"{type(value).__name__} has no literal")


def text(value: str) -> str:
    """A string literal: `repr`, in double quotes where that needs no escape."""
    written = repr(value)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in value else written


def lay_out(expression: Any, *, indent: int = 0, used: int = 0) -> str:
    """The expression, on one line where it fits behind `used` characters, else one item a line."""
    flat = _flat(expression)
    if not isinstance(expression, Group) or indent + used + len(flat) <= WIDTH:
        return flat
    if not expression.items:
        return flat
    pad = " " * (indent + 4)
    lines = [expression.start]
    for before, value in expression.items:
        laid = lay_out(value, indent=indent + 4, used=len(before) + 1)
        lines.append(f"{pad}{before}{laid},")
    return "\n".join([*lines, " " * indent + expression.end])


def _flat(expression: Any) -> str:
    if not isinstance(expression, Group):
        return str(expression)
    inner = ", ".join(f"{before}{_flat(value)}" for before, value in expression.items)
    return f"{expression.start}{inner}{',' if expression.single else ''}{expression.end}"


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
