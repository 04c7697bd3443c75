"""The state as the engine sees it, wherever it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from syncline.model import Checkpoint, Rejected
from syncline.resilience import Outage
from syncline.state.owner import Owner
from syncline.state.records import (
    DeadLetter,
    Effect,
    Lease,
    Link,
    Outcome,
    RejectStatus,
    RunRecord,
    Status,
    StreamState,
)


class StateStore(Protocol):
    """What must survive a power cut. Every call is one transaction; every call may raise StateError."""

    @property
    def runs(self) -> RunLog: ...

    @property
    def dead_letters(self) -> DeadLetterBox: ...

    @property
    def outbox(self) -> EffectBox: ...

    def circuit(self, key: str) -> KeptCircuit:
        """What is remembered of the circuit of one API, which `key` names."""
        ...

    async def load(self, key: str) -> StreamState:
        """The state of one stream; an empty one where it never ran."""
        ...

    async def all(self) -> list[StreamState]: ...

    async def acquire(self, key: str, owner: Owner, now: datetime, ttl: float) -> Lease:
        """Hold the stream for `ttl` seconds. Raises LeaseError at once where somebody alive holds it."""
        ...

    async def renew(self, lease: Lease, now: datetime, ttl: float) -> None: ...

    async def refuse_fenced_out(self, lease: Lease) -> None:
        """Raises LeaseError where another has taken over."""
        ...

    async def release(self, lease: Lease, status: Status, error: str | None = None) -> None: ...

    async def commit(
        self,
        lease: Lease,
        checkpoint: Checkpoint | None,
        *,
        now: datetime,
        written: int = 0,
        rejected: Sequence[Rejected] = (),
        resolved: Sequence[int] = (),
        passed: Sequence[str] = (),
    ) -> None:
        """Checkpoint, new dead letters and those that were landed, all or none. Raises LeaseError for a fenced-out writer.

        `passed` are the effects on another API that the checkpoint moves past.
        """
        ...

    async def reset(self, key: str, now: datetime) -> None: ...

    async def rewind(self, key: str, cursor: Any, now: datetime) -> None: ...


class KeptCircuit(Protocol):
    """An open circuit, for the process that comes next; None for a closed one."""

    async def load(self) -> Outage | None: ...

    async def save(self, outage: Outage | None) -> None: ...


class RunLog(Protocol):
    async def start(self, run_id: str, integration: str, now: datetime) -> None: ...

    async def finish(self, run_id: str, status: str, report: dict[str, Any] | None, now: datetime) -> None: ...

    async def list(self, integration: str | None = None, limit: int = 50) -> list[RunRecord]: ...


class DeadLetterBox(Protocol):
    async def add(self, key: str, run_id: str, rejected: Sequence[Rejected], now: datetime) -> None: ...

    async def list(
        self, key: str | None = None, status: RejectStatus | None = "open", limit: int = 1000
    ) -> list[DeadLetter]: ...

    async def get(self, letter: int) -> DeadLetter: ...

    async def mark(self, letters: Sequence[int], status: RejectStatus, *, attempted: bool = False) -> None: ...

    async def amend(self, letter: int, record: Any) -> None:
        """Put a mended record in the place of the one that came."""
        ...


class EffectBox(Protocol):
    """What is done to other APIs, and what their records are to ours."""

    async def keep(
        self,
        lease: Lease,
        effects: Sequence[Effect],
        *,
        links: Sequence[Link] = (),
        unlinked: Sequence[str] = (),
        removed: Sequence[str] = (),
        now: datetime,
    ) -> None:
        """Effects as they are now, links made and links (by source key) and effects (by id) gone, all or none.

        Raises LeaseError where another has taken the stream over: nothing may be sent then.
        """
        ...

    async def effects(self, key: str, outcomes: Sequence[Outcome] = (), limit: int | None = None) -> list[Effect]: ...

    async def count(self, key: str, outcome: Outcome) -> int: ...

    async def links(self, key: str, source_keys: Sequence[str]) -> dict[str, Link]: ...

    async def see(self, lease: Lease, source_keys: Sequence[str], mark: str) -> None:
        """The pass of this mark has listed these. Raises LeaseError."""
        ...

    async def forget_digests(self, lease: Lease) -> int:
        """What was last sent counts for nothing: the next passes send every record that they meet. Gives the number of links."""
        ...

    async def count_links(self, key: str, unseen: str | None = None) -> int:
        """How many records are linked; or how many of them the pass of the mark `unseen` has not listed."""
        ...

    async def unseen(self, key: str, mark: str, limit: int) -> list[Link]:
        """Some of those that the pass of this mark has not listed."""
        ...
