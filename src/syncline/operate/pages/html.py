"""HTML that cannot be injected into: every text is escaped, unless it was made here."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

VOID = frozenset({"meta", "link", "input", "br", "hr", "rect", "line", "circle", "path"})


class Html(str):
    """Markup that was made by `tag`, and is not escaped again."""

    __slots__ = ()


Content = str | int | None | Iterable[Any]


def tag(name: str, /, *children: Content, **attributes: object) -> Html:
    """An element. Texts are escaped, None is left out, lists are opened; `class_` and `data_x` mean class and data-x."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID and not children:
        return Html(f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Iterable[Any]) -> Html:
    """Texts and elements, one after the other."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str | int | float):
            parts.append(escape(str(child)))
        else:
            parts.append(join(child))
    return Html("".join(parts))


def escape(text: str) -> Html:
    """Safe in text and in attributes. Control characters, and those that turn the direction of text, are shown as �."""
    if not text.isprintable():  # nearly all texts are
        text = "".join("\ufffd" if _steers(c) else c for c in text)
    return Html(html.escape(text, quote=True))


def _steers(character: str) -> bool:
    code = ord(character)
    if code < 32:
        return character not in "\n\t"
    return 127 <= code < 160 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or 0xD800 <= code <= 0xDFFF
