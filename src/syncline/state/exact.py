"""JSON text for the store: exact, and able to hold texts that UTF-8 cannot."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from syncline.model import encode_json


def to_json(value: Any) -> str:
    """One JSON text; lone surrogates, which have no UTF-8 form, are written as escapes and read back as they were."""
    try:
        return encode_json(value).decode()
    except UnicodeEncodeError:
        return _escaped(value)


def _escaped(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, msgspec.Struct):
        return _escaped(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_escaped(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_escaped, value)) + "]"
    return encode_json(value).decode()


def to_text(value: Any) -> str | None:
    """A cursor as people read it: text as it stands, anything else as JSON; what some database cannot hold is escaped."""
    if value is None:
        return None
    text = value if isinstance(value, str) else to_json(value)
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
