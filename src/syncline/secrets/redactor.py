"""The second line of defence: known secret values are taken out of whatever is about to be shown."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

from syncline.errors import Mistake, SpecError, SynclineError
from syncline.model import Secret

SHORTEST = 4
MASK = "***"
_SHORTEST_LINE = 16


class Redactor:
    """Knows values and how they look URL-encoded, JSON-escaped and within base64, and replaces them by `***`.

    Values shorter than four characters are left: to replace them would spoil the text and hide nothing.
    """

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str | Secret) -> None:
        text = value.reveal() if isinstance(value, Secret) else value
        if len(text) >= SHORTEST and text not in self._forms:
            self._forms |= _forms(text)
            self._pattern = None

    def text(self, text: str) -> str:
        """The text without any known value."""
        if not self._forms:
            return text
        if self._pattern is None:
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(MASK, text)

    def data(self, value: Any) -> Any:
        """Plain data with every text in it redacted, keys included; a Secret becomes `***`."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.data(key): self.data(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(inner) for inner in value]
        return MASK if isinstance(value, Secret) else value

    def error(self, error: SynclineError) -> SynclineError:
        """The same error, its texts redacted in place, before lines are broken in the middle of a value."""
        error.what = self.text(error.what)
        error.hint = self.text(error.hint) if error.hint else None
        error.evidence = self.text(error.evidence) if error.evidence else None
        error.cause = self.text(error.cause) if error.cause else None
        error.where = self.data(error.where)
        error.args = (error.what,)
        if isinstance(error, SpecError):
            error.mistakes = tuple(
                Mistake(one.file, one.line, one.column, self.text(one.path), self.text(one.what))
                for one in error.mistakes
            )
        return error


def _forms(text: str) -> set[str]:
    lines = {line.strip() for line in text.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
    forms = {text, text.strip(), *lines}
    forms |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    raw = text.encode(errors="surrogatepass")
    forms |= {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= {_base64_within(raw, shift, encode) for shift in range(3)}
    return {form for form in forms if len(form) >= SHORTEST}


def _base64_within(raw: bytes, shift: int, encode: Any) -> str:
    """The characters that surely stand in base64 of any text that has `raw` at an offset of `shift` bytes from a triple."""
    encoded = encode(b"\0" * shift + raw).decode().rstrip("=")
    sure = encoded[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6]
    return sure if len(sure) >= _SHORTEST_LINE // 2 else ""


redactor = Redactor()
"""What `resolve` has resolved in this process; the doors pass everything through it."""
