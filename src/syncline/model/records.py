"""What flows: records in pages, rows in batches, and the checkpoint that travels with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from syncline.model.shapes import Shape

Record = dict[str, Any]
Row = tuple[Any, ...]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a stream has come; committed together with the rows that it speaks of.

    `cursor` is the source's own raw value, safe to start the next pass from. `resume` is where an unfinished pass goes on:
    a pagination position, meaningful only to the source that made it. `running` is the highest raw cursor met in that pass.
    `started_at` is the server's time at the start of the pass, above which no cursor is believed (RFC 3339).
    `seen` holds digests of the records at the boundary, so that reading them again is noticed where the destination cannot tell.
    """

    cursor: Any = None
    resume: dict[str, Any] | None = None
    running: Any = None
    started_at: str | None = None
    seen: tuple[str, ...] = ()
    items: int = 0
    """Records read in the unfinished pass."""
    extra: dict[str, Any] = {}
    """What a source or a destination keeps for itself across a crash: a file's committed length, a total announced."""


class Page(msgspec.Struct, kw_only=True):
    """Records of one response, as the source spelled them, and the checkpoint that holds once they are written.

    `number` counts from 1 within the pass. `repeated` records were recognised as delivered before and are not among `records`.
    """

    records: list[Any]
    number: int
    checkpoint: Checkpoint
    last: bool = False
    repeated: int = 0
    shape: Shape | None = None
    """What the records were decoded into, if not into plain objects; `plain` has those."""
    plain: Sequence[Any] = ()
    context: Record = {}
    """Values of the parents and of the partition this page belongs to."""
    server_time: datetime | None = None
    gap: str | None = None
    """On the last page: why this pass cannot have seen everything, though it came to its end."""
    total: int | None = None
    """How many records the API says there are, where it says so."""

    @property
    def read(self) -> int:
        """How many records came."""
        return len(self.records) + self.repeated


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A record that did not become a row: where in it, and why. A value, never an exception."""

    path: str
    reason: str
    record: Any


class Batch(msgspec.Struct, kw_only=True):
    """Rows to be written together; `rows[i][j]` belongs to `columns[j]`.

    Values are None, bool, int, Decimal, float, str, bytes, aware datetime, date, or lists and dictionaries of them.
    """

    columns: tuple[str, ...]
    rows: list[Row]
    whole: bool = False
    """The rows say everything there is: a column of the destination that is not among `columns` is null in them."""
    kinds: tuple[frozenset[type] | None, ...] | None = None
    """Of each column the types that its values have for sure (some of them may not be there), or None where that is not known."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: `written + unchanged + len(rejected)` is the number of its rows and of those that are gone.

    `written` counts inserts, updates and deletes; `deleted` those among them that deleted.
    """

    written: int
    unchanged: int = 0
    deleted: int = 0
    rejected: tuple[Rejected, ...] = ()
    in_doubt: int = 0
    """Sent to another API that gave no answer and cannot be asked; kept in the outbox, and counted besides all others."""
