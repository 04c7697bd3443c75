"""Circuits that were open when a process ended, on a given connection, inside the caller's transaction."""

from __future__ import annotations

from syncline.databases import Database
from syncline.resilience import Outage


class Circuits:
    """At most one outage for each end of an integration."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, key: str) -> Outage | None:
        row = self._database.execute(
            "SELECT origin, opened, failure FROM syncline_circuits WHERE id = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        since = self._database.read_time(row[1])
        assert since is not None
        return Outage(origin=row[0], since=since, failure=row[2])

    def save(self, key: str, outage: Outage | None) -> None:
        self._database.execute("DELETE FROM syncline_circuits WHERE id = ?", (key,))
        if outage is not None:
            self._database.execute(
                "INSERT INTO syncline_circuits (id, origin, opened, failure) VALUES (?, ?, ?, ?)",
                (key, outage.origin, self._database.bound_time(outage.since), outage.failure),
            )
