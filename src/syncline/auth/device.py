"""Logging in on another device (RFC 8628)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec

from syncline.model import Request, Response, Secret, Token

SLOW_DOWN = 5.0
"""Seconds that each slow_down adds to the interval (RFC 8628, 3.5)."""


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """What to show somebody, and what to poll with. `expires_in` and `interval` in seconds."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: float = 600.0
    interval: float = 5.0


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """Wait so many seconds, then send the request."""

    wait: float
    request: Request


Polling = Generator[Poll, Response, Token]
"""Yields what to do next, is sent the answer of any status, and returns the token."""


def read_device_code(document: dict[str, Any]) -> DeviceCode | None:
    """The members of the answer (RFC 8628, 3.2); `verification_url` is how Google spells it. None where one is missing."""
    code, user_code = document.get("device_code"), document.get("user_code")
    uri = document.get("verification_uri") or document.get("verification_url")
    complete = document.get("verification_uri_complete") or document.get("verification_url_complete")
    if not all(isinstance(text, str) and text and text.isprintable() for text in (code, user_code, uri)):
        return None
    if not str(uri).startswith(("https://", "http://")):
        return None
    return DeviceCode(
        device_code=Secret(str(code)),
        user_code=str(user_code),
        verification_uri=str(uri),
        verification_uri_complete=complete if _is_address(complete) else None,
        expires_in=min(_seconds(document.get("expires_in")) or 600.0, 3600.0),
        interval=min(max(_seconds(document.get("interval")) or 5.0, 1.0), 60.0),
    )


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and value.startswith(("https://", "http://"))


def _seconds(value: Any) -> float | None:
    """A plain number of seconds, or None."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < 1e9 else None
