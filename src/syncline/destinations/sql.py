"""Destinations that speak SQL: one kind, one URL; the URL's scheme decides which module does the work."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

from pydantic import Field

from syncline.destinations.destination import Destination, Sink, Target, Trial
from syncline.errors import PlanError
from syncline.model import Batch, Clock, Text, register, reveal
from syncline.model.names import did_you_mean
from syncline.state import StateStore

SCHEMES = ("sqlite",)


@register("destination")
class Sql(Destination):
    """Tables in an SQL database; the state is kept there too, so that rows and checkpoint commit in one transaction."""

    kind: Literal["sql"] = "sql"
    url: Text = Field(
        description="Where the database is: sqlite:///shop.db (relative to the working directory) or sqlite:////var/lib/shop.db."
    )

    def open(self, *, integration: str, default_state: Path, clock: Clock) -> AbstractAsyncContextManager[Sink]:
        from syncline.destinations.sqlite_sink import open_sqlite  # late: sqlite3 is needed by runs only

        return open_sqlite(self._path(), clock)

    def open_state(self, *, default_state: Path) -> AbstractAsyncContextManager[StateStore]:
        from syncline.state.store import open_state  # late: as above

        return open_state(self._path(), create=False)

    async def trial(self, stream: str, target: Target, batch: Batch, *, primary_key: tuple[str, ...] = ()) -> Trial:
        from syncline.destinations.sqlite_sink import try_sqlite  # late: as above

        return await try_sqlite(self._path(), stream, target, batch, primary_key)

    def _path(self) -> Path:
        """The database's file. Raises PlanError; the URL itself may hold a password and is never shown."""
        url = reveal(self.url)
        scheme, found, rest = url.partition("://")
        if not found or scheme not in SCHEMES:
            raise PlanError(
                f"this version writes to SQLite only, not to {scheme[:40]!r} URLs"
                if found
                else "the destination's url is not a URL",
                hint=f"write sqlite:///shop.db; PostgreSQL, MySQL and others come later ({did_you_mean(scheme, SCHEMES)})",
            )
        name = rest.removeprefix("/")
        if name in ("", ":memory:"):
            raise PlanError(
                "a database in memory would lose every row and the checkpoint at the end of the run",
                hint="name a file: sqlite:///shop.db",
            )
        if not rest.startswith("/"):
            raise PlanError(
                "an SQLite URL has three slashes before a relative path, four before an absolute one",
                hint="write sqlite:///shop.db or sqlite:////var/lib/shop.db",
            )
        if "?" in name or "#" in name or "\0" in name:
            raise PlanError(
                "an SQLite URL takes no options here", hint="write the file's path alone: sqlite:///shop.db"
            )
        return Path(name)
