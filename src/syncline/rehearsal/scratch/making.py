"""Scratch made for act after act, and gone in the end, whatever becomes of the rehearsal."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from syncline.databases import Database, Lane
from syncline.databases.shown import without_password
from syncline.destinations import DuckDb, Sql
from syncline.engine import resolved
from syncline.errors import StateError, UsageError
from syncline.model import reveal
from syncline.rehearsal.scratch.away import way_to
from syncline.rehearsal.scratch.folder import EMBEDDED, Scratch
from syncline.rehearsal.scratch.servers import NAME, Server, refused, server_at
from syncline.rehearsal.scratch.tables import ServerScratch
from syncline.spec import Integration

PREFIX = "syncline-rehearsal-"
DESTINATION = "destination"
"""The word for scratch at the server that the file itself writes to."""


def shown(wanted: str) -> str:
    """What was wanted, as people may see it: a URL without its password, unless a reference stands for that."""
    return wanted if wanted == DESTINATION or "${" in wanted else without_password(wanted)


class Scratches:
    """Makes scratch in folders, which is gone with them. `scheme` is that of its databases, where it is not the file's."""

    said: tuple[str, ...] = ()
    """Where the rows went, for people."""
    modules: tuple[str, ...] = ()
    """What a process that writes there had better have imported."""
    cuttable = True
    """Whether the destination can be taken away in the midst of a run."""

    def __init__(self, scheme: str | None = None) -> None:
        self._scheme = scheme

    @asynccontextmanager
    async def made(self, *, cut: bool = False) -> AsyncIterator[Scratch]:
        """One for an act, or for some that go on from one another. With `cut` it can be taken away in the midst of a run."""
        with TemporaryDirectory(prefix=PREFIX) as folder:
            yield Scratch(Path(folder), self._scheme)


class ServerScratches(Scratches):
    """Makes it at a server, each with a name of its own. A lock there says that this rehearsal lives."""

    def __init__(self, server: Server, database: Database, lane: Lane) -> None:
        self._server, self._database, self._lane = server, database, lane
        self._token = secrets.token_hex(6)
        self._count = 0
        product = getattr(database, "product", database.name)
        self.said = (
            f"rows went to {product} at {server.shown}, every act's into a {server.word} of its own that was dropped behind it; "
            "no table of anybody else was touched",
        )
        self.modules = (
            type(database).__module__,
            f"syncline.destinations.sql.{type(database).__module__.rpartition('.')[2]}",
        )
        self.cuttable = server.route(database) is not None

    async def begin(self) -> None:
        """Take the lock, and clear away what rehearsals left that ended without a word."""
        with self._database.explained():
            await self._lane.run(self._begin)

    def _begin(self) -> None:
        self._asked(self._server.lock(self._token))
        for token in {found[1] for name in self._names() if (found := NAME.fullmatch(name))}:
            if self._asked(self._server.lock(token)):
                self._clear(token)

    def _names(self) -> list[str]:
        return [str(row[0]) for row in self._database.execute(self._server.names).fetchall()]

    def _asked(self, query: str) -> bool:
        return bool(self._database.execute(query).fetchone()[0])

    def _clear(self, token: str) -> None:
        for name in self._names():
            found = NAME.fullmatch(name)
            if found is not None and found[1] == token:
                self._drop(name)

    def _drop(self, name: str) -> None:
        assert NAME.fullmatch(name), name
        with suppress(*self._database.errors):  # in use by a run that is just ending: the next rehearsal clears it away
            for statement in self._server.drop(name):
                self._database.execute(statement)

    @asynccontextmanager
    async def made(self, *, cut: bool = False) -> AsyncIterator[Scratch]:
        self._count += 1
        name = f"syncline_rehearsal_{self._token}_{self._count}"
        await self._lane.run(lambda: self._make(name))
        try:
            async with AsyncExitStack() as stack:
                folder = stack.enter_context(TemporaryDirectory(prefix=PREFIX))
                connect = self._server.route(self._database) if cut else None
                way = await stack.enter_async_context(way_to(connect)) if connect else None
                yield ServerScratch(Path(folder), self._server.at(name), run_url=self._server.at(name, way), way=way)
        finally:
            await self._lane.run(lambda: self._drop(name))

    def _make(self, name: str) -> None:
        """And see that what a run makes there is made there."""
        try:
            with self._database.explained():
                self._database.execute(f"CREATE {self._server.word.upper()} {name}")
        except StateError as problem:
            raise refused(self._server, problem) from problem.__cause__
        inside = server_at(self._server.at(name))
        found = next(iter(inside.read(f"SELECT {inside.here} AS place")))["place"]
        if found != name:
            self._drop(name)
            raise UsageError(
                f"{self._server.shown} does not let a connection choose its {self._server.word}: it would write to {found!r}",
                hint="name the server itself and not a pooler before it: --scratch URL",
            )

    async def end(self) -> None:
        """Nothing of this rehearsal is left; whatever could not be dropped is cleared away by the next."""
        with suppress(*self._database.errors):
            await self._lane.run(lambda: self._clear(self._token))


@asynccontextmanager
async def scratches(integration: Integration, wanted: str | None, file: str) -> AsyncIterator[Scratches]:
    """Scratch as it is `wanted`: None in folders, `destination` at the server that the file writes to, or at that of a URL.

    The URL's references, or those of the file, are looked up; nothing else of the file is. Raises UsageError where the file
    writes to no database, and PlanError, StateError or AuthError where the server is not to be had.
    """
    if wanted is None or (wanted == DESTINATION and isinstance(integration.destination, DuckDb)):
        yield Scratches()
        return
    if not isinstance(integration.destination, Sql):
        raise UsageError(
            "only a file that writes to a database with a URL takes --scratch",
            hint="leave it out: scratch of the same kind is made in a folder",
        )
    url = await _url(integration.destination, wanted, file)
    scheme = url.partition(":")[0]
    if scheme in EMBEDDED:
        yield Scratches(scheme)
        return
    async with _at(server_at(url)) as made:
        yield made


async def _url(destination: Sql, wanted: str, file: str) -> str:
    part = destination if wanted == DESTINATION else Sql(url=wanted)
    found = reveal((await resolved(part, os.environ, Path(file).absolute().parent)).url)
    if "://" not in found:
        raise UsageError("--scratch takes `destination` or a URL", hint="--scratch postgresql://user@host/name")
    return found


@asynccontextmanager
async def _at(server: Server) -> AsyncIterator[ServerScratches]:
    lane = Lane("syncline-scratch")
    try:
        database = await lane.run(server.open)
        try:
            made = ServerScratches(server, database, lane)
            await made.begin()
            try:
                yield made
            finally:
                await made.end()
        finally:
            await lane.run(database.close)
    finally:
        lane.close()
