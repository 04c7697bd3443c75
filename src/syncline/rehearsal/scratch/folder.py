"""Scratch in an act's own folder: files, and the databases that need no server."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from syncline.destinations import Destination
from syncline.model import Part
from syncline.rehearsal.holdings import Holdings, hold, holdings_of
from syncline.rehearsal.simulator.recipient import Recipient
from syncline.spec import Integration

EMBEDDED = ("sqlite", "duckdb")
UNTRIED = (
    "its types, locks, rights and outages were not tried (--scratch destination tries them in scratch of its own there)"
)
"""What a stand-in does not prove."""


class Scratch:
    """An act's destination, of the same kind, where nothing is yet; `scheme` is that of a database, where it is not the file's."""

    def __init__(self, folder: Path, scheme: str | None = None) -> None:
        self.folder, self._scheme = folder, scheme
        self._held: list[sqlite3.Connection] = []
        self.environment: dict[str, str] = {}
        """What the references in its destination stand for."""
        self.passed = scheme
        """Its word for another process that plays in it: a URL, or the scheme of a database in the folder."""

    def destination(self, part: Destination, instead: list[str]) -> Part:
        """The destination that takes the part's place; what it is not is added to `instead`."""
        folder = self.folder
        kind = part.kind  # type: ignore[attr-defined]
        if kind == "sql":
            scheme = self._embedded(str(part.url), instead)  # type: ignore[attr-defined]
            return part.model_copy(update={"url": f"{scheme}:///{folder}/rows.{scheme}"})
        if kind == "duckdb":
            return part.model_copy(update={"path": f"{folder}/rows.duckdb"})
        if kind == "file":
            path = re.sub(r"^[a-z0-9+]+://", "", str(part.path)).lstrip("/.")  # type: ignore[attr-defined]
            path = re.sub(r"\$\{[^}]*\}", "bucket", path)
            return part.model_copy(update={"path": f"{folder}/{path}", "storage": {}, "spool": None})
        return part

    def _embedded(self, url: str, instead: list[str]) -> str:
        scheme = self._scheme or url.partition(":")[0]
        if scheme in EMBEDDED:
            return scheme
        what = f"the database behind {url}" if url.startswith("${") else f"the destination's {scheme}"
        instead.append(f"SQLite stood in for {what}: {UNTRIED}")
        return EMBEDDED[0]

    def holdings(self, integration: Integration, recipient: Recipient | None) -> Holdings:
        """What is there now, read by other means than Syncline's own."""
        return holdings_of(integration, self.folder, recipient)

    def take_away(self) -> None:
        """Make the database unreachable for a moment, or until it is given back."""
        hold(self.folder / "rows.sqlite", self._held)

    def give_back(self) -> None:
        while self._held:
            self._held.pop().close()

    def texts(self) -> Iterator[tuple[str, str]]:
        """What is stored elsewhere than in the act's folder: a name, and all that is there as text."""
        return iter(())
