"""DuckDB: a file that one process has at a time; how it is opened, what its errors mean."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from syncline.databases.database import Cursor, Database, Trouble, Word
from syncline.databases.spool import Spool
from syncline.errors import LeaseError, PlanError, StateError, SynclineError
from syncline.model import format_size

LOCK_SECONDS = 0.3
"""A reader holds the file for some milliseconds; whoever writes holds it for the whole of a run, and is not waited for."""
MEMORY = ":memory:"
SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET threads = 1",  # a batch is written no sooner by two, and costs a tenth more
    "SET max_vacuum_tasks = 0",  # a checkpoint that joins the ends of the last ones holds them in memory, and takes longer
    "SET checkpoint_threshold = '16MB'",  # what is not in the file yet is in memory; more of it saves no CPU then
    "SET python_enable_replacements = false",  # a Python variable is no table
    "SET autoinstall_known_extensions = false",  # nothing is fetched
    "SET enable_external_file_cache = false",  # what is read is another piece under the same name
)
TIDIED = "SET max_vacuum_tasks = 2"
"""What a short run does of it at its end, so that rows of many short runs do not stay in as many pieces."""
OFTEN, KEPT = 8, 6 << 20
"""After how many commits DuckDB is asked how much of the file it keeps in memory, and the bytes that it may."""
CACHED = (
    "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT,"
    " coalesce(sum(memory_usage_bytes) FILTER (tag = 'BASE_TABLE'), 0)::BIGINT FROM duckdb_memory()"
)
_VALUES = re.compile(r"(INSERT INTO .+) VALUES \((\?(?:, \?)*)\)", re.DOTALL)
_HOLDER = re.compile(r"lock is held in (.*?) ?\(PID (\d+)\)")
_LOCKED = "Could not set lock"
_OTHERWISE = "different configuration"
"""Somebody in this process has the file open for reading, and it is to be written, or the other way round."""
_FULL = "No space left on device"


class Openings:
    """How many connections this process has to each file: they share DuckDB's memory and its settings."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._count: Counter[str] = Counter()

    def opened(self, place: str) -> None:
        self._count[place] += 1

    def closed(self, place: str) -> None:
        with self.lock:
            self._count[place] -= 1

    def alone(self, place: str) -> bool:
        return self._count[place] == 1


_openings = Openings()


class DuckdbDatabase(Database):
    """A file, or one in memory. What a commit wrote survives a killed process and a power cut.

    No part of a transaction can be taken back, and after an error nothing more can be done in it.
    """

    name = "DuckDB"
    words: ClassVar[Mapping[Word, str]] = {
        "key": "VARCHAR(100)",
        "short": "VARCHAR(20)",
        "text": "TEXT",
        "time": "TIMESTAMPTZ",
        "integer": "BIGINT",
        "serial": "BIGINT DEFAULT nextval('syncline_numbers') PRIMARY KEY",
    }
    before_tables = ("CREATE SEQUENCE IF NOT EXISTS syncline_numbers",)

    def __init__(self, path: Path | str, *, mode: str, memory_limit: int | None = None) -> None:
        """`mode` is write, read, or look: read until something is to be written. `memory_limit` in bytes; else DuckDB's own."""
        self.shown, self.spool, self.begun = str(path), Spool(), 0
        """`begun` counts transactions."""
        self._path, self._mode, self._memory_limit = path, mode, memory_limit
        self._failed = self._counted = False
        self.duckdb = _duckdb()
        self.connection = self._connect()

    @classmethod
    def open(cls, path: Path | str, memory_limit: int | None = None) -> DuckdbDatabase:
        """Open or create. Raises PlanError without the package, LeaseError where another process has the file, StateError."""
        return cls._opened(path, "write", memory_limit)

    @classmethod
    def open_to_read(cls, path: Path, memory_limit: int | None = None) -> DuckdbDatabase:
        """An existing file, unchanged by being opened. Raises as `open`."""
        return cls._opened(path, "read", memory_limit)

    @classmethod
    def open_to_look(cls, path: Path, memory_limit: int | None = None) -> DuckdbDatabase:
        """As `open_to_read`; the first transaction opens it to write. Raises as `open`."""
        return cls._opened(path, "look", memory_limit)

    @classmethod
    def _opened(cls, path: Path | str, mode: str, memory_limit: int | None) -> DuckdbDatabase:
        duckdb = _duckdb()
        try:
            return cls(path, mode=mode, memory_limit=memory_limit)
        except (duckdb.Error, OSError) as problem:
            raise _explain(problem, str(path), StateError, memory_limit) from problem

    def _connect(self) -> Any:
        if self._path != MEMORY:
            _refuse_strangers(Path(self._path))
            if self._mode == "write":
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                connection = self._try_to_connect()
                break
            except (self.duckdb.IOException, self.duckdb.ConnectionException) as problem:
                if _LOCKED not in str(problem) and _OTHERWISE not in str(problem):
                    raise
                if time.monotonic() > until:
                    raise _held(str(problem), self.shown, writing=self._mode == "write") from problem
                time.sleep(LOCK_SECONDS / 10)
        self._length = self._bytes()
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            if self._memory_limit is not None:
                connection.execute(f"SET memory_limit = '{self._memory_limit:d}B'")
        except self.duckdb.Error:
            self._disconnect(connection)
            raise
        return connection

    def _disconnect(self, connection: Any) -> None:
        try:
            connection.close()
        finally:
            if self._counted:
                self._counted = False
                _openings.closed(self._place)

    @property
    def _place(self) -> str:
        # absolute: what looks like the address of a service (md:…) is a file all the same
        return MEMORY if self._path == MEMORY else str(Path(self._path).absolute())

    def _bytes(self) -> int:
        """Of the file, into which only a checkpoint writes: what commits is in the log beside it."""
        try:
            return 0 if self._path == MEMORY else Path(self._path).stat().st_size
        except OSError:
            return 0

    def _try_to_connect(self) -> Any:
        place = self._place
        if self._mode == "write" and place != MEMORY and not Path(place).exists():
            self._create(Path(place))
        with _openings.lock:
            try:
                connection = self.duckdb.connect(place, read_only=self._mode != "write")
            except self.duckdb.ConnectionException as problem:
                if self._mode == "write" or _OTHERWISE not in str(problem):
                    raise
                connection = self.duckdb.connect(place)  # this process is writing it: so we read beside
            _openings.opened(place)
            self._counted = True
        return connection

    def _create(self, path: Path) -> None:
        """Whole or not at all: what a full disk or a kill leaves of a new file is no database, and nobody could open it."""
        new = path.with_name(f".{path.name}.new")
        for last in (False, True):
            try:
                self.duckdb.connect(str(new)).close()
                break
            except self.duckdb.IOException as problem:
                if _LOCKED in str(problem):
                    raise  # somebody else is at it
                new.unlink(missing_ok=True)
                if last or _FULL in str(problem):
                    raise
        if path.exists():
            new.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):  # somebody else, who opened the same one, was quicker
                new.rename(path)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        try:
            cursor: Cursor = self.connection.execute(statement, list(values))
        except self.errors:
            self._failed = True
            raise
        return cursor

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        rows = list(rows)
        if not rows:
            return 0
        if found := _VALUES.fullmatch(statement):  # 25 times as fast as one by one
            taken = ", ".join(["unnest(?)"] * len(found[2].split(", ")))
            return self.execute(f"{found[1]} SELECT {taken}", list(map(list, zip(*rows, strict=True)))).rowcount
        return sum(self.execute(statement, row).rowcount for row in rows)

    def has_table(self, name: str) -> bool:
        found = self.execute(
            "SELECT 1 FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()"
            " AND schema_name = current_schema() AND lower(table_name) = lower(?)",
            (name,),
        )
        return found.fetchone() is not None

    def define_index(self, name: str, table: str, columns: Sequence[str]) -> None:
        return  # small tables are read in a moment; an index would make every change of them slower

    def begin(self) -> None:
        if self._mode == "look":
            self._mode = "write"
            self.reopen()
        self._failed = False
        self.begun += 1
        self.execute("BEGIN")

    def commit(self) -> None:
        if self._failed:  # DuckDB would say nothing, and roll back
            raise self.duckdb.TransactionException("a statement of this transaction failed")
        self.execute("COMMIT")
        if self.begun % OFTEN == 0 and self._path != MEMORY:
            self._give_back()

    def _give_back(self) -> None:
        """Let DuckDB forget what it keeps of the file: it would keep all of it, up to four fifths of the machine's memory.

        A limit that stands while we work would do so too, but fail where an index does not fit, which cannot be put aside. This one
        stands for a moment, in which nobody else works with the file.
        """
        used, cached = self.connection.execute(CACHED).fetchone()
        if cached <= KEPT:
            return
        with _openings.lock:
            if not _openings.alone(self._place):
                return
            with suppress(self.duckdb.OutOfMemoryException):  # some of it is in use: the rest went all the same
                self.connection.execute(f"SET memory_limit = '{used - cached + KEPT:d}B'")
            limit = "RESET memory_limit"
            if self._memory_limit is not None:
                limit = f"SET memory_limit = '{self._memory_limit:d}B'"
            self.connection.execute(limit)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """There are none: what fails in here takes the whole transaction with it."""
        yield

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (self.duckdb.Error,)

    def trouble(self, problem: BaseException) -> Trouble:
        duckdb, text = self.duckdb, str(problem)
        if _FULL in text:
            return "full"
        if isinstance(problem, duckdb.FatalException):
            return "away"  # nothing can be done with it any more; opened anew, it is as it was after the last commit
        if isinstance(problem, duckdb.TransactionException):
            return "contended" if "onflict" in text or "Failed to commit" in text else "other"
        refusals = (
            duckdb.ConstraintException,
            duckdb.ConversionException,
            duckdb.OutOfRangeException,
            duckdb.TypeMismatchException,
            duckdb.InvalidInputException,
        )
        if isinstance(problem, refusals):
            return "other" if "read-only" in text else "refused"
        return "refused" if isinstance(problem, ValueError | TypeError | OverflowError) else "other"

    def explain(self, problem: BaseException, error: type[SynclineError] = StateError) -> SynclineError:
        return _explain(problem, self.shown, error, self._memory_limit)

    def reopen(self) -> None:
        self._disconnect(self.connection)
        self.connection = self._connect()
        self.session += 1

    def close(self) -> None:
        if (
            self._mode == "write" and self._bytes() == self._length
        ):  # all that was written is written to the file just now
            with suppress(self.duckdb.Error):
                self.connection.execute(TIDIED)
        self._disconnect(self.connection)
        self.spool.close()


def _refuse_strangers(path: Path) -> None:
    """Before DuckDB asks the network for an extension that could read the file."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return
    if head[8:] != b"DUCK":
        raise StateError(
            f"{path} is damaged or not a DuckDB database", hint="restore it from a backup, or name another file"
        )


def _held(said: str, shown: str, *, writing: bool) -> LeaseError:
    """Who has the file, by what DuckDB says."""
    found = _HOLDER.search(said)
    if found is None:
        who, stop = "this process" if _OTHERWISE in said else "another process", ""
    else:
        who, stop = f"process {found[2]} ({Path(found[1]).name})", f", or stop it: kill {found[2]}"
    reading = "in read-only mode" in said or (_OTHERWISE in said and writing)
    return LeaseError(
        f"{shown} is open in {who}, which {'reads' if reading else 'writes'} it",
        hint=f"wait for it{stop}" if writing else "ask again when it is done",
        evidence="a DuckDB file can be written by one process at a time, and read by others only while nobody writes",
    )


def _explain(
    problem: BaseException, shown: str, error: type[SynclineError], memory_limit: int | None = None
) -> SynclineError:
    text = str(problem)
    kind = type(problem).__name__
    if _FULL in text or getattr(problem, "errno", None) == 28:
        what, hint = f"no room left for {shown}", "free disk space and run again; nothing is lost, the run resumes"
    elif "Trying to read a database file with version number" in text:
        what, hint = f"{shown} was written by another version of DuckDB", "pip install --upgrade duckdb, then run again"
    elif "not a valid DuckDB database" in text or kind in ("SerializationException", "FatalException"):
        what, hint = (
            f"{shown} is damaged, or DuckDB cannot go on with it",
            "run again; if it stays so, restore a backup",
        )
    elif kind == "OutOfMemoryException":
        what = f"DuckDB has not enough memory for {shown}"
        hint = "give the process more, or free space beside the file, where DuckDB keeps what does not fit"
        if memory_limit is not None:
            hint = f"raise memory_limit, which is {format_size(memory_limit)}, or leave it out; a key's index has to fit into it"
    elif "Permission denied" in text or "read-only mode" in text or isinstance(problem, PermissionError):
        what, hint = f"{shown} cannot be written", "give this user the right to write the file and its folder"
    elif kind == "IOException" or isinstance(problem, OSError):
        what, hint = f"{shown} cannot be opened or written", "check that this user may write there, and the disk (df)"
    elif kind == "TransactionException":
        what, hint = (
            f"another connection of this process changed the same rows of {shown}",
            "run again; nothing is lost",
        )
    else:
        what, hint = f"DuckDB refused a statement on {shown}", "run `syncline doctor`; the transaction was rolled back"
    return error(what, hint=hint, evidence=text.splitlines()[0] if text else kind)


def _duckdb() -> Any:
    try:
        import duckdb  # late: an optional extra, and slow to import
    except ImportError:
        raise PlanError("DuckDB needs a package", hint="pip install 'syncline[duckdb]'") from None
    return duckdb
