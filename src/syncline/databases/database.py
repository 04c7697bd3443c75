"""What every database is to us: one blocking connection, its transactions, its errors in our words, its own spellings."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Literal, Protocol

from syncline.errors import StateError, SynclineError
from syncline.events import Reached, emit

Word = Literal["key", "short", "text", "time", "integer", "serial"]
"""Kinds of columns that our own tables have. `key` is text of up to 100 characters, `short` of up to 20, `serial` a number that the
database gives."""

Trouble = Literal["refused", "contended", "away", "full", "other"]
"""What a driver's error says: refused: this row or value cannot be kept. contended: a deadlock or a lock that was not given; the
transaction can be tried again. away: the connection or the server is gone. full: no room is left."""

_PLACES = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`)|\?|%""")


class Cursor(Protocol):
    """What a statement gave, by the Python database API (PEP 249)."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Sequence[Any] | None: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


class Database(ABC):
    """A connection to a database. One thread at a time may use it; a lane sees to it. Values stand as `?` in statements.

    Nothing begins or commits by itself: reads outside a transaction see what is committed, writes go through `transaction`.
    """

    name: ClassVar[str]
    """As people call it: PostgreSQL."""
    before_tables: ClassVar[Sequence[str]] = ()
    """Statements that the words need before a table is made with them."""
    at_hand: ClassVar[bool] = False
    """In this process: a statement takes no network."""

    shown: str
    """What people may see of its address."""
    session: int = 0
    """How often it had to be connected anew: what belonged to an earlier session (temporary tables) is gone."""

    @property
    @abstractmethod
    def words(self) -> Mapping[Word, str]: ...

    @abstractmethod
    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor: ...

    @abstractmethod
    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """The statement once for every row; returns how many rows it changed."""

    @abstractmethod
    def has_table(self, name: str) -> bool: ...

    def define(self, statement: str) -> None:
        """A change of the schema, inside the caller's transaction where the database can.

        Where it cannot, everything before it in the transaction is committed: say it first. A new transaction is begun then.
        """
        emit(Reached(station="before schema change"))
        self._define(statement)
        emit(Reached(station="schema changed"))

    def _define(self, statement: str) -> None:
        self.execute(statement)

    def define_index(self, name: str, table: str, columns: Sequence[str]) -> None:
        """An index of our own tables, where it is not there yet."""
        self.define(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({', '.join(columns)})")

    def at_most(self, rows: int) -> str:
        """The end of a SELECT that gives no more rows than that."""
        return f"LIMIT {rows:d}"

    @abstractmethod
    def begin(self) -> None: ...

    def begun_at_once(self) -> bool:
        """Begin a transaction where that and all the rest of it waits for nobody; False where it might."""
        return False

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    @contextmanager
    def transaction(self, error: type[SynclineError] = StateError, *, begun: bool = False) -> Iterator[None]:
        """All or nothing. Raises `error` for what the database reports; its cause tells `trouble` more."""
        try:
            if not begun:
                self.begin()
            yield
            self.commit()
        except BaseException as problem:
            self._undo()
            if isinstance(problem, self.errors):
                raise self.explain(problem, error) from problem
            raise

    def _undo(self) -> None:
        try:
            self.rollback()
        except self.errors:  # nothing is begun, or the connection is gone and took the transaction with it
            return

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Within a transaction: what fails in here takes back just what was done in here."""
        self.execute("SAVEPOINT syncline_point")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO SAVEPOINT syncline_point")
            raise
        self.execute("RELEASE SAVEPOINT syncline_point")

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """No other session is in here with the same name, where changes of the schema cannot be part of a transaction."""
        yield

    @contextmanager
    def explained(self, error: type[SynclineError] = StateError) -> Iterator[None]:
        """Outside a transaction: turn the driver's errors into ours."""
        try:
            yield
        except self.errors as problem:
            raise self.explain(problem, error) from problem

    @property
    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    @abstractmethod
    def trouble(self, problem: BaseException) -> Trouble: ...

    @abstractmethod
    def explain(self, problem: BaseException, error: type[SynclineError] = StateError) -> SynclineError:
        """The driver's error as ours, without its address or password."""

    @abstractmethod
    def reopen(self) -> None:
        """Connect anew after the connection was lost. Raises what the driver raises."""

    @abstractmethod
    def close(self) -> None: ...

    def bound_time(self, moment: datetime) -> Any:
        """An aware moment as it is bound to a `time` column."""
        return moment.astimezone(UTC)

    def read_time(self, stored: Any) -> datetime | None:
        """An aware moment from what a `time` column holds."""
        if stored is None:
            return None
        moment = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=512)
def formatted(statement: str) -> str:
    """The statement with `%s` where it had `?`, for drivers of that style; quoted text and names stay as they are."""
    return _PLACES.sub(_place, statement)


def _place(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1].replace("%", "%%")
    return "%s" if found[0] == "?" else "%%"
