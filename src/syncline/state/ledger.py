"""The streams' state on a given connection. Nothing here begins or commits: it works inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from syncline.databases import Database
from syncline.errors import LeaseError, StateError
from syncline.model import Checkpoint, decode_json
from syncline.state.exact import to_json, to_text
from syncline.state.owner import Owner
from syncline.state.records import Lease, Status, StreamState

COLUMNS = "integration, checkpoint, status, items_synced, last_sync_at, error, run_id, owner, lease_until"

TRIES = 5


class Ledger:
    """Reads and writes `sync_state`. Times are aware; seconds of `ttl` are float.

    It counts the commits made under each lease, so that after a lost connection it is known whether the last one came through.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits: dict[tuple[str, int], int] = {}

    def load(self, key: str) -> StreamState:
        """The state of one stream; that of a stream never run where there is none."""
        row = self._row(key)
        return self._state_of(row) if row else StreamState(key=key)

    def all(self) -> list[StreamState]:
        rows = self._database.execute(f"SELECT {COLUMNS} FROM sync_state ORDER BY integration").fetchall()  # noqa: S608
        return [self._state_of(row) for row in rows]

    def refuse_held(self, key: str, now: datetime) -> None:
        """Raise LeaseError where somebody alive holds the stream; only reads."""
        row = self._row(key)
        if row is None:
            return
        state = self._state_of(row)
        if state.owner is None or state.lease_until is None or state.lease_until <= now or state.owner.is_dead():
            return
        raise LeaseError(
            f"{key} is held by {state.owner} (run {state.owner.run_id or '?'})",
            hint=f"wait for it, or stop it: kill {state.owner.pid}",
            evidence=f"its lease lasts until {state.lease_until.isoformat()} and is renewed while it runs",
            stream=key,
        )

    def acquire(self, key: str, owner: Owner, now: datetime, ttl: float) -> Lease:
        """Take the stream, from a dead or expired holder too. Raises LeaseError, naming who holds it."""
        for _ in range(TRIES):
            self.refuse_held(key, now)
            before = self._fence_of(key)
            until = self._database.bound_time(now + timedelta(seconds=ttl))
            if before is None:
                self._database.execute(
                    "INSERT INTO sync_state (integration, status, fence, owner, lease_until, run_id)"
                    " VALUES (?, 'running', 1, ?, ?, ?)",
                    (key, to_json(owner), until, owner.run_id),
                )
                taken = 1
            else:
                taken = self._database.execute(
                    "UPDATE sync_state SET status = 'running', fence = fence + 1, commits = 0, owner = ?, lease_until = ?,"
                    " run_id = ? WHERE integration = ? AND fence = ?",
                    (to_json(owner), until, owner.run_id, key, before),
                ).rowcount
            if taken:
                lease = Lease(key=key, fence=(before or 0) + 1, owner=owner)
                self._commits[key, lease.fence] = 0
                return lease
        raise LeaseError(f"others take {key} again and again", hint="run again in a moment", stream=key)

    def acquired(self, key: str, owner: Owner) -> Lease | None:
        """The lease of this very owner, where it has one: its commit came through, but not the answer."""
        if self.load(key).owner != owner:
            return None
        lease = Lease(key=key, fence=self._fence_of(key) or 0, owner=owner)
        self._commits[key, lease.fence] = 0
        return lease

    def landed(self, lease: Lease) -> bool:
        """Whether the commit came through whose answer was lost."""
        row = self._database.execute(
            "SELECT fence, commits FROM sync_state WHERE integration = ?", (lease.key,)
        ).fetchone()
        known = self._commits.get((lease.key, lease.fence), 0)
        if row is None or int(row[0]) != lease.fence or int(row[1]) <= known:
            return False
        self._commits[lease.key, lease.fence] = int(row[1])
        return True

    def committed(self, lease: Lease) -> None:
        """The transaction of the last `commit` of this lease came through."""
        self._commits[lease.key, lease.fence] = self._commits.get((lease.key, lease.fence), 0) + 1

    def renew(self, lease: Lease, now: datetime, ttl: float) -> None:
        """Hold on for another `ttl` seconds. Raises LeaseError where another has taken over."""
        self._update(lease, "lease_until = ?", self._database.bound_time(now + timedelta(seconds=ttl)))

    def refuse_fenced_out(self, lease: Lease) -> None:
        """Raise LeaseError where another has taken over; the stream's row stays locked until the transaction's end."""
        self._update(lease, "run_id = ?", lease.owner.run_id)

    def release(self, lease: Lease, status: Status, error: str | None = None) -> None:
        self._update(lease, "status = ?, error = ?, owner = NULL, lease_until = NULL", status, to_text(error))

    def commit(self, lease: Lease, checkpoint: Checkpoint | None, *, now: datetime, written: int = 0) -> None:
        """Move the checkpoint on (None leaves it). Raises LeaseError, so that nothing of a fenced-out writer stays.

        Call `committed` once the transaction came through. It must be the first commit after those that are known: where an
        earlier one of ours, thought lost with its connection, comes through while this one waits for it, this one fails.
        """
        moved: dict[str, Any] = {}
        if checkpoint is not None:
            moved = {
                "checkpoint": to_json(checkpoint),
                "last_cursor": to_text(checkpoint.cursor),
                "last_sync_at": self._database.bound_time(now),
            }
        assignments = ["commits = commits + 1", "items_synced = items_synced + ?", *(f"{name} = ?" for name in moved)]
        self._update(lease, ", ".join(assignments), written, *moved.values(), commits=self._known(lease))

    def forget_pass(self, lease: Lease) -> None:
        """What an unfinished pass laid aside will be thrown away: the next pass begins at its beginning."""
        checkpoint = self.load(lease.key).checkpoint
        if checkpoint.resume is not None:
            self._update(lease, "checkpoint = ?", to_json(Checkpoint(cursor=checkpoint.cursor)))

    def reset(self, key: str, now: datetime) -> None:
        """Forget how far the stream is; its fence stays, so that no old holder comes back. Raises LeaseError."""
        self._place(key, Checkpoint(), now, keep=False)

    def rewind(self, key: str, cursor: Any, now: datetime) -> None:
        """Start the next pass from this raw cursor. Raises LeaseError."""
        self._place(key, Checkpoint(cursor=cursor), now, keep=True)

    def _place(self, key: str, checkpoint: Checkpoint, now: datetime, *, keep: bool) -> None:
        self.refuse_held(key, now)
        changed = self._database.execute(
            "UPDATE sync_state SET checkpoint = ?, last_cursor = ?, status = 'idle', error = NULL, owner = NULL,"
            " lease_until = NULL, fence = fence + 1, items_synced = items_synced * ? WHERE integration = ?",
            (to_json(checkpoint), to_text(checkpoint.cursor), int(keep), key),
        ).rowcount
        if not changed:
            raise StateError(
                f"there is no state of {key}", hint="`syncline state show` lists what there is", stream=key
            )

    def _known(self, lease: Lease) -> int:
        """How many commits of this lease are known to have come through."""
        place = (lease.key, lease.fence)
        if place not in self._commits:  # taken on another connection
            row = self._database.execute(
                "SELECT commits FROM sync_state WHERE integration = ? AND fence = ?", place
            ).fetchone()
            self._commits[place] = int(row[0]) if row else 0
        return self._commits[place]

    def _update(self, lease: Lease, assignments: str, *values: Any, commits: int | None = None) -> None:
        condition = "integration = ? AND fence = ? AND owner IS NOT NULL" + (
            "" if commits is None else " AND commits = ?"
        )
        changed = self._database.execute(
            f"UPDATE sync_state SET {assignments} WHERE {condition}",  # noqa: S608 – ours
            (*values, lease.key, lease.fence, *(() if commits is None else (commits,))),
        ).rowcount
        if changed:
            return
        holder = self.load(lease.key).owner
        raise LeaseError(
            f"{lease.key} was taken over{f' by {holder}' if holder else ''}; nothing of this batch was kept",
            hint="this run was silent for longer than its lease; the other one goes on",
            evidence=f"fence {lease.fence} is not the newest any more",
            stream=lease.key,
        )

    def _row(self, key: str) -> Any:
        return self._database.execute(
            f"SELECT {COLUMNS} FROM sync_state WHERE integration = ?",  # noqa: S608 – ours
            (key,),
        ).fetchone()

    def _fence_of(self, key: str) -> int | None:
        row = self._database.execute("SELECT fence FROM sync_state WHERE integration = ?", (key,)).fetchone()
        return int(row[0]) if row else None

    def _state_of(self, row: tuple[Any, ...]) -> StreamState:
        key, checkpoint, status, items, synced, error, run_id, owner, until = row
        try:
            return StreamState(
                key=key,
                checkpoint=msgspec.convert(decode_json(checkpoint), Checkpoint) if checkpoint else Checkpoint(),
                status=status,
                items_synced=int(items),
                last_sync_at=self._database.read_time(synced),
                error=error,
                run_id=run_id,
                owner=msgspec.convert(decode_json(owner), Owner) if owner else None,
                lease_until=self._database.read_time(until),
            )
        except ValueError as problem:
            raise StateError(
                f"the state of {key} cannot be read",
                hint=f"`syncline state reset {key}` starts it anew; the next run reads everything again",
                evidence=str(problem),
                stream=key,
            ) from problem
