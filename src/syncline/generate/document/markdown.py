"""Markdown in which no name from a file or an API means anything but itself (CommonMark, with GitHub's tables)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MEANING = re.compile(r"([\\`*_{}\[\]<>()#!|~&$])")
_AT_THE_START = re.compile(r"^([-+=]|\d+[.)])")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp|www)(?=[:.])|@(?=\w)")
_NOTHING = "<!-- -->"
"""Shows as nothing, and keeps what stands before and after it from meaning something together."""


def prose(text: str) -> str:
    """Text within a paragraph: one line, no markup, no link, no list."""
    line = _MEANING.sub(r"\\\1", _one_line(text))
    line = _ADDRESS.sub(lambda word: f"{word[0]}{_NOTHING}", line)
    return _AT_THE_START.sub(lambda start: f"{_NOTHING}{start[0]}", line)


def code(text: object) -> str:
    """Text in a code span that ends where it ends, also within a table."""
    line = _one_line(str(text)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or not line.strip() else ""
    return f"{fence}{pad}{line or ' '}{pad}{fence}"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table whose cells are Markdown already."""
    lines = [heading, ["---"] * len(heading), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _one_line(text: str) -> str:
    """What moves a line, a terminal or the order of reading becomes a space or its number."""
    return "".join(_shown(character) for character in text).strip()


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else f"U+{ord(character):04X}"
