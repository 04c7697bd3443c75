"""What runs leave behind: log lines, reports, files and databases, and which secrets can be found there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO
from urllib.parse import urlsplit

import msgspec

from syncline.events import Listener
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.scratch import Scratch
from syncline.rehearsal.staging import ADDRESS, Staged
from syncline.secrets import Redactor, references

Logging = Callable[[TextIO], Listener]
"""Makes the listener that writes a run's log, a line of JSON an event."""

LARGEST = 8_000_000
"""Bytes of a file that are looked through."""


class Trace:
    """Everything that was written down while acts were played, and the secrets that must not be in it."""

    def __init__(self, logging: Logging | None) -> None:
        self._text = io.StringIO()
        self.listener = logging(self._text) if logging else None
        self.secrets: set[str] = set()
        self.places: dict[str, int] = {}
        """How many of each kind of place were looked through."""
        self.bytes = 0
        self.leaks: list[str] = []
        self.played: list[ActReport] = []
        self._known = Redactor()

    @property
    def lines(self) -> list[str]:
        return self._text.getvalue().splitlines()

    def guard(self, staged: Staged, seed: int, *, given: bool) -> None:
        """Look out for the made-up values of this integration's references, and for the tokens given out to it."""
        addresses = {
            name
            for path, reference in references(staged.integration)
            for name in reference.names()
            if ADDRESS.search(path)
        }
        values = {value for name, value in staged.environment.items() if name not in addresses}
        values |= {word for name in addresses if (word := urlsplit(staged.environment[name]).password)}
        tokens = {f"rehearsed-{seed}-access-", f"rehearsed-{seed}-refresh-"} if given else set[str]()
        for value in (values | tokens) - self.secrets:
            self.secrets.add(value)
            self._known.add(value)

    def look_through(self, report: ActReport, scratch: Scratch) -> None:
        """Search what an act left: its report, every file in its folder, and every table at a server."""
        self.played.append(report)
        self._search("report", report.name, json.dumps(_told(report), default=str))
        for path in sorted(scratch.folder.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    self._search("file", f"{report.name}: {path.name}", file.read(LARGEST).decode("latin-1"))
        for name, text in scratch.texts():
            self._search("table", f"{report.name}: {name}", text)

    def finish(self) -> None:
        """Search the log; once, behind everything else."""
        for line in self.lines:
            self._search("log line", "the log", line)

    def _search(self, kind: str, where: str, text: str) -> None:
        self.places[kind] = self.places.get(kind, 0) + 1
        self.bytes += len(text)
        cleaned = self._known.text(text)
        if cleaned != text:
            self.leaks.append(f"{where}: {_around(cleaned)}")


def _told(report: ActReport) -> list[Any]:
    return [{"report": one.report, "error": one.error, "events": one.events} for one in report.passes]


def _around(cleaned: str) -> str:
    """What stands about the first secret, itself masked."""
    at = cleaned.find("***")
    return "".join(c if c.isprintable() else "·" for c in cleaned[max(0, at - 40) : at + 20])


def parsed(lines: Iterable[str]) -> list[Mapping[str, Any]]:
    """The lines as objects; one that is none becomes an empty one."""
    found: list[Mapping[str, Any]] = []
    for line in lines:
        try:
            value = msgspec.json.decode(line)
        except msgspec.DecodeError:
            value = None
        found.append(value if isinstance(value, dict) else {})
    return found
