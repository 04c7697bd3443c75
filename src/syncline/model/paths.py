"""The path grammar, shared by everything that looks into a document: `customer.email`, `lines[0].sku`, `tags[*]`, `"a.b".c`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

MAX_STEPS = 32
_STEP = re.compile(r"""\.?(?:"((?:[^"\\]|\\.)+)"|\[(\*|-?\d{1,9})\]|([^.\[\]"\s][^.\[\]"]*))""")


class PathError(ValueError):
    """Text that is not a path; the message shows where it stops being one."""


class _Missing:
    """The absence of a value, which is not null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


class _Every:
    """The step `[*]`: every element of a list."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[*]"


MISSING: Final = _Missing()
EVERY: Final = _Every()

Step = str | int | _Every
Path = tuple[Step, ...]


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """The steps of a path: a key, an index (negative counts from the end), or EVERY. `.` alone is the whole document.

    Raises PathError.
    """
    if text == ".":
        return ()
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        starts_right = match is not None and (text[at] in ".[" if steps else text[at] != ".")
        if match is None or not starts_right:
            raise PathError(f"{text!r} is no path: it stops making sense at {text[at:]!r}")
        quoted, index, key = match.groups()
        if quoted is not None:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        elif index is not None:
            steps.append(EVERY if index == "*" else int(index))
        else:
            steps.append(key)
        at = match.end()
    if not steps:
        raise PathError("a path is empty; write '.' for the whole record")
    if len(steps) > MAX_STEPS:
        raise PathError(f"a path of {len(steps)} steps is too long; {MAX_STEPS} are allowed")
    return tuple(steps)


def read_path(path: Path, value: Any) -> Any:
    """What stands at `path`, or MISSING. `[*]` gives a list, of those elements that have the rest of the path.

    A text, a number or a null on the way ends it: attributes are never looked up.
    """
    for number, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        elif isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
        else:
            if not isinstance(value, list):
                return MISSING
            rest = path[number + 1 :]
            found = [read_path(rest, element) for element in value]
            return [element for element in found if element is not MISSING]
    return value


@lru_cache(maxsize=4096)
def compile_path(text: str) -> Callable[[Any], Any]:
    """A reader for one path, quick for the plain cases. Raises PathError."""
    path = parse_path(text)
    if len(path) == 1 and isinstance(path[0], str):
        key = path[0]

        def read_key(value: Any) -> Any:
            return value.get(key, MISSING) if isinstance(value, dict) else MISSING

        return read_key
    if path and all(isinstance(step, str) for step in path):

        def read_keys(value: Any) -> Any:
            for key in path:
                value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
            return value

        return read_keys

    def read(value: Any) -> Any:
        return read_path(path, value)

    return read


def put_path(body: Any, place: str, value: Any) -> Any:
    """A copy of a JSON body with a value at a path of keys; objects on the way are made."""
    first, *rest = (str(step) for step in parse_path(place))
    copy = dict(body) if isinstance(body, dict) else {}
    inner = copy
    for step in rest:
        below = inner.get(first)
        inner[first] = dict(below) if isinstance(below, dict) else {}
        inner, first = inner[first], step
    inner[first] = value
    return copy
