"""Events of runs into the log file of their integration, a line each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from syncline import events
from syncline.operate.home import Home
from syncline.operate.log_lines import LEVELS, fields_of, level_of, may_reach, name_of
from syncline.secrets import redactor

MANY = 200
"""Lines of level debug that are held at most before they are written."""

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class LogFile:
    """Listens to runs and writes what is of at least this level to `logs/NAME.jsonl`; a full disk ends no run."""

    def __init__(
        self, home: Home, level: str = "info", now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._home, self._level, self._now = home, level, now
        self._held: dict[str, list[bytes]] = {}

    def wants(self, kind: type[events.Event]) -> bool:
        return may_reach(self._level, kind)

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        level = level_of(event)
        if not scope.integration or LEVELS[level] < LEVELS[self._level]:
            return
        line = {
            "timestamp": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "event": name_of(event),
            **fields_of(scope, event),
        }
        held = self._held.setdefault(scope.integration, [])
        held.append(_encoder.encode(redactor.data(line)) + b"\n")
        if len(held) >= MANY or level != "debug":  # somebody may be following
            self._write(scope.integration)

    def close(self) -> None:
        for integration in list(self._held):
            self._write(integration)

    def _write(self, integration: str) -> None:
        lines = self._held.pop(integration, [])
        try:
            if lines:
                self._home.add_lines(integration, lines)
        except OSError:
            return  # the run matters more than its log
