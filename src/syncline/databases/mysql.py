"""MySQL and MariaDB through PyMySQL."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from syncline.databases.database import Cursor, Database, Trouble, Word, formatted
from syncline.databases.literals import in_utc, literal, tuples
from syncline.databases.mysql_address import arguments
from syncline.databases.mysql_troubles import TOO_LARGE, explain, trouble_of
from syncline.databases.shown import without_password
from syncline.errors import PlanError, StateError, SynclineError
from syncline.model import Secret

OLDEST = {"MySQL": (8, 0, 17), "MariaDB": (10, 4, 0)}
"""Of MySQL, the first with a collation that compares text as it is."""
MODES = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,"
    "NO_AUTO_VALUE_ON_ZERO"  # so that a key of 0 stays 0
)
LOCK_SECONDS = 30
"""How long a change of the schema waits for others: less than a lease lasts."""
SESSION = (
    f"SET SESSION sql_mode = '{MODES}', time_zone = '+00:00', default_storage_engine = InnoDB, sql_notes = 1,"
    f" sql_safe_updates = 0, lock_wait_timeout = {LOCK_SECONDS}",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)
IDLE_IN_TRANSACTION = 120
"""Seconds after which MariaDB ends a transaction whose client is gone without a word; MySQL knows nothing like it."""
STATEMENT_BYTES = 1_000_000
"""Of one INSERT of many rows. Larger ones are not faster."""
KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_INSERT = re.compile(r"(INSERT INTO .+ VALUES) \((?:\?, )*\?\)", re.DOTALL)


class MysqlDatabase(Database):
    """A session with settings of our own, whatever the server's are: strict, in UTC, reading what is committed.

    Changes of the schema commit what was done before them in the transaction; `define` begins a new one behind them.
    """

    name = "MySQL"

    def __init__(self, url: Secret) -> None:
        self._arguments = arguments(url)
        self.shown = without_password(url)
        self._driver = _pymysql()
        self._decoders = dict(self._driver.converters.conversions)
        del self._decoders[self._driver.constants.FIELD_TYPE.TIME]  # it stays text
        self._begun = 0
        self.product, self.collation, self.largest = "MySQL", "", STATEMENT_BYTES
        self.connection = self._connect()

    @classmethod
    def open(cls, url: Secret) -> MysqlDatabase:
        """Raises PlanError without the driver or for a server that is too old, StateError where it cannot be reached."""
        driver = _pymysql()
        try:
            return cls(url)
        except driver.Error as problem:
            raise explain(problem, without_password(url), StateError) from None  # its text may tell too much

    @property
    def words(self) -> Mapping[Word, str]:
        text = f"CHARACTER SET utf8mb4 COLLATE {self.collation}"
        return {
            "key": f"VARCHAR(100) {text}",
            "short": f"VARCHAR(20) {text}",
            "text": f"LONGTEXT {text}",
            "time": "DATETIME(6)",
            "integer": "BIGINT",
            "serial": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        }

    def _connect(self) -> Any:
        given = dict(self._arguments)
        connect_seconds, read_seconds = given["connect_timeout"], given["read_timeout"]
        connection = self._driver.connect(
            **given
            | {"read_timeout": connect_seconds},  # until the session stands, to be back soon from a frozen server
            charset="utf8mb4",
            autocommit=True,
            client_flag=self._driver.constants.CLIENT.FOUND_ROWS,  # counts rows that an UPDATE met, also unchanged ones
            program_name="syncline",
            conv=self._decoders,
            defer_connect=True,
        )
        try:
            connection.connect(None if "unix_socket" in given else _reached(given, self._driver))
            self._set_up(connection)
        except BaseException as problem:
            with suppress(self._driver.Error):
                connection.close()
            if isinstance(problem, RuntimeError):  # the driver's word for a missing package
                raise PlanError(
                    "this server's way of logging in needs a package", hint="pip install 'syncline[mysql]'"
                ) from None
            raise
        connection._read_timeout = read_seconds  # there is no public way once it is connected
        return connection

    def _set_up(self, connection: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION(), @@max_allowed_packet")
        version, largest = cursor.fetchone()
        self.product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        # neither pads text with spaces, and both compare it by its characters alone
        self.collation = "utf8mb4_nopad_bin" if self.product == "MariaDB" else "utf8mb4_0900_bin"
        self.largest = int(largest)
        if (numbers := _numbers(version)) < OLDEST[self.product]:
            shown, oldest = ".".join(map(str, numbers)), ".".join(map(str, OLDEST[self.product]))
            raise PlanError(f"{self.shown} is {self.product} {shown}", hint=f"{oldest} or later is needed")
        for statement in SESSION:
            cursor.execute(statement)
        if self.product == "MariaDB":
            cursor.execute(f"SET SESSION idle_transaction_timeout = {IDLE_IN_TRANSACTION}")

    # Statements

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        if values:
            statement = formatted(statement) % tuple(map(literal, values))
        cursor: Cursor = self._run(statement.encode())
        return cursor

    def _run(self, statement: bytes) -> Any:
        if len(statement) + 1 > self.largest:  # the server would hang up
            raise self._driver.DataError(TOO_LARGE, f"the statement has {len(statement):,} bytes")
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return cursor

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        if found := _INSERT.fullmatch(statement):
            return self.insert(found[1], rows)
        return sum(self.execute(statement, row).rowcount for row in rows)

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> int:
        """Many rows by few statements; `into` is how they begin, up to VALUES.

        A warning is an error: it says that the server kept another value than the one that was sent.
        """
        beginning = into.encode() + b" "
        room = min(STATEMENT_BYTES, self.largest - 1) - len(beginning)
        inserted, size = 0, 0
        waiting: list[bytes] = []
        for row in tuples(rows):
            if waiting and size + len(row) + 1 > room:
                inserted += self._inserted(beginning, waiting)
                waiting, size = [], 0
            waiting.append(row)
            size += len(row) + 1
        return inserted + self._inserted(beginning, waiting) if waiting else inserted

    def _inserted(self, beginning: bytes, rows: list[bytes]) -> int:
        cursor = self._run(beginning + b",".join(rows))
        if cursor.warning_count:
            _, code, said = self.connection.show_warnings()[0]
            raise self._driver.DataError(code, said)
        return int(cursor.rowcount)

    # Schema

    def has_table(self, name: str) -> bool:
        found = self.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", (name,)
        )
        return found.fetchone() is not None

    def _define(self, statement: str) -> None:
        self.execute(statement)
        self.begin()

    def define_index(self, name: str, table: str, columns: Sequence[str]) -> None:
        # MySQL has no IF NOT EXISTS here
        found = self.execute(
            "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ?"
            " AND index_name = ?",
            (table, name),
        )
        if found.fetchone() is None:
            self.define(f"CREATE INDEX {name} ON {table} ({', '.join(columns)})")

    # Transactions

    def begin(self) -> None:
        self._run(b"START TRANSACTION")
        self._begun += 1

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        begun = self._begun
        self.execute("SAVEPOINT syncline_point")
        try:
            yield
        except BaseException:
            if begun == self._begun:
                with suppress(self._driver.Error):  # a deadlock has taken the whole transaction back already
                    self.execute("ROLLBACK TO SAVEPOINT syncline_point")
            raise
        if begun == self._begun:  # a change of the schema ends the savepoint too
            self.execute("RELEASE SAVEPOINT syncline_point")

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """By a lock that outlives commits and ends with the connection."""
        lock = (lock_name(self._arguments["database"], name),)
        if self.execute("SELECT GET_LOCK(?, ?)", (*lock, LOCK_SECONDS)).fetchone()[0] != 1:
            raise self._driver.OperationalError(1205, f"another program works on {name}")
        try:
            yield
        finally:
            with suppress(self._driver.Error):
                self.execute("SELECT RELEASE_LOCK(?)", lock)

    # Troubles

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (self._driver.Error,)

    def trouble(self, problem: BaseException) -> Trouble:
        if isinstance(problem, self._driver.Error) and not self.connection.open:
            return "away"
        return trouble_of(problem)

    def explain(self, problem: BaseException, error: type[SynclineError] = StateError) -> SynclineError:
        return explain(problem, self.shown, error)

    def reopen(self) -> None:
        self.close()
        self.connection = self._connect()
        self.session += 1

    def close(self) -> None:
        with suppress(self._driver.Error):  # closed already
            self.connection.close()

    def bound_time(self, moment: datetime) -> datetime:
        return in_utc(moment)


def lock_name(database: str, name: str) -> str:
    """Of at most 64 characters; locks belong to the whole server."""
    return "syncline." + hashlib.sha256(f"{database}\0{name}".encode()).hexdigest()[:40]


def _reached(given: Mapping[str, Any], driver: Any) -> socket.socket:
    """A connection that notices within a minute that the other end is gone."""
    try:
        reached = socket.create_connection((given["host"], given["port"]), given["connect_timeout"])
    except OSError as problem:
        raise driver.OperationalError(2003, str(problem)) from None
    reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE.items():
        if hasattr(socket, option):
            reached.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return reached


def _numbers(version: str) -> tuple[int, ...]:
    """`8.0.36-0ubuntu0.22.04.1`, `10.11.6-MariaDB`, and `5.5.5-10.6.12-MariaDB` of older ones."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", version.removeprefix("5.5.5-"))
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def _pymysql() -> Any:
    try:
        import pymysql  # late: an optional extra
        import pymysql.constants.CLIENT
        import pymysql.constants.FIELD_TYPE
    except ImportError:
        raise PlanError("MySQL and MariaDB need a package", hint="pip install 'syncline[mysql]'") from None
    return pymysql
