"""Looking into answers and writing into requests, as all kinds of pagination need it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from syncline.model import MISSING, Request, compile_path, encode_json, parse_path, put_path, read_path
from syncline.model.names import did_you_mean

MAX_SHOWN = 40
In = Literal["query", "body"]


def whole_number(value: Any) -> int | None:
    """A count as APIs write it: a number, or digits in a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    if isinstance(value, Decimal | float):
        return int(value) if value == value // 1 and value >= 0 else None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value.strip()[:18])
    return None


def yes_or_no(value: Any) -> bool | None:
    """A flag as APIs write it; None where there is none."""
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None


def explain_absence(path: str, document: Any) -> str:
    """How far a path leads into a document, and what stands there instead."""
    steps = parse_path(path)
    for number, step in enumerate(steps):
        found = read_path(steps[: number + 1], document)
        if found is MISSING:
            around = read_path(steps[:number], document)
            place = f"below {'.'.join(map(str, steps[:number]))!r}" if number else "in the answer"
            if isinstance(around, dict):
                return f"{place} there is no {str(step)!r}; {did_you_mean(str(step), around)}"
            kind = "null" if around is None else "a list" if isinstance(around, list) else "no object"
            return f"{place} is {kind}" if number else f"the answer is {kind}"
    return "what stands there is something else"


def shown(value: Any) -> str:
    """A cursor for people: bounded, printable, and an address without its query."""
    text = str(value).partition("?")[0]
    text = "".join(c if c.isprintable() else "·" for c in text[: MAX_SHOWN * 2])
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def digest(value: Any) -> str:
    """A short name for exactly this JSON value, the same in every process."""
    return hashlib.blake2b(_spelled(value), digest_size=8).hexdigest()


def fingerprint(value: Any) -> int:
    """A number for exactly this JSON value, in this process; a third of a digest's cost, and no more to keep."""
    try:
        return hash(encode_json(value))
    except UnicodeEncodeError:
        return hash(_spelled(value))


def _spelled(value: Any) -> bytes:
    try:
        return encode_json(value)
    except UnicodeEncodeError:
        return repr(value).encode("utf-8", "backslashreplace")


def identity(record: Any, key: str | None) -> str:
    """What makes a record the same one after it was changed: the value at `key`, or its `id`; failing these, all of it."""
    if key is not None:
        value = compile_path(key)(record)
    else:
        value = record.get("id", MISSING) if isinstance(record, dict) else MISSING
    return digest(record if value is MISSING or value is None else value)


def put(request: Request, values: Mapping[str, Any], where: In) -> Request:
    """The request with these values as parameters, or at these places of its JSON body."""
    if where == "query":
        return request.with_params({name: str(value) for name, value in values.items()})
    body = request.json
    for place, value in values.items():
        body = put_path(body, place, value)
    return request.with_json(body)
