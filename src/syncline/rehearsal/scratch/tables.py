"""Scratch at a server: where the run writes to, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from syncline.destinations import Destination
from syncline.model import Part, Reference
from syncline.rehearsal.holdings import LETTERS, Holdings, Letter, Row, Tables, letter
from syncline.rehearsal.scratch.away import Way
from syncline.rehearsal.scratch.folder import Scratch
from syncline.rehearsal.scratch.servers import Server, server_at
from syncline.rehearsal.simulator.recipient import Recipient
from syncline.spec import Integration

VARIABLE = "SYNCLINE_REHEARSAL"
"""The variable that the staged destination's URL stands in, so that the URL is in no file and no report."""


class ServerScratch(Scratch):
    """A schema or a database, by the URL that leads into it. With a `way`, runs come by another URL, and can be cut off."""

    def __init__(self, folder: Path, url: str, *, run_url: str | None = None, way: Way | None = None) -> None:
        super().__init__(folder)
        self._server, self._way = server_at(url), way
        self.passed = url
        self.environment = {VARIABLE: run_url or url}

    def destination(self, part: Destination, instead: list[str]) -> Part:
        return part.model_copy(update={"url": Reference(f"${{{VARIABLE}}}")})

    def holdings(self, integration: Integration, recipient: Recipient | None) -> Holdings:
        return ServerTables(self._server)

    def take_away(self) -> None:
        if self._way is not None:
            self._way.take_away()

    def give_back(self) -> None:
        if self._way is not None:
            self._way.give_back()

    def texts(self) -> Iterator[tuple[str, str]]:
        tables = ServerTables(self._server)
        for name in self._server.tables():
            yield name, "\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in tables.table(name))


def scratch_at(passed: str | None, folder: Path) -> Scratch:
    """The scratch that another process has made, by its word: a URL, the scheme of a database in the folder, or None."""
    return ServerScratch(folder, passed) if passed is not None and "://" in passed else Scratch(folder, passed)


class ServerTables(Tables):
    """The tables of a schema or database."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def table(self, name: str) -> Iterator[Row]:
        if name in self._server.tables():
            yield from self._server.read(f"SELECT * FROM {self._server.quoted(name)}")  # noqa: S608 – quoted

    def letters(self, key: str) -> list[Letter]:
        if "syncline_rejects" not in self._server.tables():
            return []
        return [letter(**row) for row in self._server.read(f"{LETTERS}%s", (key,))]
