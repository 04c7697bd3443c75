"""Destinations that speak SQL: one kind, one URL; the URL's scheme decides which dialect does the work."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from syncline.databases import Address, duckdb_file, parse_address
from syncline.destinations.destination import Destination, Sink, Trial
from syncline.destinations.target import Deletes, Target
from syncline.model import Batch, Clock, Duration, Row, Size, Text, register, reveal
from syncline.state import StateStore


class Database(Destination):
    """Base of destinations that are databases: the state is kept there too, and committed in one transaction with the rows."""

    patience: Duration = Field(
        default=60.0, description="How long to wait for a database that is away, before the run gives up."
    )

    def address(self) -> Address:
        """Where the database is. Raises PlanError."""
        raise NotImplementedError

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        return target.only_for_apis("sql")

    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock
    ) -> AbstractAsyncContextManager[Sink]:
        from syncline.destinations.sql.sink import open_sql  # late: needed by runs only

        return open_sql(self.address(), clock, self.patience)

    def open_state(self, *, default_state: Path | Address) -> AbstractAsyncContextManager[StateStore]:
        from syncline.state.store import open_state  # late: as above

        return open_state(self.address(), create=False)

    async def trial(
        self,
        stream: str,
        target: Target,
        batch: Batch,
        *,
        primary_key: tuple[str, ...] = (),
        deletes: Deletes | None = None,
        gone: Sequence[Row] = (),
        **known: Any,
    ) -> Trial:
        from syncline.destinations.sql.trial import Wanted, try_sql  # late: as above

        return await try_sql(
            self.address(), stream, target, batch, Wanted(primary_key=primary_key, deletes=deletes, gone=gone)
        )


@register("destination")
class Sql(Database):
    """Tables in an SQL database."""

    kind: Literal["sql"] = "sql"
    url: Text = Field(
        description="Where the database is: sqlite:///shop.db or duckdb:///shop.duckdb (relative to the working directory; "
        "duckdb: with ?memory_limit=512MB where it is wanted), postgresql://user@host/name, mysql://user@host/name, or any URL "
        "that SQLAlchemy knows, with its driver: mssql+pyodbc://…"
    )

    def address(self) -> Address:
        return parse_address(reveal(self.url))


@register("destination")
class DuckDb(Database):
    """Tables in a DuckDB file."""

    kind: Literal["duckdb"] = "duckdb"
    path: Text = Field(
        description="The file: shop.duckdb. Relative to the working directory; created where it is missing."
    )
    memory_limit: Size | None = Field(
        default=None,
        description="How much memory DuckDB may take for itself, 64MB at least. Else four fifths of the machine's, "
        "of which it takes little but for the index of a key.",
    )

    def address(self) -> Address:
        return duckdb_file(reveal(self.path), self.memory_limit)
