"""Events as log lines: what level each has, and what is taken out of it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from syncline import events

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_LEVELS: dict[type[events.Event], str] = {
    **dict.fromkeys((events.PageRead, events.BatchWritten, events.LimitLearned, events.Reached), "debug"),
    **dict.fromkeys((events.RetryScheduled, events.CircuitChanged, events.Noticed), "warning"),
    **dict.fromkeys((events.FileRefused, events.AlertUndelivered), "error"),
}
_BY_CONTENT = (events.RequestSent, events.StreamFinished, events.RunFinished)
"""Kinds whose level depends on how it went."""


def may_reach(level: str, kind: type[events.Event]) -> bool:
    """Whether an event of this kind may be of this level or above."""
    return kind in _BY_CONTENT or LEVELS[_LEVELS.get(kind, "info")] >= LEVELS[level]


def level_of(event: events.Event) -> str:
    """warning: nothing is lost, and nobody must act. error: somebody must."""
    if isinstance(event, events.RequestSent):
        return "warning" if event.error or event.status == 0 or event.status >= 400 else "debug"
    if isinstance(event, events.StreamFinished | events.RunFinished) and event.status == "failed":
        return "error"
    return _LEVELS.get(type(event), "info")


def name_of(event: events.Event) -> str:
    """`request_sent` for RequestSent."""
    return _WORD.sub("_", type(event).__name__).lower()


def fields_of(scope: events.Scope, event: events.Event) -> dict[str, Any]:
    """What the event says, beside the run, integration and stream it belongs to; addresses lose their query."""
    fields = {**msgspec.structs.asdict(scope), **msgspec.structs.asdict(event)}
    if "url" in fields:
        fields["url"] = without_query(str(fields["url"]))
    return {key: value for key, value in fields.items() if value not in (None, "")}


def without_query(url: str) -> str:
    """Scheme, host and path: a query may hold keys, and user information is a password."""
    address = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-z]+://)[^/@]*@", r"\1", address)
