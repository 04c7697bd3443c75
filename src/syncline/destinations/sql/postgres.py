"""Tables in PostgreSQL: COPY into a temporary table, then one INSERT … ON CONFLICT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count as counting
from typing import Any, ClassVar

from syncline.databases.postgres import PostgresDatabase
from syncline.destinations.sql.digits import exponent_of, misfit_of_size
from syncline.destinations.sql.identifiers import fault_of
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables, doubled
from syncline.destinations.values import Convert, Logical, all_finite, holds_nul, spell, spell_json
from syncline.errors import PlanError
from syncline.model import Row

DECLARED: dict[Logical, str] = {
    "unknown": "text",
    "boolean": "boolean",
    "integer": "bigint",
    "decimal": "numeric",
    "float": "double precision",
    "text": "text",
    "timestamp": "timestamp with time zone",
    "date": "date",
    "json": "jsonb",
    "binary": "bytea",
}
LOGICAL_OF: dict[str, Logical] = {declared: logical for logical, declared in DECLARED.items() if logical != "unknown"}
SMALLER: dict[str, tuple[int, int]] = {"smallint": (-(2**15), 2**15 - 1), "integer": (-(2**31), 2**31 - 1)}
WHOLE_DIGITS, SCALE = 131_072, 16_383
"""What numeric without a size holds (https://www.postgresql.org/docs/current/datatype-numeric.html)."""
EARLIEST, LATEST = 1, 9999
COLUMNS = """\
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '' OR a.attidentity = 'a', c.relkind,
    coalesce(array_position(i.indkey::int2[], a.attnum), -1), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.oid = to_regclass(quote_ident(?)) ORDER BY a.attnum"""
UNIQUE = """\
SELECT 1 FROM pg_index i WHERE i.indrelid = to_regclass(quote_ident(?)) AND i.indisunique AND i.indpred IS NULL
AND i.indexprs IS NULL AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])) = ?::text[]"""
MADE_BY = "made by Syncline"
_numbers = counting(1)


class PostgresTables(Tables):
    longest_name: ClassVar[int] = 63
    most_columns: ClassVar[int] = 1_500
    batch_rows: ClassVar[int] = 2_000

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._postgres = database
        self.undone = 0
        """How often a part of a transaction was rolled back, and temporary tables with it."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        try:
            with super().savepoint():
                yield
        except BaseException:
            self.undone += 1
            raise

    def fold(self, name: str) -> str:
        return name

    def fault_of(self, name: str) -> str | None:
        return fault_of(name, self.longest_name, of_bytes=True)

    def load(self, name: str) -> Table:
        rows = self.database.execute(COLUMNS, (name,)).fetchall()
        if not rows:
            return Table(name, {})
        if rows[0][3] not in ("r", "p"):
            raise PlanError(
                f"{name!r} is no table; rows cannot be written to it", hint="name a table: `into: {table: …}`"
            )
        columns = {row[0]: _read_column(row[0], row[1]) for row in rows}
        key = tuple(row[0] for row in sorted((r for r in rows if r[4] >= 0), key=lambda row: row[4]))
        return Table(name, columns, key, exists=True, ours=rows[0][5] == MADE_BY)

    def column(self, name: str, logical: Logical, *, key: bool = False) -> Column:
        return Column(name, DECLARED[logical], logical)

    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        shown = self.quoted(table.name)
        if not table.exists:
            pieces = [f"{self.quoted(column.name)} {column.declared}" for column in wanted]
            if key:
                pieces.append(f"PRIMARY KEY ({self.listed(key)})")
            statement = f"CREATE TABLE {shown} ({', '.join(pieces)})"

            def create() -> None:
                self.database.define(statement)
                if table.ours:
                    self.database.define(f"COMMENT ON TABLE {shown} IS '{MADE_BY}'")

            return [Change(statement, create)]
        pieces = []
        for column in wanted:
            before = table.columns.get(column.name)
            name = self.quoted(column.name)
            if before is None:
                pieces.append(f"ADD COLUMN {name} {column.declared}")
            elif before.declared != column.declared:
                using = _widened(name, before.logical, column.logical)
                pieces.append(f"ALTER COLUMN {name} TYPE {column.declared} USING {using}")
        changes = [Change(f"ALTER TABLE {shown} {', '.join(pieces)}")] if pieces else []
        return changes + self._key_changes(table, key)

    def _key_changes(self, table: Table, key: tuple[str, ...]) -> list[Change]:
        if not key or sorted(key) == sorted(table.key):
            return []
        if self.database.execute(UNIQUE, (table.name, sorted(key))).fetchone():
            return []
        statement = f"CREATE UNIQUE INDEX ON {self.quoted(table.name)} ({self.listed(key)})"

        def make_unique() -> None:
            try:
                self.database.define(statement)
            except self.database.errors as problem:
                if self.database.trouble(problem) != "refused":
                    raise
                raise doubled(table.name, key, str(problem).splitlines()[0]) from problem

        return [Change(statement, make_unique)]

    # Rows

    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        return _Append(self, table, names) if not key else _Upsert(self, table, names, key, whole=whole)

    def copy(self, table: str, names: str, rows: Iterable[Row]) -> None:
        with self._postgres.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            write = copy.write_row
            for row in rows:
                write(row)

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        given = kinds - {type(None)}
        match column.logical:
            case "json":
                return spell_json
            case "text":
                return None if given <= {str} else spell
            case "decimal":
                return str if float in given or bool in given else None
            case "integer":
                return int if bool in given else None
            case _:
                return None

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        if column.declared in SMALLER or (column.logical == "float" and kinds & {int, Decimal}) or column.fits:
            return lambda values: all(value is None or self.misfit(value, column) is None for value in values)
        if float in kinds or (column.logical == "json" and Decimal in kinds):
            return all_finite
        return None

    def restore(self, stored: Any, column: Column) -> Any:
        return stored  # psycopg gives Python's own values

    def outdated(self, problem: BaseException) -> bool:
        return getattr(problem, "sqlstate", None) in (
            "42701",
            "42703",
            "42P07",
        )  # a column or table there already, or not

    def misfit(self, value: Any, column: Column | None) -> str | None:
        if (reason := super().misfit(value, column)) or value is None:
            return reason
        if holds_nul(value):
            return "PostgreSQL's text cannot hold NUL (\\u0000)"
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and not _in_numeric(value):
            return f"PostgreSQL's numbers have at most {WHOLE_DIGITS} digits before and {SCALE} after the point"
        if column is None:
            return None
        if column.declared in SMALLER and isinstance(value, int):
            low, high = SMALLER[column.declared]
            return None if low <= value <= high else f"the column is {column.declared}; the number is larger"
        return misfit_of_size(value, column)


class _Append:
    """COPY straight into the table."""

    def __init__(self, tables: PostgresTables, table: Table, names: Sequence[str]) -> None:
        self._tables, self._table, self._names = tables, tables.quoted(table.name), tables.listed(names)

    def run(self, rows: Iterable[Row], count: int) -> int:
        self._tables.copy(self._table, self._names, rows)
        return count


class _Upsert:
    """COPY into a temporary table of the same types, then insert or update from there; of doubles in a batch, the last wins."""

    def __init__(
        self, tables: PostgresTables, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool
    ) -> None:
        self._tables = tables
        shown, stage = tables.quoted(table.name), f"syncline_stage_{next(_numbers)}"
        self._stage, self._names = stage, tables.listed(names)
        self._key = [names.index(name) for name in key]
        types = ", ".join(f"{tables.quoted(name)} {table.columns[name].declared}" for name in names)
        self._create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ({types}) ON COMMIT DELETE ROWS"
        after = {tables.quoted(name): f"excluded.{tables.quoted(name)}" for name in names if name not in key}
        if whole and table.ours:
            given = {*key, *names}
            after |= {tables.quoted(name): "NULL" for name in table.columns if name not in given}
        action = "NOTHING"
        if after:
            action = f"UPDATE SET {', '.join(f'{name} = {value}' for name, value in after.items())} WHERE " + (
                f"({', '.join(f'{shown}.{name}' for name in after)}) IS DISTINCT FROM ({', '.join(after.values())})"
            )
        self._merge = (
            f"INSERT INTO {shown} ({self._names}) SELECT {self._names} FROM {stage}"  # noqa: S608 – quoted
            f" ON CONFLICT ({tables.listed(key)}) DO {action}"
        )
        self._created: int | None = None

    def run(self, rows: Iterable[Row], count: int) -> int:
        database = self._tables.database
        if self._created != self._tables.undone:  # a whole transaction's rollback ends this statement as well
            database.execute(self._create)
            self._created = self._tables.undone
        self._tables.copy(self._stage, self._names, self._last_of_each(rows))
        written = database.execute(self._merge).rowcount
        database.execute(f"TRUNCATE {self._stage}")
        return written

    def _last_of_each(self, rows: Iterable[Row]) -> Iterable[Row]:
        if len(self._key) == 1:
            place = self._key[0]
            return {row[place]: row for row in rows}.values()
        return {tuple(row[place] for place in self._key): row for row in rows}.values()


def _read_column(name: str, declared: str) -> Column:
    if declared in LOGICAL_OF:
        return Column(name, declared, LOGICAL_OF[declared])
    kind, _, size = declared.partition("(")
    match kind.strip():
        case "smallint" | "integer":
            return Column(name, declared, "integer")
        case "numeric":
            digits, _, scale = size.rstrip(")").partition(",")
            return Column(name, declared, "decimal", fits=(int(digits) - int(scale or 0), int(scale or 0)))
        case "real":
            return Column(name, declared, "float", lossy=True)
        case "json":
            return Column(name, declared, "json", lossy=True)
        case kind if kind.startswith("timestamp with"):
            return Column(name, declared, "timestamp")
        case _:
            return Column(
                name, declared, "text"
            )  # varchar, uuid, enums, timestamps without a zone: PostgreSQL reads the text


def _widened(name: str, before: Logical, after: Logical) -> str:
    """The stored value as the wider type spells it."""
    spelled = f"{name}::text"
    if before == "timestamp":
        spelled = f"""regexp_replace(to_char({name}, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '\\.000000\\+', '+')"""
    elif before == "date":
        spelled = f"to_char({name}, 'YYYY-MM-DD')"
    if after == "text":
        return spelled
    if after == "json":
        return f"to_jsonb({spelled})" if before in ("timestamp", "date") else f"to_jsonb({name})"
    if before == "boolean":
        return f"{name}::int::{DECLARED[after]}"
    return f"{spelled}::{DECLARED[after]}"


def _in_numeric(value: int | Decimal) -> bool:
    if isinstance(value, int):
        return True  # Python's own limit on digits is far below
    return not value.is_finite() or (value.adjusted() < WHOLE_DIGITS and exponent_of(value) >= -SCALE)
