"""What the suite has to know of a destination: how to open it, what is visible in it, and what it can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from syncline.destinations import Destination, Sink, Target, Trial, WriteMode, Writer
from syncline.model import Batch, Checkpoint, Row
from syncline.state import Lease, Owner
from syncline.testing.clock import SimulatedClock
from syncline.testing.values import same

KEY = "shop.orders"
TABLE = "orders"


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination can do. What is said here is tested; what is not has to be refused before anything is written."""

    modes: frozenset[WriteMode] = frozenset({"append", "upsert", "replace"})
    deletes: bool = True
    """Rows whose records are gone, told by tombstones or missing from a complete pass."""
    lists: bool = True
    """Lists as tables of their own (`children`)."""
    schema: bool = True
    """Columns with types, which evolve, freeze or discard."""
    widens: Literal["anything", "numbers", "nothing"] = "anything"
    """What a column can become that was made for narrower values; others are refused."""
    holds_nul: bool = True
    """Text may have NUL in it; where it may not, its record is rejected."""
    refuses: frozenset[Literal["bytes", "json", "date", "time", "float"]] = frozenset()
    """Kinds of values that no column of it can hold: each of them is rejected with its path."""
    names: bool = True
    """What is written to has a name of its own, which comes from the file: a table, or a folder."""


class Bench(ABC):
    """One destination under test, in a folder of its own.

    It is made anew for each test, and again in the processes that are killed: what it says must follow from the folder alone,
    and its class must be importable by its name.
    """

    abilities: ClassVar[Abilities] = Abilities()
    into: ClassVar[Mapping[str, Any]] = {}
    """What else a stream has to say in its `into:` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock()
        self.destination = self.make()

    @abstractmethod
    def make(self) -> Destination: ...

    @abstractmethod
    def read(self, table: str = TABLE) -> list[dict[str, Any]]:
        """The rows that are visible to everybody now, by other means than the destination's own; in the order of their ids or of
        their writing. Nothing where the table is not there yet."""

    def drop(self) -> None:
        """Take away what is outside of the folder."""
        return

    def same(self, stored: Any, sent: Any) -> bool:
        """Whether what `read` gives is exactly the value that was sent, however the destination spells it."""
        return same(stored, sent)

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[Sink]:
        state = self.folder / ".syncline" / "state.db"
        async with self.destination.open(integration="shop", default_state=state, clock=self.clock) as sink:
            yield sink

    async def lease(self, sink: Sink, run_id: str = "r1") -> Lease:
        """Also from a holder that 'crashed': its lease is over."""
        self.clock.advance(61)
        return await sink.state.acquire(KEY, Owner.current(run_id), self.clock.now(), 60)

    async def begin(self, sink: Sink, write: WriteMode, *, lease: Lease, **options: Any) -> Writer:
        """Go on from the checkpoint; `options` are those of `Sink.begin`, and `children`."""
        state = await sink.state.load(KEY)
        target = self.target(write, **{name: options.pop(name) for name in ("children",) if name in options})
        options.setdefault("primary_key", ("id",) if write == "upsert" else ())
        return await sink.begin(KEY, TABLE, target, lease=lease, checkpoint=state.checkpoint, **options)

    async def trial(self, rows: Batch, write: WriteMode, **options: Any) -> Trial:
        options.setdefault("primary_key", ("id",) if write == "upsert" else ())
        return await self.destination.trial(TABLE, self.target(write), rows, **options)

    def target(self, write: WriteMode, **more: Any) -> Target:
        named = {"table": TABLE} if self.abilities.names else {}
        return Target.model_validate({"write": write, **named, **self.into, **more})

    def ids(self) -> list[int]:
        return [int(row["id"]) for row in self.read()]


def batch(*ids: int, text: str = "t") -> Batch:
    """Rows with these ids, each with this text."""
    rows: list[Row] = [(number, text) for number in ids]
    return Batch(columns=("id", "text"), rows=rows)


def records(*found: Mapping[str, Any]) -> Batch:
    """Rows out of records; a field that one of them does not have is null in it."""
    columns = tuple(dict.fromkeys(name for record in found for name in record))
    return Batch(columns=columns, rows=[tuple(record.get(name) for name in columns) for record in found])


def at(page: int) -> Checkpoint:
    """Mid-pass, after this page."""
    return Checkpoint(resume={"page": page})


def done(cursor: Any) -> Checkpoint:
    """After a pass."""
    return Checkpoint(cursor=cursor)
