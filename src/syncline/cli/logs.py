"""Events as log lines, with structlog; imported only where logs are asked for."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any, TextIO

import msgspec
import structlog

from syncline import events
from syncline.cli.door import while_it_is_read
from syncline.cli.paint import is_terminal, printable
from syncline.operate.log_lines import LEVELS, fields_of, level_of, name_of
from syncline.secrets import Redactor, redactor

EventDict = MutableMapping[str, Any]


def log_listener(
    format: str, level: str, stream: TextIO, *, known: Redactor = redactor, now: Callable[[], str] | None = None
) -> events.Listener:
    """A listener that writes a line for every event of at least this level: `json` or `pretty`.

    Every line has the run's id, integration and stream, and what the event itself says: attempt, status, the server's
    request id. Addresses lose their query; known secrets are taken out of every value. A line that cannot be written (its reader
    has left, its disk is full) is left out: it ends no run.
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
        with while_it_is_read(stream):
            logger.log(LEVELS[level_of(event)], name_of(event), **fields_of(scope, event))

    return listen


def _stamp(now: Callable[[], str]) -> Callable[[Any, str, EventDict], EventDict]:
    def stamp(_: Any, __: str, line: EventDict) -> EventDict:
        line["timestamp"] = now()
        return line

    return stamp


def _cleaned(known: Redactor) -> Callable[[Any, str, EventDict], EventDict]:
    def clean(_: Any, __: str, line: EventDict) -> EventDict:
        return {key: known.data(value) for key, value in line.items()}

    return clean


def _renderer(format: str, stream: TextIO) -> Callable[..., str]:
    if format == "json":
        encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

        def render(_: Any, __: str, line: EventDict) -> str:
            first = {key: line[key] for key in ("timestamp", "level", "event") if key in line}
            return encoder.encode({**first, **line}).decode()

        return render
    pretty = structlog.dev.ConsoleRenderer(colors=is_terminal(stream), pad_event_to=16, sort_keys=False)

    def render_pretty(logger: Any, name: str, line: EventDict) -> str:
        return str(pretty(logger, name, {key: _shown(value) for key, value in line.items()}))

    return render_pretty


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return printable(value) if isinstance(value, str) else value
