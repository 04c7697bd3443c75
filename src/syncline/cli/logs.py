"""Events as log lines, with structlog; imported only where logs are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from syncline import events
from syncline.cli.paint import is_terminal, printable
from syncline.secrets import Redactor, redactor

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_DEBUG = (events.RequestSent, events.PageRead, events.BatchWritten, events.LimitLearned, events.Reached)
_WARNING = (events.RetryScheduled, events.CircuitChanged, events.Noticed)

EventDict = MutableMapping[str, Any]


def log_listener(
    format: str, level: str, stream: TextIO, *, known: Redactor = redactor, now: Callable[[], str] | None = None
) -> events.Listener:
    """A listener that writes a line for every event of at least this level: `json` or `pretty`.

    Every line has the run's id, integration and stream, and what the event itself says: attempt, status, the server's
    request id. Addresses lose their query; known secrets are taken out of every value.
    """
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            _stamp(now) if now else structlog.processors.TimeStamper(fmt="iso", utc=True),
            _cleaned(known),
            _renderer(format, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )

    def listen(scope: events.Scope, event: events.Event) -> None:
        fields = {**msgspec.structs.asdict(scope), **msgspec.structs.asdict(event)}
        logger.log(
            LEVELS[_level(event)],
            _name(event),
            **{key: value for key, value in fields.items() if value not in (None, "")},
        )

    return listen


def _level(event: events.Event) -> str:
    if isinstance(event, events.RequestSent) and (event.error or event.status == 0 or event.status >= 400):
        return "warning"
    if isinstance(event, events.StreamFinished | events.RunFinished) and event.status == "failed":
        return "error"
    if isinstance(event, _WARNING):
        return "warning"
    return "debug" if isinstance(event, _DEBUG) else "info"


def _name(event: events.Event) -> str:
    return _WORD.sub("_", type(event).__name__).lower()


def _stamp(now: Callable[[], str]) -> Callable[[Any, str, EventDict], EventDict]:
    def stamp(_: Any, __: str, line: EventDict) -> EventDict:
        line["timestamp"] = now()
        return line

    return stamp


def _cleaned(known: Redactor) -> Callable[[Any, str, EventDict], EventDict]:
    def clean(_: Any, __: str, line: EventDict) -> EventDict:
        if "url" in line:
            line["url"] = without_query(str(line["url"]))
        return {key: known.data(value) for key, value in line.items()}

    return clean


def without_query(url: str) -> str:
    """Scheme, host and path: a query may hold keys, and user information is a password."""
    address = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-z]+://)[^/@]*@", r"\1", address)


def _renderer(format: str, stream: TextIO) -> Callable[..., str]:
    if format == "json":
        encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

        def render(_: Any, __: str, line: EventDict) -> str:
            first = {key: line[key] for key in ("timestamp", "level", "event") if key in line}
            return encoder.encode({**first, **line}).decode()

        return render
    pretty = structlog.dev.ConsoleRenderer(colors=is_terminal(stream), pad_event_to=16, sort_keys=False)

    def render_pretty(logger: Any, name: str, line: EventDict) -> str:
        shown = {key: printable(value) if isinstance(value, str) else value for key, value in line.items()}
        return str(pretty(logger, name, shown))

    return render_pretty
