"""What passes between whoever asks and the simulator: calls, and answers that may break on their way."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from syncline.model import Headers, MalformedBody, decode_json, encode_json

Ending = Literal["whole", "cut", "hung up", "silent", "dripping"]
"""How an answer ends: whole; in the midst of its body; without a byte, the connection closed; without a byte, the connection
open; or never, a byte at a time."""

LATENCY = 0.05
HALVES, STAND_INS = re.compile("[\ud800-\udfff]"), re.compile("[\U000f0000-\U000f07ff]")
AWAY = 0xF0000 - 0xD800
"""Lone halves of characters, and as far from them what stands for each on its way through an encoder that takes none."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrives. `url` is whole, with its query."""

    method: str
    url: str
    headers: Headers
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def target(self) -> str:
        """The path with its query, as they were sent."""
        return "/" + self.url.split("/", 3)[3]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def params(self) -> dict[str, str]:
        """The query; of a name that stands twice, the last."""
        return dict(self.query)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body's document, or None where it is none."""
        try:
            return decode_json(self.body) if self.body else None
        except MalformedBody:
            return None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answers. `delay` is the time until its first byte, in seconds; `records` are those on its page."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = LATENCY
    ending: Ending = "whole"
    records: int = 0

    def but(self, **changes: Any) -> Answer:
        return msgspec.structs.replace(self, **changes)


def answered(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A document as JSON."""
    found = (("Content-Type", "application/json"), *(headers or {}).items())
    return Answer(status=status, headers=found, body=encoded(document))


def encoded(document: Any) -> bytes:
    """JSON, in which half a character is spelled as the escape that alone can spell it."""
    try:
        return encode_json(document)
    except UnicodeEncodeError:
        text = encode_json(_marked(document)).decode()
        return STAND_INS.sub(lambda found: f"\\u{ord(found[0]) - AWAY:04x}", text).encode()


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return HALVES.sub(lambda found: chr(ord(found[0]) + AWAY), value)
    if isinstance(value, dict):
        return {name: _marked(inner) for name, inner in value.items()}
    return [_marked(inner) for inner in value] if isinstance(value, list) else value


def refused(status: int, code: str, what: str, headers: dict[str, str] | None = None) -> Answer:
    """An error as APIs word it."""
    return answered({"error": code, "error_description": what}, status, headers)
