"""Records that a complete pass did not list: which they are, and whether they may be deleted."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from syncline.destinations.api.rows import Wish
from syncline.destinations.target import Deletes
from syncline.errors import PartialError
from syncline.model import decode_json, encode_json
from syncline.state import EffectBox, Lease

PASS, DOUBTFUL = "pass", "doubtful"
"""What the checkpoint of an unfinished pass notes: its mark in the links, and how many records had no key."""


class Seeing:
    """Marks the links of what a pass lists. `whole`: it was looked at from its beginning. `guarded`: max_ratio holds."""

    def __init__(self, key: str, deletes: Deletes, box: EffectBox, *, note: dict[str, Any]) -> None:
        self._key, self._deletes, self._box = key, deletes, box
        self.going_on = PASS in note
        self.whole, self.guarded = True, True
        self._mark = str(note.get(PASS) or uuid.uuid4().hex)
        self._doubtful = int(note.get(DOUBTFUL, 0))

    def note(self) -> dict[str, Any] | None:
        """What has to be known to go on with this pass."""
        return {PASS: self._mark, DOUBTFUL: self._doubtful} if self.whole else None

    async def see(self, lease: Lease, source_keys: Sequence[str], *, doubtful: int = 0) -> None:
        """These were listed, and so many more whose key is not known."""
        self._doubtful += doubtful
        if source_keys:
            await self._box.see(lease, source_keys, self._mark)

    async def missing(self, *, complete: bool) -> str | None:
        """Why nothing is looked for; None where what was not listed may go.

        Raises PartialError where that would be more than `max_ratio` of what is there.
        """
        if not self.whole:
            return "no missing records were looked for: this pass began before that was asked for"
        if not complete:
            return "no missing records were looked for: this pass cannot have listed everything"
        if self._doubtful:
            return (
                f"no missing records were looked for: {self._doubtful} records of this pass have no key that is known"
            )
        lost, there = await self._box.count_links(self._key, self._mark), await self._box.count_links(self._key)
        if self.guarded and lost and lost > self._deletes.max_ratio * there:
            raise PartialError(
                f"{lost} of {there} records were not listed any more, more than {self._deletes.max_ratio:.0%}; none was deleted",
                hint="see whether the source lists everything; if it does, run with --allow-deletes",
            )
        return None

    async def next(self, primary_key: Sequence[str], limit: int) -> list[Wish]:
        """Some that were not listed; to be seen once they are dealt with, whatever came of it."""
        return [gone_of(link.source_key, primary_key) for link in await self._box.unseen(self._key, self._mark, limit)]


def gone_of(source_key: str, primary_key: Sequence[str]) -> Wish:
    """The wish that the record of this key be gone."""
    row = dict(zip(primary_key, decode_json(source_key), strict=True))
    return Wish(source_key=source_key, content=encode_json(row).decode(), row=row, gone=True)


def keys_of(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Keys as they are stored."""
    return [encode_json(list(row)).decode() for row in rows]
