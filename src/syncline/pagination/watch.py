"""Notices an API that does not come to an end (R21)."""

from __future__ import annotations

from typing import Any

from syncline.errors import PaginationError
from syncline.pagination.pagination import Answer, Position
from syncline.pagination.reading import fingerprint, shown

HINT = "compare the pagination block with the API's documents: most often the parameter's name is wrong and the server ignores it"


class Watch:
    """Follows one pass over one list, from wherever it begins.

    A position that comes back is a loop. Pages whose records came before are a stall: the second such page in a row is one too
    many, and so is one alone that ends the pass. A page is known by its length and its first, middle and last record, so that
    the cost does not grow with the page; a record or two that come twice, or a list that shifts by a page, stop nothing. A list
    that grows at its front, between two requests, by just as many records as its last page has, cannot be told from a stall.
    """

    def __init__(self) -> None:
        self.pages = 0
        self._positions: dict[int, int] = {}
        self._led_to: Position | None = None
        self._led_to_spot = 0
        self._contents: dict[int, int] = {}
        self._repeats = 0

    def check(self, position: Position, answer: Answer, following: Position | None) -> int | None:
        """Take note of a page; gives the number of an earlier one that had its records, if any.

        Raises PaginationError within two requests of the first superfluous one.
        """
        self.pages += 1
        self._positions.setdefault(self._led_to_spot if position is self._led_to else _spot(position), self.pages)
        same_as = self._check_content(position, answer.records, following is None)
        if following is None:
            return same_as
        self._led_to, self._led_to_spot = following, _spot(following)
        before = self._positions.get(self._led_to_spot)
        if before is not None:
            same = before == self.pages
            raise PaginationError(
                "the API gives the same cursor again and again" if same else "the API's cursors go round in a circle",
                hint=HINT,
                evidence=f"page {self.pages} leads to {_place(following)}, which was page {before}",
            )
        return same_as

    def _check_content(self, position: Position, records: list[Any], last: bool) -> int | None:
        length = len(records)
        if length == 0:
            return None
        name = fingerprint([length, records[0], records[length // 2], records[-1]])
        before = self._contents.setdefault(name, self.pages)
        self._repeats = self._repeats + 1 if before != self.pages else 0
        if self._repeats >= 2 or (self._repeats == 1 and last and length > 1):
            raise PaginationError(
                "the API sends the same records again and again, under ever new positions",
                hint=HINT,
                evidence=f"page {self.pages} ({_place(position)}) has the {length} records of page {before}",
            )
        return before if self._repeats and length > 1 else None


def _spot(position: Position) -> int:
    """What a position is known by: where it lies, and not what was counted on the way to it."""
    if "read" in position or "total" in position:
        position = {name: value for name, value in position.items() if name not in ("read", "total")}
    return fingerprint(position)


def _place(position: Position) -> str:
    """A position for people: what moves in it, without what is only remembered."""
    for name in ("page", "offset", "cursor", "url"):
        if name in position:
            return f"{name} {shown(position[name])}"
    return "the start"
