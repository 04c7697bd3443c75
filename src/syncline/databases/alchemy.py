"""Any database that SQLAlchemy has a dialect for, through its Core: slower than the ways of its own that others have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateColumn
from sqlalchemy.util import get_cls_kwargs

from syncline.databases.database import Database, Trouble, Word
from syncline.databases.drivers import missing_driver, read_url
from syncline.databases.portable import counted, creates, text_of
from syncline.databases.shown import without_password
from syncline.databases.troubles import Said
from syncline.databases.ways import Ways, ways_of
from syncline.errors import PlanError, StateError, SynclineError
from syncline.model import Secret, decode_json, encode_json

PROBE = "syncline_probe"


class Found:
    """What a statement gave, read to its end."""

    def __init__(self, rows: Iterable[Any], rowcount: int, names: Iterable[str] = ()) -> None:
        self.rowcount = rowcount
        self.description = [(name,) for name in names]
        self._next = iter(rows)

    def fetchone(self) -> Any:
        return next(self._next, None)

    def fetchall(self) -> Any:
        return list(self._next)


class AlchemyDatabase(Database):
    """One connection. Where a database has no savepoints, a transaction is begun anew and repeated up to where one would be."""

    name = "SQLAlchemy"

    def __init__(self, url: Secret) -> None:
        """Connect. Raises PlanError for a missing driver, StateError where the database cannot be reached."""
        self.shown = without_password(url)
        self._inside = False
        self.engine = self._engine(url)
        self.dialect = self.engine.dialect
        self._said = Said(url, self.shown, self.dialect)
        try:
            self.connection = self._connect()
        except SQLAlchemyError as problem:
            self.engine.dispose()
            raise self._said.explain(problem, StateError) from None  # its text may hold the password
        self.ways = ways_of(self.dialect)
        self._words = _words(self.dialect, self.ways)
        self.at_hand = self.dialect.name == "sqlite"  # type: ignore[misc]
        self.defined = 0
        """How often the schema was changed here."""
        self._points = 0
        self._done: list[Callable[[], object]] = []

    @property
    def words(self) -> Mapping[Word, str]:
        return self._words

    @classmethod
    def open(cls, url: Secret) -> AlchemyDatabase:
        """For writing. Raises as the constructor, and PlanError for a database without transactions."""
        made = read_url(url)
        if made.get_backend_name() == "sqlite" and made.database:
            Path(made.database).parent.mkdir(parents=True, exist_ok=True)
        database = cls(url)
        try:
            database.prove_transactions()
        except BaseException:
            database.close()
            raise
        return database

    def _engine(self, url: Secret) -> sa.Engine:
        made = read_url(url)
        try:
            dialect = made.get_dialect()
            options: dict[str, Any] = {}
            if {"json_serializer", "json_deserializer"} <= set(get_cls_kwargs(dialect)):
                options = {"json_serializer": _spell_json, "json_deserializer": decode_json}  # exact numbers
            given = ways_of(dialect()).connect
            engine = sa.create_engine(
                made,
                poolclass=NullPool,
                hide_parameters=True,
                connect_args={name: value for name, value in given.items() if name not in made.query},
                **options,
            )
        except ImportError as problem:
            raise missing_driver(problem, made.drivername) from None
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _leave_transactions_to_us)
            sa.event.listen(engine, "begin", self._begin_sqlite)
        return engine

    def _begin_sqlite(self, connection: sa.Connection) -> None:
        """The driver itself would begin before rows are written only, not before a change of the schema or a savepoint."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if self._inside else "BEGIN")

    def _connect(self) -> sa.Connection:
        connection = self.engine.connect()
        try:
            if "READ COMMITTED" in _levels(connection):
                connection = connection.execution_options(isolation_level="READ COMMITTED")
            for statement in ways_of(self.dialect).session:
                connection.exec_driver_sql(statement)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    # Statements

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Found:
        values = [self._bound(value) for value in values]
        text = text_of(statement, values, self.dialect)
        if not self.dialect.supports_sane_rowcount and (parts := counted(statement)):
            return self._counted(parts, text, values)
        return self.run(text, _named(values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        bound = [[self._bound(value) for value in row] for row in rows]
        if not bound:
            return 0
        inserts = statement.startswith("INSERT")
        if not inserts and not self.dialect.supports_sane_multi_rowcount:
            return sum(self.execute(statement, row).rowcount for row in bound)
        found = self.run(text_of(statement, bound[0], self.dialect), [_named(row) for row in bound])
        return len(bound) if inserts else found.rowcount

    def run(self, statement: sa.Executable, values: Any = None) -> Found:
        """A statement of SQLAlchemy's, its values by name; a list of them runs it for each."""
        if not self._inside:
            found = self._run(statement, values)
            self.connection.commit()
            return found
        found = self._run(statement, values)
        if not self.ways.savepoints and not statement.is_select:
            self._done.append(lambda: self._run(statement, values))
        return found

    def _run(self, statement: sa.Executable, values: Any) -> Found:
        try:
            result = self.connection.execute(statement, values, execution_options={"preserve_rowcount": True})
            if result.returns_rows:
                return Found(result.fetchall(), result.rowcount, result.keys())
            return Found((), result.rowcount)
        except BaseException:
            if not self._inside:
                self.connection.rollback()
            raise

    def _counted(self, parts: tuple[str, str, int], text: sa.TextClause, values: Sequence[Any]) -> Found:
        """Where the driver's row counts say nothing: lock the rows by writing them as they are, count them, then write them."""
        lock, count, first = parts
        condition = values[first:]
        self.run(text_of(lock, condition, self.dialect), _named(condition))
        rows = self.run(text_of(count, condition, self.dialect), _named(condition)).fetchone()[0]
        self.run(text, _named(values))
        return Found((), int(rows))

    def _bound(self, value: Any) -> Any:
        return " " if value == "" and self.ways.empty_is_null and isinstance(value, str) else value

    def has_table(self, name: str) -> bool:
        with self.looking() as inspector:
            return bool(inspector.has_table(name))

    @contextmanager
    def looking(self) -> Iterator[sa.Inspector]:
        """What is there now. A transaction that looking has begun is ended."""
        try:
            yield sa.inspect(self.connection)
        finally:
            if not self._inside:
                self.connection.rollback()

    def define(self, statement: str) -> None:
        if found := creates(statement):
            if self.has_table(found):
                return
            statement = statement.replace("IF NOT EXISTS ", "", 1) + self.ways.options
        if not self.ways.transactional_ddl:
            self._done.clear()
        self.run(text_of(statement, (), self.dialect))
        if not self.ways.transactional_ddl:
            self._done.clear()
        self.defined += 1

    def define_index(self, name: str, table: str, columns: Sequence[str]) -> None:
        with self.looking() as inspector:
            there = {str(index["name"]).casefold() for index in inspector.get_indexes(table)}
        if name.casefold() not in there:
            self.define(f"CREATE INDEX {name} ON {table} ({', '.join(columns)})")

    def at_most(self, rows: int) -> str:
        shown = str(sa.select(sa.literal_column("1")).limit(rows).compile(dialect=self.dialect))
        return f"LIMIT {rows:d}" if "LIMIT" in shown else f"OFFSET 0 ROWS FETCH NEXT {rows:d} ROWS ONLY"

    # Transactions

    def begin(self) -> None:
        self._done.clear()
        self._inside = True
        try:
            self.connection.begin()
        except BaseException:
            self._inside = False
            raise

    def commit(self) -> None:
        self.connection.commit()
        self._inside = False
        self._done.clear()

    def rollback(self) -> None:
        self._inside = False
        self._done.clear()
        self.connection.rollback()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        if not self.ways.savepoints:
            with self._repeating():
                yield
            return
        self._points += 1
        name, defined = f"syncline_{self._points}", self.defined
        self.dialect.do_savepoint(self.connection, name)
        try:
            yield
        except BaseException:
            if self.ways.transactional_ddl or self.defined == defined:  # else a change of the schema has committed it
                with suppress(SQLAlchemyError):  # a deadlock has taken the whole transaction back already
                    self.dialect.do_rollback_to_savepoint(self.connection, name)
            raise
        if self.ways.transactional_ddl or self.defined == defined:
            self.dialect.do_release_savepoint(self.connection, name)

    @contextmanager
    def _repeating(self) -> Iterator[None]:
        """Where there are no savepoints: take everything back, and do again what was done before."""
        before = len(self._done)
        try:
            yield
        except BaseException:
            done = self._done[:before]
            self.rollback()
            self.begin()
            for again in done:
                again()
            self._done = done
            raise

    def prove_transactions(self) -> None:
        """Of a database that nobody here knows, before its first use: see that it takes back what a transaction wrote."""
        with self.explained():
            if self.ways.known or self.has_table("syncline_version"):
                return
            if self.has_table(PROBE):
                self.define(f"DROP TABLE {PROBE}")
            self.define(f"CREATE TABLE {PROBE} (number INTEGER)")
            self.begin()
            self.execute(f"INSERT INTO {PROBE} (number) VALUES (1)")  # noqa: S608 – ours
            self.rollback()
            left = self.execute(f"SELECT count(*) FROM {PROBE}").fetchone()[0]  # noqa: S608
            self.define(f"DROP TABLE {PROBE}")
        if left:
            raise PlanError(
                f"{self.shown} does not take back what an unfinished transaction wrote",
                hint="choose a database with transactions, or write files: rows and checkpoint must become durable together",
            )

    # Troubles

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (SQLAlchemyError,)

    def trouble(self, problem: BaseException) -> Trouble:
        return self._said.trouble(problem)

    def explain(self, problem: BaseException, error: type[SynclineError] = StateError) -> SynclineError:
        return self._said.explain(problem, error)

    def said(self, problem: BaseException) -> str:
        """The driver's own words on one line, without a secret and without SQLAlchemy's frame."""
        return self._said.said(problem)

    def reopen(self) -> None:
        self._inside = False
        with suppress(SQLAlchemyError):
            self.connection.close()
        self.connection = self._connect()
        self.session += 1

    def close(self) -> None:
        with suppress(SQLAlchemyError):
            self.connection.close()
        self.engine.dispose()

    def bound_time(self, moment: datetime) -> Any:
        utc = moment.astimezone(UTC)
        return utc.replace(tzinfo=None) if self.ways.naive else utc


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None


def _levels(connection: sa.Connection) -> Sequence[str]:
    try:
        return connection.dialect.get_isolation_level_values(connection.connection.dbapi_connection)  # type: ignore[arg-type]
    except NotImplementedError:
        return ()


def _words(dialect: Dialect, ways: Ways) -> dict[Word, str]:
    """The types of our own tables' columns as the dialect spells them."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite") if ways.known else sa.Integer()
    identity = [sa.Identity()] if dialect.supports_identity_columns else []
    serial = sa.Column("id", number, *identity, primary_key=True)
    sa.Table("syncline_rejects", sa.MetaData(), serial)
    column = str(CreateColumn(serial).compile(dialect=dialect)).partition(" ")[2]
    spelled = {
        "key": ways.key_text(100),
        "short": ways.key_text(20),
        "text": ways.text,
        "time": ways.moment,
        "integer": sa.BigInteger(),
    }
    words = {word: made.compile(dialect=dialect) for word, made in spelled.items()}
    return {**words, "serial": f"{column} PRIMARY KEY"}  # type: ignore[dict-item]


def _named(values: Sequence[Any]) -> dict[str, Any]:
    return {f"p{index}": value for index, value in enumerate(values)}


def _spell_json(value: Any) -> str:
    return encode_json(value).decode()
