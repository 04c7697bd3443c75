"""Which fields a GraphQL query asks for: just enough of its grammar to know the paths of the records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from syncline.model.paths import Path
from syncline.spec import Stream

_WORD = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\]|\\.)*"|\.\.\.|[A-Za-z_]\w*|[{}():@]|#[^\n]*|[^\s{}():@\w"]+|\d+')
Selection = dict[str, Any]


def selected_paths(stream: Stream) -> list[Path]:
    """The paths of the leaves within one record, as its query spells them."""
    selection = _selection(stream.query or "")
    where = [*str(getattr(stream.pagination, "connection", stream.records or "data")).split(".")]
    for step in where[1:]:  # the first is `data`, the answer's own
        selection = selection.get(step.partition("[")[0]) or {}
    selection = selection.get("nodes") or (selection.get("edges") or {}).get("node") or selection
    return list(_leaves(selection))


def asks_for_edges(stream: Stream) -> bool:
    """Whether the connection's records are asked for as `edges { node }`."""
    return (
        re.search(r"\bnodes\s*\{", stream.query or "") is None
        and re.search(r"\bedges\b", stream.query or "") is not None
    )


def _leaves(selection: Selection, path: Path = ()) -> Iterator[Path]:
    for name, inner in selection.items():
        if inner:
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name)


def _selection(query: str) -> Selection:
    """Names to what is selected of them; aliases count, arguments and directives do not, fragments are not followed."""
    words = [word for word in _WORD.findall(query) if not word.startswith("#")]
    root: Selection = {}
    stack = [root]
    last: Selection = root
    at, depth = 0, 0
    while at < len(words):
        word = words[at]
        if word in "()":
            depth += 1 if word == "(" else -1
        elif depth == 0 and word == "{":
            stack.append(last)
        elif depth == 0 and word == "}":
            stack.pop()
        elif depth == 0 and word in ("...", "@"):
            at += 2 if words[at + 1 : at + 2] == ["on"] else 1
        elif depth == 0 and len(stack) > 1 and re.match(r"[A-Za-z_]", word):
            last = stack[-1].setdefault(word, {})
            if words[at + 1 : at + 2] == [":"]:
                at += 2
        at += 1
    return root
