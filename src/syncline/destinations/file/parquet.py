"""Parquet through DuckDB: rows are spooled as JSON arrays with every value spelled exactly, and cast when the pass is complete.

A column's type is the narrowest that holds all of its values. Numbers wait as text, so that a type may widen while the pass
goes on without a row being written again; only a column that turns out to be JSON begins a new piece of the spool.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from syncline.destinations.file.columns import LIMITLESS, MAX_COLUMNS, Column, Columns, extent, frozen, turned
from syncline.destinations.file.encoding import Format, Made, Prepared, Screened, Unfit, finite, spelled_json
from syncline.destinations.file.placing import Refusal
from syncline.destinations.file.spool import ENDING, LONGEST_LINE, Piece
from syncline.destinations.file.troubles import explain, shown_text
from syncline.destinations.sql.identifiers import fault_of, fold, quoted
from syncline.destinations.values import LOGICAL, NONE, Logical, has_nan, join, logical_of, misfit, within
from syncline.errors import PlanError, WriteError
from syncline.model import Batch, encode_json

NUMERIC = ("integer", "decimal")
TYPES: dict[Logical, str] = {
    "unknown": '"NULL"',
    "boolean": "BOOLEAN",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "json": "JSON",
}
AS_THEY_STAND = ("boolean", "integer", "decimal")
"""Kinds whose spelling is JSON already."""
GROUP_ROWS, GROUP_BYTES = 61_440, 64_000_000
"""Of a row group: DuckDB's own number of rows, and how much of the spool at most may become one."""
VECTOR_ROWS = 2_048
THREADS = 1
MEMORY = "SET memory_limit = '112MB'"
"""Enough for rows of a usual size: what DuckDB could do without stays free then. Where it is not enough, there is no limit."""
OPTIONS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
_encoder = msgspec.json.Encoder(decimal_format="string")


class Parquet(Format):
    name: ClassVar[str] = "parquet"
    ending: ClassVar[str] = ".parquet"

    def __init__(self, compression: str, max_file: int | None, *, widening: bool) -> None:
        """`widening`: the types that earlier passes found are kept, and widened where they do not fit."""
        if importlib.util.find_spec("duckdb") is None:
            raise PlanError("format: parquet needs DuckDB", hint="pip install 'syncline[parquet]'")
        self._compression, self._max_file, self._widening = compression, max_file, widening
        self._connection: Any = None

    # Into the spool

    def prepare(self, batch: Batch, columns: Columns) -> Prepared:
        after = columns.copy()
        fields: dict[int, Sequence[Any]] = {}
        moved = False
        for name, values in zip(batch.columns, zip(*batch.rows, strict=True), strict=True):
            if not columns.allows(name):
                moved = True
                continue
            if name not in after.index:
                self._may_be_new(name, after)
            place = after.place(name)
            if place in fields:
                raise Unfit  # the same name twice
            kinds = frozenset(map(type, values)) - {NONE}
            after.here[place] = column = self._settled(after, after.here[place], kinds, values)
            fields[place] = _spelled(column, kinds, values)
            moved = moved or fields[place] is not values or place != len(fields) - 1
        if not moved and len(fields) == len(after.here):
            return Prepared(batch.rows, after)
        nothing = [None] * len(batch.rows)
        cells = [fields.get(place, nothing) for place in range(len(after.here))]
        return Prepared(list(zip(*cells, strict=True)), after)

    def join(self, rows: Sequence[Any]) -> bytes:
        return _encoder.encode_lines(rows)

    def continues(self, before: Columns, after: Columns) -> bool:
        return not turned(before, after)

    def _may_be_new(self, name: str, columns: Columns) -> None:
        twins = {fold(other) for other in columns.index}
        if fault_of(name) or fold(name) in twins or len(columns.here) >= MAX_COLUMNS:
            raise Unfit

    def _settled(self, columns: Columns, have: Column, kinds: frozenset[type], values: Sequence[Any]) -> Column:
        """The column as it is with these values. Raises Unfit where one of them may have to be refused."""
        needed = logical_of(kinds)
        if needed is None:
            raise Unfit
        if needed == "unknown":
            return have
        kind = self._wider(columns, have, needed)
        if kind is None or (kind == "timestamp" and None in {v.tzinfo for v in values if v is not None}):
            raise Unfit
        if not finite(values, kinds) and not _infinite_at_most(values, kind):
            raise Unfit
        column = msgspec.structs.replace(self._known(columns, have), kind=kind)
        if kind not in NUMERIC:
            return column
        digits, scale = extent(values, decimals=needed == "decimal") if kinds <= EXACT else (LIMITLESS, 0)
        if have.kind == "float":
            digits = LIMITLESS
        return msgspec.structs.replace(column, digits=max(column.digits, digits), scale=max(column.scale, scale))

    def _known(self, columns: Columns, have: Column) -> Column:
        known = columns.known.get(have.name)
        return known if known and have.kind == "unknown" and self._fixed(columns) else have

    def _fixed(self, columns: Columns) -> bool:
        return self._widening or columns.policy != "evolve"

    def _wider(self, columns: Columns, have: Column, needed: Logical) -> Logical | None:
        before = self._known(columns, have).kind
        return join(before, needed) if columns.policy == "evolve" or before == "unknown" else _kept(before, needed)

    def screen(self, batch: Batch, columns: Columns) -> Screened:
        """The first values of a column decide its type; those that no type holds together with them are refused."""
        refused: dict[int, Refusal] = {}
        places = []
        after = columns.copy()
        twins = {fold(name): name for name in columns.index}
        for place, name in enumerate(batch.columns):
            if not columns.allows(name):
                continue
            fault = self._fault(name, batch.columns.index(name) != place, twins, after)
            if fault is None:
                twins[fold(name)] = name
                places.append(place)
            at = None if fault else after.place(name)
            for number, row in enumerate(batch.rows):
                if number in refused or row[place] is None:
                    continue
                if reason := fault or self._reason(row[place], after, at):
                    refused[number] = Refusal(number, name[:200], reason)
        return Screened(refused, places)

    @staticmethod
    def _fault(name: str, again: bool, twins: dict[str, str], columns: Columns) -> str | None:
        if again:
            return "there are two columns of this name"
        if name in columns.index:
            return None
        if fault := fault_of(name):
            return f"not a column: {fault}"
        if fold(name) in twins:
            return f"it differs from the column {twins[fold(name)]!r} in case only; map it to another name"
        if len(columns.here) >= MAX_COLUMNS:
            return f"the file would get more than {MAX_COLUMNS} columns"
        return None

    def _reason(self, value: Any, columns: Columns, at: int | None) -> str | None:
        """What is wrong with a value; where nothing is, its column becomes wide enough for it."""
        assert at is not None
        have = columns.here[at]
        if reason := misfit(value, None):
            return reason
        if has_nan(value) and not isinstance(value, float):
            return "NaN and Infinity are no decimals"
        try:
            columns.here[at] = self._settled(columns, have, frozenset({type(value)}), (value,))
        except ValueError:
            needed, before = LOGICAL[type(value)], self._known(columns, have).kind
            if needed == "timestamp" and self._wider(columns, have, needed) == "timestamp":
                return "the time has no zone"
            reason = f"the column holds {before}; this is {needed}"
            if columns.policy == "freeze" and join(before, needed):
                raise frozen(columns.table, f"{have.name}: {reason}") from None
            return reason
        return None

    # Out of the spool

    def finish(self, pieces: Sequence[Piece], columns: Columns, folder: Path, name: str) -> list[Made]:
        final = self._final(columns) if pieces else columns.merged()
        if not final:
            return []
        target = folder / f"{name}{ENDING}"
        if self._max_file is None:
            made = self._query(self._copy(pieces, final, target), target)
            return [Made(target, int(made[0][0]))]
        target = folder / name
        self._query(self._copy(pieces, final, target), target)
        parts = sorted(target.iterdir(), key=lambda file: int(file.name.partition(".")[0]))
        count = "SELECT num_rows FROM parquet_file_metadata("
        return [Made(file, int(self._query(f"{count}{_literal(_pattern(file))})", file)[0][0])) for file in parts]

    def types(self, columns: Columns) -> list[tuple[str, str]]:
        return [(c.name, "BLOB" if c.kind == "binary" else sql_type(c)) for c in self._final(columns)]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @staticmethod
    def _final(columns: Columns) -> list[Column]:
        return columns.merged()[: len(columns.here)]

    def _query(self, statement: str, target: Path) -> Any:
        duckdb = importlib.import_module("duckdb")  # late: an optional extra
        if self._connection is None:
            self._connection = duckdb.connect(":memory:", config=OPTIONS | {"temp_directory": str(target.parent)})
            self._connection.execute(f"SET TimeZone = 'UTC'; SET threads = {1 if self._max_file else THREADS}")
            self._connection.execute(MEMORY)
        try:
            try:
                return self._connection.execute(statement).fetchall()
            except duckdb.OutOfMemoryException:
                if target.is_dir():
                    shutil.rmtree(target)
                self._connection.execute("RESET memory_limit")
                return self._connection.execute(statement).fetchall()
        except duckdb.Error as problem:
            if isinstance(problem, duckdb.IOException):
                raise explain(problem, str(target)) from problem
            raise WriteError(
                f"DuckDB could not make {target.name} of the rows",
                hint="this should not happen: please report it; `syncline run FILE --full` starts the pass anew",
                evidence=shown_text(problem),
            ) from problem

    def _copy(self, pieces: Sequence[Piece], columns: Sequence[Column], target: Path) -> str:
        selects = [_select(group, columns) for group in _alike(pieces)] or [_select((), columns)]
        options = [f"FORMAT parquet, COMPRESSION {self._compression}, ROW_GROUP_SIZE {self._group_rows(pieces)}"]
        if self._max_file is not None:
            pattern = f"FILENAME_PATTERN '{{i}}', FILE_EXTENSION '{ENDING[1:]}'"
            options.append(f"FILE_SIZE_BYTES {self._max_file:d}, {pattern}")
        return f"COPY ({' UNION ALL '.join(selects)}) TO {_literal(str(target.absolute()))} ({', '.join(options)})"

    def _group_rows(self, pieces: Sequence[Piece]) -> int:
        """So many that a group fits into memory, and that one does not by itself exceed the size of a file by much."""
        rows, size = sum(piece.rows for piece in pieces), sum(piece.length for piece in pieces)
        if not rows:
            return GROUP_ROWS
        most = min(GROUP_BYTES, self._max_file or GROUP_BYTES)
        return max(VECTOR_ROWS, min(GROUP_ROWS, most * rows // size // VECTOR_ROWS * VECTOR_ROWS))


EXACT = frozenset(kind for kind, logical in LOGICAL.items() if logical in NUMERIC)


def _kept(column: Logical, needed: Logical) -> Logical | None:
    return column if within(column, needed) == column and not (column == "integer" and needed == "boolean") else None


def _infinite_at_most(values: Sequence[Any], kind: Logical) -> bool:
    """Whether the worst of the floats are infinite, in a column that can hold that."""
    return kind == "float" and not any(map(math.isnan, [value for value in values if value is not None]))


def _spelled(column: Column, kinds: frozenset[type], values: Sequence[Any]) -> Sequence[Any]:
    """The values as they stand in the spool: what the encoder itself spells exactly stays as it is."""
    if column.kind == "json":
        texts = iter(spelled_json([value for value in values if value is not None]))
        return [None if value is None else next(texts) for value in values]
    if kinds == {float} and finite(values, kinds):
        texts = iter(encode_json([value for value in values if value is not None])[1:-1].decode().split(","))
        return [None if value is None else next(texts) for value in values]
    if float in kinds:
        return [repr(value) if value.__class__ is float else value for value in values]
    return values


def sql_type(column: Column) -> str:
    """The narrowest type of Parquet that holds every value of the column exactly."""
    if column.kind == "integer" and column.digits <= 19:
        return "BIGINT"
    if column.kind in NUMERIC:
        total = column.digits + column.scale
        return f"DECIMAL({18 if total <= 18 else 38}, {column.scale})" if total <= 38 else "VARCHAR"
    return TYPES[column.kind]


def _select(pieces: Sequence[Piece], columns: Sequence[Column]) -> str:
    before = pieces[0].before if pieces else {}
    fields = [_field(place, column, before.get(str(place))) for place, column in enumerate(columns)]
    if not pieces:
        return f"SELECT {', '.join(fields)} FROM (SELECT []::VARCHAR[] AS r) WHERE false"  # noqa: S608 – quoted
    files = ", ".join(_literal(_pattern(piece.file)) for piece in pieces)
    longest = max(LONGEST_LINE, *(piece.longest for piece in pieces))
    return (
        f"SELECT {', '.join(fields)} FROM read_json([{files}], format = 'newline_delimited', records = false,"  # noqa: S608 – quoted
        f" columns = {{r: 'VARCHAR[]'}}, maximum_object_size = {longest + 1:d})"
    )


def _field(place: int, column: Column, before: Logical | None) -> str:
    value, name = f"r[{place + 1:d}]", quoted(column.name)
    if column.kind == "unknown":
        return f"NULL AS {name}"
    if column.kind == "binary":
        return f"from_base64({value}) AS {name}"
    if before in AS_THEY_STAND:
        return f"CAST({value} AS JSON) AS {name}"
    if before == "float":
        return f"CASE WHEN {value} IN ('inf', '-inf') THEN to_json({value}) ELSE CAST({value} AS JSON) END AS {name}"
    if before is not None:
        return f"to_json({value}) AS {name}"
    return f"CAST({value} AS {sql_type(column)}) AS {name}"


def _alike(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Neighbours that are read alike, together."""
    groups: list[list[Piece]] = []
    for piece in pieces:
        if groups and groups[-1][0].before == piece.before:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pattern(file: Path) -> str:
    """A path as DuckDB's patterns have it: signs that stand for others are bracketed."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file.absolute()))
