"""The second line of defence: known secret values are taken out of whatever is about to be shown."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any
from urllib.parse import quote, quote_plus

from syncline.errors import Mistake, SpecError, SynclineError
from syncline.model import Secret

SHORTEST = 4
MOST_PASSING = 1_000
FEW = 50
"""Beginnings that are found sooner in any text than the text is cut into pieces."""
MASK = "***"
_SHORTEST_LINE = 16


class Redactor:
    """Knows values and how they look URL-encoded, JSON-escaped and within base64, and replaces them by `***`.

    Values shorter than four characters are left: to replace them would spoil the text and hide nothing. Of values that pass, such
    as access tokens, the last thousand are known: a server runs for months, and each of its runs may get a new one.
    """

    def __init__(self) -> None:
        self._lasting: set[str] = set()
        self._passing: dict[str, None] = {}
        self._shown_by: Counter[str] = Counter()
        self._starting: dict[str, list[str]] = {}

    def add(self, value: str | Secret) -> None:
        text = value.reveal() if isinstance(value, Secret) else value
        if len(text) >= SHORTEST and text not in self._lasting:
            self._lasting.add(text)
            self._know(text)

    def add_passing(self, value: str | Secret) -> None:
        """Know a value until a thousand others have come after it."""
        text = value.reveal() if isinstance(value, Secret) else value
        if len(text) < SHORTEST:
            return
        if text in self._passing:
            del self._passing[text]
        else:
            self._know(text)
        self._passing[text] = None
        if len(self._passing) > MOST_PASSING:
            oldest = next(iter(self._passing))
            del self._passing[oldest]
            self._forget(oldest)

    def text(self, text: str) -> str:
        """The text without any known value; where several begin at one place, the longest goes."""
        if not self._stands_in(text):
            return text  # nearly all texts are done with here
        starting, last = self._starting, len(text) - SHORTEST
        parts, begin, place = list[str](), 0, 0
        while place <= last:
            for form in starting.get(text[place : place + SHORTEST], ()):
                if text.startswith(form, place):
                    parts += (text[begin:place], MASK)
                    begin = place = place + len(form)
                    break
            else:
                place += 1
        return "".join((*parts, text[begin:]))

    def _stands_in(self, text: str) -> bool:
        """Whether any known value does. Few are looked for one by one; of many, those that begin as a piece of the text does."""
        starting = self._starting
        if len(starting) <= FEW:
            begun = [start for start in starting if start in text]
        else:
            begun = list(starting.keys() & {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)})
        return any(form in text for start in begun for form in starting[start])

    def _know(self, text: str) -> None:
        for form in _forms(text):
            self._shown_by[form] += 1
            if self._shown_by[form] == 1:
                alike = self._starting.setdefault(form[:SHORTEST], [])
                alike.append(form)
                alike.sort(key=len, reverse=True)

    def _forget(self, text: str) -> None:
        for form in _forms(text):
            self._shown_by[form] -= 1
            if not self._shown_by[form]:
                del self._shown_by[form]
                self._starting[form[:SHORTEST]].remove(form)
                if not self._starting[form[:SHORTEST]]:
                    del self._starting[form[:SHORTEST]]

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
