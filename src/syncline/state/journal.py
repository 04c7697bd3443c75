"""Runs and dead letters on a given connection, inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from syncline.errors import StateError
from syncline.model import Rejected, decode_json
from syncline.state.exact import to_json, to_text
from syncline.state.ledger import read_time, spell_time
from syncline.state.records import DeadLetter, RejectStatus, RunRecord

LETTER = "id, stream, run_id, path, reason, record, created, attempts, status"


class Runs:
    """What ran, newest first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def start(self, run_id: str, integration: str, now: datetime) -> None:
        self._connection.execute(
            "INSERT INTO syncline_runs (id, integration, started, status) VALUES (?, ?, ?, 'running')",
            (run_id, integration, spell_time(now)),
        )

    def finish(self, run_id: str, status: str, report: dict[str, Any] | None, now: datetime) -> None:
        self._connection.execute(
            "UPDATE syncline_runs SET finished = ?, status = ?, report = ? WHERE id = ?",
            (spell_time(now), status, to_json(report), run_id),
        )

    def list(self, integration: str | None = None, limit: int = 50) -> list[RunRecord]:
        rows = self._connection.execute(
            "SELECT id, integration, started, finished, status, report FROM syncline_runs"
            " WHERE ?1 IS NULL OR integration = ?1 ORDER BY started DESC, rowid DESC LIMIT ?2",
            (integration, limit),
        ).fetchall()
        return [_run_of(row) for row in rows]


class DeadLetters:
    """Records that did not become rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, key: str, run_id: str, rejected: Iterable[Rejected], now: datetime) -> None:
        created = spell_time(now)
        self._connection.executemany(
            "INSERT INTO syncline_rejects (stream, run_id, path, reason, record, created) VALUES (?, ?, ?, ?, ?, ?)",
            [(key, run_id, to_text(r.path), to_text(r.reason), to_json(r.record), created) for r in rejected],
        )

    def list(self, key: str | None = None, status: RejectStatus | None = "open", limit: int = 1000) -> list[DeadLetter]:
        """Oldest first; of every stream where `key` is None, in every status where `status` is None."""
        rows = self._connection.execute(
            f"SELECT {LETTER} FROM syncline_rejects"  # noqa: S608 – ours
            " WHERE (?1 IS NULL OR stream = ?1) AND (?2 IS NULL OR status = ?2) ORDER BY id LIMIT ?3",
            (key, status, limit),
        ).fetchall()
        return [_letter_of(row) for row in rows]

    def get(self, letter: int) -> DeadLetter:
        """Raises StateError where there is none of that number."""
        row = self._connection.execute(f"SELECT {LETTER} FROM syncline_rejects WHERE id = ?", (letter,)).fetchone()  # noqa: S608
        if row is None:
            raise StateError(f"there is no dead letter {letter}", hint="`syncline rejects list` shows what there is")
        return _letter_of(row)

    def mark(self, letters: Sequence[int], status: RejectStatus, *, attempted: bool = False) -> None:
        self._connection.executemany(
            "UPDATE syncline_rejects SET status = ?, attempts = attempts + ? WHERE id = ?",
            [(status, int(attempted), letter) for letter in letters],
        )


def _run_of(row: tuple[Any, ...]) -> RunRecord:
    run_id, integration, started, finished, status, report = row
    return RunRecord(
        id=run_id,
        integration=integration,
        started=datetime.fromisoformat(started),
        finished=read_time(finished),
        status=status,
        report=decode_json(report) if report else None,
    )


def _letter_of(row: tuple[Any, ...]) -> DeadLetter:
    number, key, run_id, path, reason, record, created, attempts, status = row
    return DeadLetter(
        id=number,
        key=key,
        run_id=run_id,
        path=path,
        reason=reason,
        record=decode_json(record),
        created=datetime.fromisoformat(created),
        attempts=attempts,
        status=status,
    )
