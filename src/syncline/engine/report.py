"""What a run did: an account that adds up."""

from __future__ import annotations

from datetime import datetime
from operator import add
from typing import Any

import msgspec

from syncline import errors, events

EXIT_CODES = {"done": 0, "failed": 1, "partial": 5, "deferred": 6, "interrupted": 130}


class Account(msgspec.Struct):
    """Counts of records: read = written + unchanged + rejected + filtered + in_doubt.

    `deleted` counts rows: those whose record said so (they are among the written), and those whose record a complete pass missed.
    """

    read: int = 0
    written: int = 0
    unchanged: int = 0
    rejected: int = 0
    filtered: int = 0
    deleted: int = 0
    in_doubt: int = 0
    """Sent to another API that gave no answer and cannot be asked; kept in the outbox."""

    @property
    def adds_up(self) -> bool:
        return self.read == self.written + self.unchanged + self.rejected + self.filtered + self.in_doubt

    def __add__(self, other: Account) -> Account:
        return Account(*map(add, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))


class StreamReport(msgspec.Struct, kw_only=True):
    """One stream of a run. `status` is done, partial, failed, deferred, interrupted or skipped."""

    name: str
    status: str = "skipped"
    sync_mode: str = "full_refresh"
    resumed: bool = False
    pages: int = 0
    account: Account = msgspec.field(default_factory=Account)
    cursor: Any = None
    seconds: float = 0.0
    notices: list[str] = []
    error: dict[str, Any] | None = None


class Conduct(msgspec.Struct, kw_only=True):
    """What passed between us and the API. `requests` counts attempts; `waited` is in seconds."""

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    server_errors: int = 0
    broken: int = 0
    """Connections that failed or were cut, and bodies that broke on their way."""
    tokens: int = 0
    refused: int = 0
    """Answers 401: a token that was no longer good."""
    waited: float = 0.0
    bytes: int = 0


class Report(msgspec.Struct, kw_only=True):
    """A run, from its start to its end. `version` grows when a field changes its meaning.

    `status` is done, partial, failed, deferred, interrupted, or held: another runner was at it.
    """

    version: int = 1
    run_id: str
    integration: str
    status: str = "done"
    started_at: datetime
    finished_at: datetime | None = None
    seconds: float = 0.0
    streams: list[StreamReport] = []
    conduct: Conduct = msgspec.field(default_factory=Conduct)
    error: dict[str, Any] | None = None
    exit_code: int = 0
    until: datetime | None = None
    """When to come back, where the API asked for a longer wait than the file allows."""

    @property
    def account(self) -> Account:
        total = Account()
        for stream in self.streams:
            total = total + stream.account
        return total

    @classmethod
    def of_error(cls, error: errors.SynclineError, *, run_id: str, integration: str, started_at: datetime) -> Report:
        """The report of a run that did not come to its first stream."""
        report = cls(run_id=run_id, integration=integration, started_at=started_at)
        report.status = "held" if isinstance(error, errors.LeaseError) else status_of(error)
        report.error, report.exit_code = error.to_data(), error.exit_code
        report.until = error.until if isinstance(error, errors.DeferredError) else None
        return report

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Report:
        """What `to_data` gave. Raises msgspec.ValidationError."""
        return msgspec.convert(data, cls)

    def to_data(self) -> dict[str, Any]:
        """The report for programs, as JSON data."""
        data = msgspec.to_builtins(self)
        data["account"] = msgspec.to_builtins(self.account)
        return dict(data)


COUNTED = frozenset({events.RequestSent, events.RetryScheduled, events.Waiting, events.TokenObtained, events.Noticed})


class Tally:
    """Listens to a run and counts what passes between us and the API."""

    def __init__(self) -> None:
        self.conduct = Conduct()
        self.notices: dict[str, list[str]] = {}

    def wants(self, kind: type[events.Event]) -> bool:
        return kind in COUNTED

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        conduct = self.conduct
        if isinstance(event, events.RequestSent):
            conduct.requests += 1
            conduct.bytes += event.size
            conduct.rate_limited += event.status == 429
            conduct.server_errors += event.status >= 500
            conduct.refused += event.status == 401
            conduct.broken += event.status == 0 or (event.error is not None and event.status < 400)
        elif isinstance(event, events.RetryScheduled):
            conduct.retries += 1
        elif isinstance(event, events.Waiting):
            conduct.waited += event.seconds or 0.0
        elif isinstance(event, events.TokenObtained):
            conduct.tokens += 1
        elif isinstance(event, events.Noticed):
            self.notices.setdefault(scope.stream, []).append(event.what)


def status_of(error: BaseException) -> str:
    """The status of a stream that ended with this error."""
    if isinstance(error, errors.DeferredError):
        return "deferred"
    return "partial" if isinstance(error, errors.PartialError) else "failed"


def finished(report: StreamReport) -> events.StreamFinished:
    """The event at a stream's end."""
    error, hint = _trouble(report.error)
    account = msgspec.structs.asdict(report.account)
    return events.StreamFinished(status=report.status, error=error, hint=hint, **account)


def ended(report: Report) -> events.RunFinished:
    """The event at a run's end; a stream's error is told at the stream's."""
    error, hint = _trouble(report.error)
    return events.RunFinished(status=report.status, seconds=report.seconds, error=error, hint=hint)


def _trouble(error: dict[str, Any] | None) -> tuple[str | None, str | None]:
    return (None, None) if error is None else (f"{error['code']}: {error['what']}", error.get("hint"))
