"""Pages put together until they are worth a transaction."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

from syncline.destinations import Taker
from syncline.engine.report import Account
from syncline.mapping import Mapped
from syncline.model import Batch, Checkpoint, Page, Rejected, Row, Written


class Chained(Sequence[Any]):
    """Several sequences as one; the parts stay as they are, so that what is decoded late stays undecoded."""

    def __init__(self) -> None:
        self._parts: list[Sequence[Any]] = []
        self._starts: list[int] = []
        self._length = 0

    def append(self, part: Sequence[Any], length: int) -> None:
        self._parts.append(part)
        self._starts.append(self._length)
        self._length += length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._length))]
        if not 0 <= index < self._length:
            raise IndexError(index)
        part = bisect_right(self._starts, index) - 1
        return self._parts[part][index - self._starts[part]]

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(self._length))


class Gathered(msgspec.Struct, kw_only=True):
    """What was read and mapped since the last transaction, and the checkpoint that holds once it is written.

    `taken` counts rows that the writer has already, all of them before those of `batch`. `gone` are keys of deleted records,
    `present` of those that became no row; `superseded` counts tombstones of records that came back later.
    """

    key: tuple[str, ...]
    batch: Batch
    sources: Chained
    rejected: list[Rejected]
    gone: dict[Row, None]
    present: list[Row]
    taken: int = 0
    waits: bool = False
    doubtful: int = 0
    superseded: int = 0
    read: int = 0
    repeated: int = 0
    filtered: int = 0
    refused: int = 0
    checkpoint: Checkpoint
    pages: int = 0
    since: float = msgspec.field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, page: Page, mapped: Mapped, key: tuple[str, ...]) -> Gathered:
        """Nothing yet; the page says what the columns are. `key` are the primary key's."""
        return cls(
            key=key,
            batch=Batch(columns=mapped.batch.columns, rows=[], whole=mapped.batch.whole),
            sources=Chained(),
            rejected=[],
            gone={},
            present=[],
            checkpoint=page.checkpoint,
        )

    def add(self, page: Page, mapped: Mapped) -> None:
        """Put another page behind, but for its rejects.

        Of a record that was deleted before and comes again, the tombstone is forgotten.
        """
        rows = self._aligned(mapped.batch)
        if self.gone and rows:
            self._revive(mapped.batch)
        self._vouch(mapped.batch)
        self.batch.rows += rows
        self.sources.append(mapped.sources, len(rows))
        self.read += page.read
        self.repeated += page.repeated
        self.filtered += mapped.filtered
        self.checkpoint = page.checkpoint
        self.pages += 1

    @property
    def rows(self) -> int:
        return self.taken + len(self.batch.rows)

    def offer(self, taker: Taker, portion: int) -> None:
        """Let the writer have so many rows already, where it takes them; else they, and all that follow, wait for the batch."""
        if self.waits or len(self.batch.rows) < portion:
            return
        if not taker.take(self.batch):
            self.waits = True
            return
        self.taken += len(self.batch.rows)
        self.batch.rows = []
        self.sources = Chained()

    def reject(self, rejected: list[Rejected]) -> None:
        self.rejected += rejected
        self.refused += len(rejected)

    def bury(self, keys: dict[Row, None]) -> None:
        """These were deleted after everything that was added so far."""
        self.superseded += len(keys.keys() & self.gone.keys())
        self.gone |= keys

    def account(self, written: Written) -> Account:
        """With what the destination says became of the batch."""
        return Account(
            read=self.read,
            written=written.written,
            unchanged=written.unchanged + self.repeated + self.superseded,
            rejected=self.refused + len(written.rejected),
            filtered=self.filtered,
            deleted=written.deleted,
            in_doubt=written.in_doubt,
        )

    def _revive(self, batch: Batch) -> None:
        if not set(self.key) <= set(batch.columns):
            return
        places = [batch.columns.index(name) for name in self.key]
        for row in batch.rows:
            key = tuple(row[place] for place in places)
            if key in self.gone:
                del self.gone[key]
                self.superseded += 1

    def _vouch(self, batch: Batch) -> None:
        """What types the columns have is known of all rows together, or not at all."""
        ours, theirs = self.batch.kinds, batch.kinds
        if not self.batch.rows:
            self.batch.kinds = theirs
        elif ours is not theirs and batch.rows:
            known = ours is not None and theirs is not None and batch.columns == self.batch.columns
            self.batch.kinds = tuple(map(_either, ours or (), theirs or ())) if known else None

    def _aligned(self, batch: Batch) -> list[Row]:
        """The rows in the order of our columns, where theirs are others; what is new comes behind."""
        if batch.columns == self.batch.columns or not batch.rows:
            return batch.rows
        columns = tuple(dict.fromkeys((*self.batch.columns, *batch.columns)))
        if len(columns) > len(self.batch.columns):
            more = (None,) * (len(columns) - len(self.batch.columns))
            self.batch.rows = [row + more for row in self.batch.rows]
            self.batch.columns = columns
        places = {name: place for place, name in enumerate(batch.columns)}
        wanted = [places.get(name) for name in columns]
        return [tuple(None if place is None else row[place] for place in wanted) for row in batch.rows]


def _either(ours: frozenset[type] | None, theirs: frozenset[type] | None) -> frozenset[type] | None:
    return None if ours is None or theirs is None else ours | theirs
