"""Colour where a person looks, and text that cannot move the cursor anywhere."""

from __future__ import annotations

import os
from typing import TextIO


class Paint:
    """Wraps text in colours, or leaves it as it is."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def good(self, text: str) -> str:
        return self._in("32", text)

    def bad(self, text: str) -> str:
        return self._in("1;31", text)

    def warn(self, text: str) -> str:
        return self._in("33", text)

    def name(self, text: str) -> str:
        return self._in("36", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text


def paint(stream: TextIO | None = None, *, on: bool | None = None) -> Paint:
    """Paint for a stream: on a terminal, unless NO_COLOR is set (no-color.org)."""
    if on is None:
        on = stream is not None and is_terminal(stream) and not os.environ.get("NO_COLOR")
    return Paint(on)


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """The text with control characters spelled out: what an API sent must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def aligned(rows: list[list[str]], *, right: frozenset[int] = frozenset(), brush: Paint, pad: str = "  ") -> list[str]:
    """Aligned lines; the first row is the heading. `right` are the columns to align on their right."""
    shown = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    lines = []
    for number, row in enumerate(shown):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = pad + "  ".join(cells).rstrip()
        lines.append(brush.dim(line) if number == 0 else line)
    return lines
