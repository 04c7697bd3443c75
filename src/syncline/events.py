"""What happened. Who speaks does not know who listens; every event is heard with the run and stream it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all events. Seconds are float seconds; counts are of records unless the name says otherwise."""


class RunStarted(Event, frozen=True, kw_only=True):
    streams: tuple[str, ...]


class RunFinished(Event, frozen=True, kw_only=True):
    status: str
    seconds: float
    error: str | None = None
    hint: str | None = None


class StreamStarted(Event, frozen=True, kw_only=True):
    sync_mode: str
    cursor: str | None
    resumed: bool


class StreamFinished(Event, frozen=True, kw_only=True):
    status: str
    read: int
    written: int
    unchanged: int
    rejected: int
    filtered: int
    deleted: int = 0
    in_doubt: int = 0
    error: str | None = None
    hint: str | None = None


class PageRead(Event, frozen=True, kw_only=True):
    number: int
    records: int
    total: int | None
    """How many records the API says there are, where it says so."""


class BatchWritten(Event, frozen=True, kw_only=True):
    """A batch and its checkpoint are durable."""

    written: int
    unchanged: int
    rejected: int
    filtered: int
    deleted: int = 0
    in_doubt: int = 0
    cursor: str | None = None


class RequestSent(Event, frozen=True, kw_only=True):
    """One attempt and its answer; `status` is 0 where none came."""

    method: str
    url: str
    status: int
    attempt: int
    seconds: float
    size: int
    request_id: str | None = None
    error: str | None = None


class RetryScheduled(Event, frozen=True, kw_only=True):
    attempt: int
    seconds: float
    reason: str


class Waiting(Event, frozen=True, kw_only=True):
    """Nothing will be sent for a while; how long is not known where others have to find something out first."""

    reason: str
    seconds: float | None = None
    until: datetime | None = None


class TokenObtained(Event, frozen=True, kw_only=True):
    reason: str


class CredentialEnding(Event, frozen=True, kw_only=True):
    """Somebody will have to log in again, or renew it, before `ends_at`."""

    credential: str
    ends_at: datetime


class CircuitChanged(Event, frozen=True, kw_only=True):
    state: str
    reason: str


class LimitLearned(Event, frozen=True, kw_only=True):
    source: str
    detail: str


class QuotaLeft(Event, frozen=True, kw_only=True):
    """What the API says is left of the scarcest of its quotas, as a share of it."""

    ratio: float


class Noticed(Event, frozen=True, kw_only=True):
    """Something that nobody must act on now but everybody would want to know: a total that moved, a cursor in the future."""

    what: str
    hint: str | None = None


class SchemaChanged(Event, frozen=True, kw_only=True):
    table: str
    change: str


class FileRead(Event, frozen=True, kw_only=True):
    """A server runs this file from now on."""

    file: str
    schedule: str | None
    due: datetime | None = None


class FileRefused(Event, frozen=True, kw_only=True):
    """A server cannot run this file until it is mended; all others go on."""

    file: str
    what: str


class FileGone(Event, frozen=True, kw_only=True):
    file: str


class AlertTold(Event, frozen=True, kw_only=True):
    """Somebody was told. `address` says where to, without what is secret in it."""

    alert: str
    address: str
    resolved: bool = False


class AlertUndelivered(Event, frozen=True, kw_only=True):
    """Nobody could be told; it is tried again."""

    alert: str
    address: str
    reason: str


class Reached(Event, frozen=True, kw_only=True):
    """The record's way has come to this station; for rehearsals and crash tests, which may end the process here."""

    station: str


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What an event belongs to; `run_id` is the correlation id of everything that a run does."""

    run_id: str = ""
    integration: str = ""
    stream: str = ""


_NOWHERE = Scope()

Listener = Callable[[Scope, Event], None]
"""Hears events. One with a method `wants(kind)` is told of those kinds alone that it wants, which is asked once for each."""


class _Audience(dict[type[Event], tuple[Listener, ...]]):
    """Who listens, by the kind of event."""

    def __init__(self, listeners: tuple[Listener, ...] = ()) -> None:
        super().__init__()
        self.listeners = listeners

    def __missing__(self, kind: type[Event]) -> tuple[Listener, ...]:
        self[kind] = wanting = tuple(listener for listener in self.listeners if _wants(listener, kind))
        return wanting


def _wants(listener: Listener, kind: type[Event]) -> bool:
    wants = getattr(listener, "wants", None)
    return wants is None or bool(wants(kind))


_audience: ContextVar[_Audience] = ContextVar("syncline_audience", default=_Audience())  # noqa: B039 - only remembers
_scope: ContextVar[Scope] = ContextVar("syncline_scope", default=_NOWHERE)


def emit(event: Event) -> None:
    """Tell whoever listens in this context."""
    for listener in _audience.get()[type(event)]:
        listener(_scope.get(), event)


def scope() -> Scope:
    return _scope.get()


@contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """Let these hear everything emitted within, in tasks started within too."""
    token = _audience.set(_Audience(_audience.get().listeners + listeners))
    try:
        yield
    finally:
        _audience.reset(token)


@contextmanager
def within(**names: str) -> Iterator[None]:
    """Events emitted within belong to this run, integration or stream."""
    token = _scope.set(msgspec.structs.replace(_scope.get(), **names))
    try:
        yield
    finally:
        _scope.reset(token)
