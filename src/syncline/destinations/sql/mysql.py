"""Tables in MySQL and MariaDB. Changes of the schema commit; rows go by way of a temporary table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import repeat
from typing import Any, ClassVar

from syncline.databases.mysql import MysqlDatabase
from syncline.databases.mysql_troubles import code_of, column_in
from syncline.destinations.sql.digits import Digits, as_decimal, misfit_of_size, most_digits
from syncline.destinations.sql.identifiers import fault_of
from syncline.destinations.sql.mysql_changes import MADE_BY, WIDENING, create, grown, is_generated, made_unique
from syncline.destinations.sql.mysql_rows import Append, Keyed, Part, Upsert
from syncline.destinations.sql.mysql_types import (
    DECLARED,
    JSON_OF,
    KEY_LENGTH,
    decimal_column,
    for_key,
    limit_of,
    misfit_of_json,
    read_column,
    sized,
)
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables
from syncline.destinations.values import Convert, Logical, all_finite, finite, join, restore, spell, spell_json
from syncline.errors import PlanError
from syncline.model import Row

TABLE = """\
SELECT t.table_type, t.table_comment, e.transactions, t.engine FROM information_schema.tables t
LEFT JOIN information_schema.engines e ON e.engine = t.engine
WHERE t.table_schema = DATABASE() AND t.table_name = ?"""
COLUMNS = """\
SELECT column_name, column_type, character_set_name, collation_name, column_comment, generation_expression
FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position"""
CHECKS = """\
SELECT check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE() AND table_name = ? AND LEFT(check_clause, 11) = 'json_valid('"""
UNIQUE = """\
SELECT index_name, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index"""
OUTDATED = (1050, 1054, 1060)
"""A table or column is there already, or not any more: somebody else has changed the schema since."""


class MysqlTables(Tables):
    quotation: ClassVar[str] = "`"
    longest_name: ClassVar[int] = 64
    most_columns: ClassVar[int] = 1_000
    definitive: ClassVar[bool] = True
    batch_rows: ClassVar[int] = 2_000

    def __init__(self, database: MysqlDatabase) -> None:
        super().__init__(database)
        self._mysql = database
        self._keyed = Keyed(database, self)

    # Names

    def fold(self, name: str) -> str:
        """Column names are compared without case, letter by letter."""
        return "".join(letter.lower()[0] for letter in name)

    def fault_of(self, name: str) -> str | None:
        if fault := fault_of(name, self.longest_name):
            return fault
        if name.endswith(" "):
            return "the name ends with a space"
        if any(ord(letter) > 0xFFFF for letter in name):
            return "the name holds a character that MySQL has no room for in names"
        return "the name means something to MySQL" if name.lower().startswith("#mysql50#") else None

    # Shapes

    def load(self, name: str) -> Table:
        found = self.database.execute(TABLE, (name,)).fetchone()
        if found is None:
            return Table(name, {})
        kind, comment, transactions, engine = found
        if kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
            raise PlanError(
                f"{name!r} is no table; rows cannot be written to it", hint="name a table: `into: {table: …}`"
            )
        if transactions != "YES":
            raise PlanError(
                f"the table {name!r} is kept by {engine}, which knows no transactions",
                hint=f"ALTER TABLE {self.quoted(name)} ENGINE = InnoDB, or name another table",
            )
        ours = comment == MADE_BY
        json = self._json_columns(name)
        columns = {
            self.fold(row[0]): self._column_of(row, ours=ours, json=json)
            for row in self.database.execute(COLUMNS, (name,)).fetchall()
            if row[0] != WIDENING
        }
        return Table(name, columns, tuple(self._unique(name).get("PRIMARY", ())), exists=True, ours=ours)

    def _json_columns(self, name: str) -> set[str]:
        """Those that MariaDB keeps as text with a check."""
        if self._mysql.product != "MariaDB":
            return set()
        found = self.database.execute(CHECKS, (name,)).fetchall()
        return {clause.removeprefix("json_valid(`").removesuffix("`)").replace("``", "`") for (clause,) in found}

    def _column_of(self, row: Sequence[Any], *, ours: bool, json: set[str]) -> Column:
        name, declared, characters, collation, comment, computed = row
        text = ""
        if characters and (characters, collation) != ("utf8mb4", self._mysql.collation):
            text = f"CHARACTER SET {characters} COLLATE {collation}"
        declared_json = "json" if declared == "json" else None
        if name in json or (ours and comment == "JSON"):
            declared_json = JSON_OF[self._mysql.product]
        if computed:
            text += " GENERATED"
        return read_column(name, declared, text.strip(), ours=ours, json=declared_json)

    def _unique(self, name: str) -> dict[str, list[str]]:
        """The columns of each unique index; of those over whole columns only."""
        found: dict[str, list[str]] = {}
        parts: set[str] = set()
        for index, column, part in self.database.execute(UNIQUE, (name,)).fetchall():
            found.setdefault(index, []).append(column or "")
            if part is not None or column is None:
                parts.add(index)
        return {index: columns for index, columns in found.items() if index not in parts}

    def column(self, name: str, logical: Logical, *, key: bool = False) -> Column:
        declared = JSON_OF[self._mysql.product] if logical == "json" else DECLARED.get(logical)
        column = Column(name, declared, logical) if declared else decimal_column(name, sized((0, 2)) or (0, 2))
        return for_key(column, KEY_LENGTH) if key else column

    def first(self, name: str, needed: Logical, values: Sequence[Any], *, key: bool) -> Column:
        if needed != "decimal":
            return self.column(name, needed, key=key)
        room = sized(most_digits(values))
        return decimal_column(name, room) if room else self.column(name, "text", key=key)

    def holding(self, have: Column, needed: Logical, values: Sequence[Any]) -> Column | None:
        logical = join(have.logical, needed)
        if logical == "decimal":
            return self._holding_numbers(have, values)
        return have if logical == have.logical else None if logical is None else self.column(have.name, logical)

    def _holding_numbers(self, have: Column, values: Sequence[Any]) -> Column | None:
        if have.logical == "float":
            # what is in there already might have more digits than any DECIMAL, and would be rounded silently
            fits = all(super(MysqlTables, self).misfit(value, have) is None for value in values)
            return have if fits else self.column(have.name, "text")
        least: Digits = have.fits or (19, 0)
        whole, scale = most_digits(values)
        if have.fits and whole <= least[0] and scale <= least[1]:
            return have
        room = sized((max(whole, least[0]), max(scale, least[1])))
        return decimal_column(have.name, room) if room else self.column(have.name, "text")

    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        if not table.exists:
            return [Change(create(self._mysql, self, table, wanted, key))]
        return grown(self._mysql, self, table, wanted, key) + made_unique(
            self, table, wanted, key, self._unique(table.name)
        )

    def laid_aside(self, name: str, like: Table, key: tuple[str, ...]) -> list[Change]:
        columns = {folded: column for folded, column in like.columns.items() if not is_generated(column)}
        return super().laid_aside(name, Table(like.name, columns, ours=like.ours), key)

    # Rows

    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        written = [n for n, name in enumerate(names) if not is_generated(table.columns[self.fold(name)])]
        if len(written) < len(names):  # all that can be in it is NULL, and even that may not be written
            return Part(self.statement(table, [names[n] for n in written], key, whole=whole), written)
        if not key:
            return Append(self._mysql, self, table, names)
        return Upsert(self._mysql, self, table, names, key, whole=whole)

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        given = kinds - {type(None)}
        match column.logical:
            case "json":
                return spell_json
            case "text":
                return None if given <= {str} else spell
            case "decimal":
                return as_decimal if float in given else None
            case "float":
                return None if given <= {float} else float
            case _:
                return None

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        if (
            column.declared == "json"
            or (column.logical == "float" and kinds & {int, Decimal})
            or (limit_of(column.declared) and not column.declared.startswith("VARCHAR"))
            or (column.fits and not kinds <= {Decimal, type(None)})
        ):
            return lambda values: all(value is None or self.misfit(value, column) is None for value in values)
        if column.fits:
            return _fitting(column.fits)
        if column.logical in ("float", "json") and kinds & {float, Decimal}:
            return all_finite
        return None

    def misfit(self, value: Any, column: Column | None) -> str | None:
        if (reason := super().misfit(value, column)) or value is None or column is None:
            return reason
        if isinstance(value, float | Decimal) and column.logical in ("float", "decimal") and not finite(value):
            return f"{self._mysql.product} knows no {value}"
        if column.logical == "json":
            return misfit_of_json(value, column.declared)
        limit = limit_of(column.declared)
        return (limit(value) if limit else None) or misfit_of_size(value, column)

    def delete(self, table: Table, key: Sequence[str], keys: Sequence[Row]) -> int:
        return self._keyed.delete(table, key, keys)

    def trim(self, table: Table, parent: Sequence[str], order: str, lengths: Sequence[Row]) -> None:
        self._keyed.trim(table, parent, order, lengths)

    def mark(self, table: Table, key: Sequence[str], keys: Sequence[Row], column: str, now: datetime) -> int:
        return self._keyed.mark(table, key, keys, column, self._moment(table, column, now))

    def restore(self, stored: Any, column: Column) -> Any:
        if isinstance(stored, bytes) and column.logical in ("boolean", "integer"):  # BIT
            stored = int.from_bytes(stored, "big")
        if isinstance(stored, datetime):
            return stored.replace(tzinfo=UTC)
        return restore(stored, column.logical) if column.logical in ("boolean", "json") else stored

    # Troubles

    def said(self, problem: BaseException) -> str:
        return super().said(problem) if code_of(problem) is None else str(problem.args[1])

    def path_in(self, said: str, table: Table) -> str:
        return column_in(said) or super().path_in(said, table)

    def outdated(self, problem: BaseException) -> bool:
        return code_of(problem) in OUTDATED


def _fitting(room: Digits) -> Check:
    """As `misfit_of_size`, at the speed of C: a number that would have to be rounded is an error in such a context."""
    context = Context(prec=sum(room), traps=[Inexact, InvalidOperation])
    place = Decimal(1).scaleb(-room[1])

    def check(values: Sequence[Any]) -> bool:
        numbers: Iterable[Decimal] = [value for value in values if value is not None]
        try:
            return all(map(Decimal.is_finite, map(context.quantize, numbers, repeat(place))))
        except (Inexact, InvalidOperation):
            return False

    return check
