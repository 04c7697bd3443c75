"""What is going on: listens to all runs of a server, and knows of each integration what its reports do not tell."""

from __future__ import annotations

from datetime import datetime

import msgspec

from syncline import events
from syncline.model import Clock, SystemClock


class Live(msgspec.Struct):
    """One integration as it was last heard of. `quota` is the share left of the scarcest.

    `ends_at` is when a person is needed for the first of its credentials.
    """

    run_id: str = ""
    stream: str = ""
    records: int = 0
    total: int | None = None
    page: int = 0
    waiting: str | None = None
    waiting_until: datetime | None = None
    quota: float | None = None
    circuit: str = "closed"
    circuit_reason: str = ""
    credential: str | None = None
    ends_at: datetime | None = None
    changes: list[str] = []
    """What the last run changed in the destination's schema."""


class Monitor:
    """A listener; `of` gives what it knows."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lives: dict[str, Live] = {}

    def of(self, integration: str) -> Live:
        return self._lives.setdefault(integration, Live())

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        if not scope.integration:
            return
        live = self.of(scope.integration)
        if isinstance(event, events.RunStarted):
            fresh = Live(run_id=scope.run_id, quota=live.quota)
            fresh.circuit, fresh.circuit_reason = (
                live.circuit,
                live.circuit_reason,
            )  # an open one is left to the next run
            self._lives[scope.integration] = fresh
        elif isinstance(event, events.StreamStarted):
            live.stream, live.records, live.page, live.total = scope.stream, 0, 0, None
        elif isinstance(event, events.PageRead):
            live.records += event.records
            live.page, live.total = event.number, event.total
        elif isinstance(event, events.Waiting):
            live.waiting, live.waiting_until = event.reason, event.until
        elif isinstance(event, events.RequestSent):
            live.waiting = live.waiting_until = None
        elif isinstance(event, events.QuotaLeft):
            live.quota = event.ratio
        elif isinstance(event, events.CircuitChanged):
            live.circuit, live.circuit_reason = event.state, event.reason
        elif isinstance(event, events.CredentialEnding):
            if live.ends_at is None or event.ends_at < live.ends_at:
                live.credential, live.ends_at = event.credential, event.ends_at
        elif isinstance(event, events.SchemaChanged):
            live.changes = [*live.changes, f"{event.table}: {event.change}"][:50]
        elif isinstance(event, events.RunFinished):
            live.waiting = live.waiting_until = None
            if event.status == "done":
                live.circuit, live.circuit_reason = "closed", ""
