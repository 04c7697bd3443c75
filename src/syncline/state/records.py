"""What the store knows: how far a stream is, who holds it, what ran, what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from syncline.model import Checkpoint
from syncline.state.owner import Owner

Status = Literal["idle", "running", "failed"]
RejectStatus = Literal["open", "retried", "dropped"]


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `sync_state`. `items_synced` counts rows written since the state began.

    `last_sync_at` is when rows or a finished pass last became durable. `owner` and `lease_until` tell who holds the stream.
    """

    key: str
    checkpoint: Checkpoint = Checkpoint()
    status: Status = "idle"
    items_synced: int = 0
    last_sync_at: datetime | None = None
    error: str | None = None
    run_id: str | None = None
    owner: Owner | None = None
    lease_until: datetime | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to write a stream. Every new holder gets a higher `fence`; an older one can commit nothing any more."""

    key: str
    fence: int
    owner: Owner


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an integration; `report` is the engine's account in plain data."""

    id: str
    integration: str
    started: datetime
    finished: datetime | None = None
    status: str = "running"
    report: dict[str, Any] | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that did not become a row, kept exactly as it came. `attempts` counts retries."""

    id: int
    key: str
    run_id: str
    path: str
    reason: str
    record: Any
    created: datetime
    attempts: int = 0
    status: RejectStatus = "open"
