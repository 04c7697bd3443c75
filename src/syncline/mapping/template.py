"""Templates: text with paths in braces, `{first_name} {last_name}`. Values go in as they are and are never read again."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from syncline.mapping.standard.texts import need_room, spell
from syncline.model import PathError, parse_path
from syncline.model.paths import Path

MAX_LENGTH = 10_000
MAX_PLACES = 100
_PIECE = r'(\{\{|\}\})|\{((?:"(?:[^"\\]|\\.)*"|[^{}"])+)\}|([^{}]+)'  # compiled when there is a template

Template = tuple[str | Path, ...]


@lru_cache(maxsize=1024)
def parse_template(text: str) -> Template:
    """Literal text and paths in turn; `{{` and `}}` are braces. Raises PathError."""
    if len(text) > MAX_LENGTH:
        raise PathError(f"a template of {len(text)} characters is too long; {MAX_LENGTH} are allowed")
    pieces: list[str | Path] = []
    at, pattern = 0, re.compile(_PIECE)
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise PathError(f"the template has a lone brace at {text[at:][:20]!r}; a brace as text is written twice")
        brace, path, literal = match.groups()
        piece: str | Path = parse_path(path.strip()) if path is not None else brace[0] if brace else literal
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            piece = pieces.pop() + piece  # type: ignore[operator]
        pieces.append(piece)
        at = match.end()
    places = sum(isinstance(piece, tuple) for piece in pieces)
    if not 0 < places <= MAX_PLACES:
        raise PathError(
            f"a template has 1 to {MAX_PLACES} {{paths}}, this one has {places}; a constant is written value:"
        )
    return tuple(pieces)


def compile_template(template: Template) -> Callable[..., str]:
    """A function of the values at the template's paths, none of them null. It raises TransformError."""
    literals = [piece if isinstance(piece, str) else None for piece in template]

    def fill(*values: Any) -> str:
        remaining = iter(values)
        pieces = [spell(next(remaining)) if literal is None else literal for literal in literals]
        need_room(sum(map(len, pieces)))
        return "".join(pieces)

    return fill
