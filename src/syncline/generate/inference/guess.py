"""A guess: what was found out, how sure it is, and what it was seen by."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")
LIKELY = 0.8


class Guess(msgspec.Struct, Generic[T], frozen=True):
    """One thing about an API. `confidence` goes from 0 to 1; None means that it is unknown, and has to be asked.

    A known guess whose `value` is None says that there is no such thing: an API without authentication, a list without a cursor.
    `evidence` are short sentences, each of something that was seen, the strongest first; for an unknown, what was looked for.
    """

    value: T | None = None
    confidence: float | None = None
    evidence: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return self.confidence is not None

    @property
    def likely(self) -> bool:
        """Whether it can be written down without asking."""
        return self.confidence is not None and self.confidence >= LIKELY

    def seen(self, *evidence: str, at_least: float | None = None) -> Guess[T]:
        """The same guess with further evidence, and no less sure than `at_least`."""
        confidence = self.confidence
        if at_least is not None and confidence is not None:
            confidence = max(confidence, at_least)
        return Guess(self.value, confidence, (*evidence, *self.evidence))


def unknown(*looked_for: str) -> Guess[Any]:
    """What could not be found out, and where it was looked for."""
    return Guess(None, None, looked_for)


class Finding(msgspec.Struct, frozen=True):
    """A guess and what it is about: `what` names it within the API, such as `auth` or `orders.pagination`."""

    what: str
    guess: Guess[Any]
