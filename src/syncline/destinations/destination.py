"""What every destination is: where a stream's rows go, and how they become durable together with their checkpoint."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from syncline.databases import Address
from syncline.destinations.target import Deletes, SchemaPolicy, Target
from syncline.errors import WriteError
from syncline.model import Batch, Checkpoint, Clock, Part, Rejected, Row, Written, part_field
from syncline.state import Lease, StateStore

NOTE = "destination"
"""The key of `Checkpoint.extra` under which a destination keeps what it needs to go on mid-pass."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One row that would change: what of it is there, and what would be."""

    what: Literal["insert", "update", "delete"]
    key: tuple[Any, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What writing a batch would do: the statements that change the schema, and the rows by what would become of them.

    `samples` are the first few of each kind of change.
    """

    exists: bool
    statements: tuple[str, ...] = ()
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()
    samples: tuple[Sample, ...] = ()
    requests: tuple[str, ...] = ()
    """A few of the requests that would be sent, where the destination is another API."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What the end of a pass did: rows deleted because their records were missing, or why none were looked for."""

    deleted: int = 0
    notice: str | None = None


class UnfinishedLost(WriteError):
    """What an interrupted pass had written is gone; `restart` is the checkpoint from which that pass can begin anew."""

    def __init__(self, what: str, restart: Checkpoint, **rest: Any) -> None:
        super().__init__(what, hint="run again: the pass begins anew, and nothing is lost", **rest)
        self.restart = restart


class Writer(Protocol):
    """One stream's way in, for one pass."""

    interruptible: bool
    """A write may be cancelled on its way: the next run finds out what became of it. Where it is not, it is soon over."""

    async def write(
        self,
        batch: Batch,
        rejected: Sequence[Rejected],
        checkpoint: Checkpoint | None,
        lease: Lease,
        *,
        records: Sequence[Any] | None = None,
        resolved: Sequence[int] = (),
        gone: Sequence[Row] = (),
        present: Sequence[Row] = (),
        doubtful: int = 0,
    ) -> Written:
        """Make rows, dead letters and checkpoint durable, all or none. `checkpoint=None` leaves it where it is.

        `records[i]` is the source record of `batch.rows[i]`: what is kept where the destination has to refuse the row;
        without it the row itself is kept. `resolved` are dead letters that this batch lands. `gone` are the keys, in the order of
        the primary key, of rows whose records were deleted at the source, after what is among the rows. `present` are keys of
        records that are there but became no row; `doubtful` counts those whose key is not known, so that nothing can be said to
        be missing. What `Written.rejected` names is stored already.

        Raises WriteError, StateError, LeaseError (fenced out: nothing was kept).
        """
        ...

    async def finish(self, checkpoint: Checkpoint, lease: Lease, *, complete: bool = False) -> Finished:
        """The pass is over: make it visible where it was not yet, and commit its checkpoint.

        `complete` says that it has certainly listed everything there is. Raises PartialError where more rows would have to be
        deleted as missing than `Deletes.max_ratio` allows; nothing is deleted and the checkpoint stays.
        """
        ...


@runtime_checkable
class Taker(Writer, Protocol):
    """A writer that takes rows as they come and makes them what they will be, while they are still at hand: cheaper than
    to come back to thousands of them, and less to be kept."""

    portion: int
    """Rows that it takes at a time, at least."""

    def take(self, batch: Batch) -> bool:
        """Take these rows in, to be written by the next `write`, before its own; nothing is durable yet, and no row is refused.

        False: they stay where they are, and so do those that come after them, until the next `write`.
        """
        ...


class Sink(Protocol):
    """An open destination."""

    batch_rows: int
    """Rows that are best written together."""

    @property
    def state(self) -> StateStore: ...

    async def begin(
        self,
        key: str,
        stream: str,
        target: Target,
        *,
        primary_key: tuple[str, ...] = (),
        fresh: bool = False,
        lease: Lease,
        checkpoint: Checkpoint,
        schema: SchemaPolicy = "evolve",
        deletes: Deletes | None = None,
        allow_deletes: bool = False,
    ) -> Writer:
        """Start a pass of a stream, or go on with the unfinished one that `checkpoint` speaks of.

        `fresh` throws an unfinished pass away. `allow_deletes` deletes as missing however much it is, and lets a first pass replace
        rows that somebody else put there. Raises PlanError where the target cannot be written like that, and UnfinishedLost
        where the unfinished pass cannot be gone on with.
        """
        ...

    async def close(self) -> None: ...


class Destination(Part):
    """Base of all destinations. Relative paths are relative to the working directory."""

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        """What about a target does not suit this destination, or None; for checks before anything is opened."""
        return None

    @abstractmethod
    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock
    ) -> AbstractAsyncContextManager[Sink]:
        """Open for writing; what is missing is created. Raises PlanError, WriteError, StateError."""

    @abstractmethod
    def open_state(self, *, default_state: Path | Address) -> AbstractAsyncContextManager[StateStore]:
        """The state alone, for looking and for repairs; creates nothing where nothing is."""

    @abstractmethod
    async def trial(
        self,
        stream: str,
        target: Target,
        batch: Batch,
        *,
        primary_key: tuple[str, ...] = (),
        deletes: Deletes | None = None,
        gone: Sequence[Row] = (),
        key: str = "",
        state: StateStore | None = None,
    ) -> Trial:
        """What writing this batch, and deleting the rows of the keys in `gone`, would do now; changes nothing.

        `key` is the stream's in `state`, for those that know from there what they have written. Raises PlanError, WriteError.
        """


DestinationField = part_field("destination")


def with_note(checkpoint: Checkpoint, note: dict[str, Any] | None) -> Checkpoint:
    """The checkpoint with the destination's own note set, or taken away."""
    extra = {name: value for name, value in checkpoint.extra.items() if name != NOTE}
    if note is not None:
        extra[NOTE] = note
    return msgspec.structs.replace(checkpoint, extra=extra) if extra != checkpoint.extra else checkpoint


def note_of(checkpoint: Checkpoint) -> dict[str, Any]:
    note = checkpoint.extra.get(NOTE)
    return note if isinstance(note, dict) else {}
