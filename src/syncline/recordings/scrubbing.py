"""What may stay of an answer when it is kept: no known secret, no field that is named like one, few headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from syncline.model import Headers, decode_json
from syncline.secrets import redactor

MASK = "***"
ELSEWHERE = "https://recorded.example"
"""Stands for the origin of an address that is itself a reference."""

_NAMED_LIKE_SECRETS = re.compile(
    r"(?i)(.*[_-])?(password|passwd|passphrase|secret|credentials?|authorization|cookies?|signature"
    r"|api[_-]?key|private[_-]?key|access[_-]?key|(access|refresh|id|auth|session|bearer|csrf|oauth)[_-]?token|token)"
)
_KEPT_HEADERS = re.compile(
    r"(?i)content-type|link|date|etag|last-modified|retry-after|(x-)?ratelimit.*|x-.*(total|count|page|next|cursor|offset|limit).*"
)


class Scrub:
    """Takes secrets out of one recording. `cursors` are names of fields that pagination needs; `origin` is not to be told."""

    def __init__(self, cursors: Iterable[str] = (), origin: str | None = None) -> None:
        self.cursors = frozenset(cursors)
        self.origin = origin

    def text(self, text: str) -> str:
        return redactor.text(text.replace(self.origin, ELSEWHERE) if self.origin else text)

    def data(self, value: Any) -> Any:
        """A JSON document without them; numbers and the names of fields stay as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self._field(name, inner) for name, inner in value.items()}
        return [self.data(inner) for inner in value] if isinstance(value, list) else value

    def _field(self, name: str, value: Any) -> Any:
        secret = isinstance(value, str) and name not in self.cursors and _NAMED_LIKE_SECRETS.fullmatch(name)
        return MASK if secret else self.data(value)

    def body(self, body: bytes) -> Any:
        return self.data(decode_json(body))

    def headers(self, headers: Headers) -> dict[str, str]:
        return {
            name: self.text(value)
            for name, value in headers.items()
            if _KEPT_HEADERS.fullmatch(name) or name in self.cursors
        }
