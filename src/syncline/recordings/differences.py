"""What came beside what was expected, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from syncline.model import encode_json
from syncline.recordings.recording import Expected

MOST = 12
_LONGEST = 60


def differences(expected: Expected, came: Expected) -> list[str]:
    """Every difference up to a dozen: `rows[2].email: expected "a", got "b"`."""
    found = list(_between(msgspec.structs.asdict(expected), msgspec.structs.asdict(came), ""))
    return found if len(found) <= MOST else [*found[:MOST], f"… and {len(found) - MOST} more"]


def _between(expected: Any, came: Any, at: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(came, dict):
        for name in dict.fromkeys([*expected, *came]):
            place = f"{at}.{name}" if at else str(name)
            if name not in came:
                yield f"{place}: expected {_shown(expected[name])}, got nothing"
            elif name not in expected:
                yield f"{place}: not expected, got {_shown(came[name])}"
            else:
                yield from _between(expected[name], came[name], place)
    elif isinstance(expected, list) and isinstance(came, list):
        if len(expected) != len(came):
            yield f"{at}: expected {len(expected)}, got {len(came)}"
        for number, (one, other) in enumerate(zip(expected, came, strict=False)):
            yield from _between(one, other, f"{at}[{number}]")
    elif isinstance(expected, bool) is not isinstance(came, bool) or expected != came:
        yield f"{at}: expected {_shown(expected)}, got {_shown(came)}"


def _shown(value: Any) -> str:
    text = encode_json(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
