"""Runs and dead letters on a given connection, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from syncline.databases import Database
from syncline.errors import StateError
from syncline.events import Reached, emit
from syncline.model import Rejected, decode_json
from syncline.state.exact import to_json, to_text
from syncline.state.records import DeadLetter, RejectStatus, RunRecord

LETTER = "id, stream, run_id, path, reason, record, created, attempts, status"


class Runs:
    """What ran, newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, run_id: str, integration: str, now: datetime) -> None:
        self._database.execute(
            "INSERT INTO syncline_runs (id, integration, started, status) VALUES (?, ?, ?, 'running')",
            (run_id, integration, self._database.bound_time(now)),
        )

    def finish(self, run_id: str, status: str, report: dict[str, Any] | None, now: datetime) -> None:
        self._database.execute(
            "UPDATE syncline_runs SET finished = ?, status = ?, report = ? WHERE id = ?",
            (self._database.bound_time(now), status, to_json(report), run_id),
        )

    def list(self, integration: str | None = None, limit: int = 50) -> list[RunRecord]:
        chosen, values = _where(integration=integration)
        rows = self._database.execute(
            f"SELECT id, integration, started, finished, status, report FROM syncline_runs{chosen}"  # noqa: S608 – ours
            f" ORDER BY started DESC {self._database.at_most(limit)}",
            values,
        ).fetchall()
        return [self._run_of(row) for row in rows]

    def _run_of(self, row: tuple[Any, ...]) -> RunRecord:
        run_id, integration, started, finished, status, report = row
        began = self._database.read_time(started)
        assert began is not None
        return RunRecord(
            id=run_id,
            integration=integration,
            started=began,
            finished=self._database.read_time(finished),
            status=status,
            report=decode_json(report) if report else None,
        )


class DeadLetters:
    """Records that did not become rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: str, run_id: str, rejected: Sequence[Rejected], now: datetime) -> None:
        if not rejected:
            return
        created = self._database.bound_time(now)
        self._database.executemany(
            "INSERT INTO syncline_rejects (stream, run_id, path, reason, record, created) VALUES (?, ?, ?, ?, ?, ?)",
            [(key, run_id, to_text(r.path), to_text(r.reason), to_json(r.record), created) for r in rejected],
        )
        emit(Reached(station="dead letters written"))

    def list(self, key: str | None = None, status: RejectStatus | None = "open", limit: int = 1000) -> list[DeadLetter]:
        """Oldest first; of every stream where `key` is None, in every status where `status` is None."""
        chosen, values = _where(stream=key, status=status)
        rows = self._database.execute(
            f"SELECT {LETTER} FROM syncline_rejects{chosen} ORDER BY id {self._database.at_most(limit)}",  # noqa: S608 – ours
            values,
        ).fetchall()
        return [self._letter_of(row) for row in rows]

    def get(self, letter: int) -> DeadLetter:
        """Raises StateError where there is none of that number."""
        row = self._database.execute(f"SELECT {LETTER} FROM syncline_rejects WHERE id = ?", (letter,)).fetchone()  # noqa: S608
        if row is None:
            raise StateError(f"there is no dead letter {letter}", hint="`syncline rejects list` shows what there is")
        return self._letter_of(row)

    def amend(self, letter: int, record: Any) -> None:
        """Put a mended record in the place of the one that came. Raises StateError where there is none of that number."""
        self.get(letter)
        self._database.execute("UPDATE syncline_rejects SET record = ? WHERE id = ?", (to_json(record), letter))

    def mark(self, letters: Sequence[int], status: RejectStatus, *, attempted: bool = False) -> None:
        self._database.executemany(
            "UPDATE syncline_rejects SET status = ?, attempts = attempts + ? WHERE id = ?",
            [(status, int(attempted), letter) for letter in letters],
        )

    def _letter_of(self, row: tuple[Any, ...]) -> DeadLetter:
        number, key, run_id, path, reason, record, created, attempts, status = row
        moment = self._database.read_time(created)
        assert moment is not None
        return DeadLetter(
            id=int(number),
            key=key,
            run_id=run_id,
            path=path,
            reason=reason,
            record=decode_json(record),
            created=moment,
            attempts=int(attempts),
            status=status,
        )


def _where(**columns: str | None) -> tuple[str, tuple[str, ...]]:
    """A condition on those columns that are given, and its values."""
    given = {name: value for name, value in columns.items() if value is not None}
    condition = " AND ".join(f"{name} = ?" for name in given)
    return (f" WHERE {condition}" if condition else ""), tuple(given.values())
