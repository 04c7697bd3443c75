"""HTML and SVG in which nothing that comes from a file or an API means anything (S21)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

EMPTY = frozenset({"br", "meta", "line", "path", "polyline", "polygon", "rect", "circle"})


class Markup(str):
    """Text that is markup already; any other text is escaped where it is put in."""

    __slots__ = ()


Child = Markup | str | Iterable["Markup | str | None"] | None
"""What may stand within an element; nothing where it is None."""


def h(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element. `class_` is the class, other underscores become hyphens; attributes that are None are left out."""
    pairs = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    opening = f"<{name}{''.join(pairs)}>"
    if name in EMPTY:
        return Markup(opening.removesuffix(">") + "/>" if name not in ("br", "meta") else opening)
    return Markup(f"{opening}{''.join(map(_inner, children))}</{name}>")


def _inner(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in child))
    return "".join(map(_inner, child))
