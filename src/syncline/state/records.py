"""What the store knows: how far a stream is, who holds it, what ran, what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from syncline.model import Checkpoint
from syncline.state.owner import Owner

Status = Literal["idle", "running", "failed"]
RejectStatus = Literal["open", "retried", "dropped"]
Operation = Literal["create", "update", "delete"]
Outcome = Literal["sent", "confirmed", "rejected", "in_doubt"]
"""What became of an effect. sent: stored before its first sending; what came of it is not known. confirmed: the API has it.
rejected: the API refused it. in_doubt: nobody can find out, and it is not sent again until a person says so."""


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


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen to one record of another API. Stored before it is sent, and kept until the checkpoint has moved past it.

    `key` is the stream's, `source_key` the record's there (its primary key as JSON). `content` is the row as JSON, `digest` that of
    what is sent. Effects of one `call` travel in one request, in the order of `place`; `request` is its method and path.
    `record` is the source's record, kept where somebody may have to look at it. `letter` is the dead letter that this effect lands.
    """

    id: str
    key: str
    source_key: str
    operation: Operation
    content: str
    digest: str
    request: str
    call: str
    place: int = 0
    idempotency_key: str | None = None
    outcome: Outcome = "sent"
    remote_id: Any = None
    """Of the record at the destination, once it is known: text or an integer, as the API spells it."""
    path: str | None = None
    reason: str | None = None
    record: Any = None
    letter: int | None = None
    passed: bool = False
    """The checkpoint has moved past it: the source will not bring it again."""
    run_id: str = ""
    created: datetime


ORIGIN = ""
"""The key of the link whose `remote_id` is the address of the API that the ids of all others belong to."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Which record of another API a source's record is, and the digest of what was last sent to it."""

    source_key: str
    remote_id: Any
    digest: str = ""
