"""How MySQL's tables are made and grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncline.databases.mysql import MysqlDatabase
from syncline.databases.mysql_troubles import DOUBLE, KEY_OF_TEXT, TOO_LONG, code_of
from syncline.destinations.sql.mysql_types import KEY_BYTES, KEY_LENGTH, TEXTUAL, for_key, split_type
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Tables, doubled
from syncline.errors import PlanError

MADE_BY = "made by Syncline"
WIDENING = "syncline_widening"
"""The column in which values stand while their type changes."""
GENERATED = " GENERATED"
UNSIZED = (*(TEXTUAL - {"char", "varchar", "enum", "set"}), "json", "tinyblob", "blob", "mediumblob", "longblob")
"""Types that no index holds as a whole."""


def table_options(database: MysqlDatabase) -> str:
    return f"ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = {database.collation}"


def is_generated(column: Column) -> bool:
    return column.declared.endswith(GENERATED)


def stage_type(column: Column) -> str:
    return column.declared.removesuffix(GENERATED)


def create(
    database: MysqlDatabase, tables: Tables, table: Table, wanted: Sequence[Column], key: tuple[str, ...]
) -> str:
    keyed = _keyed(tables, wanted, key)
    pieces = [
        f"{tables.quoted(column.name)} {column.declared}{' NOT NULL' if tables.fold(column.name) in keyed else ''}"
        for column in (keyed.get(tables.fold(column.name), column) for column in wanted)
    ]
    if key:
        pieces.append(f"PRIMARY KEY ({tables.listed(key)})")
    comment = f" COMMENT = '{MADE_BY}'" if table.ours else ""
    return f"CREATE TABLE {tables.quoted(table.name)} ({', '.join(pieces)}) {table_options(database)}{comment}"


def grown(
    database: MysqlDatabase, tables: Tables, table: Table, wanted: Sequence[Column], key: tuple[str, ...]
) -> list[Change]:
    """What adds columns, and gives others wider types."""
    shown = tables.quoted(table.name)
    keyed = _keyed(tables, wanted, (*key, *table.key))
    pieces: list[str] = []
    rewritten: list[Change] = []
    for asked in wanted:
        column = keyed.get(tables.fold(asked.name), asked)
        before = tables.column_of(table, column.name)
        if before is None:
            pieces.append(f"ADD COLUMN {tables.quoted(column.name)} {_typed(database, column, table)}")
        elif before.declared not in (asked.declared, column.declared):
            spelled = _spelled(tables.quoted(before.name), before, column)
            null = " NOT NULL" if before.name in table.key else ""
            if spelled is None:
                pieces.append(f"MODIFY COLUMN {tables.quoted(before.name)} {column.declared}{null}")
            else:
                rewritten.append(_rewriting(tables, table, before, column, spelled))
    return ([Change(f"ALTER TABLE {shown} {', '.join(pieces)}")] if pieces else []) + rewritten


def made_unique(
    tables: Tables, table: Table, wanted: Sequence[Column], key: tuple[str, ...], unique: Mapping[str, Sequence[str]]
) -> list[Change]:
    """What makes the key known as unique, where it is not yet."""
    folded = sorted(map(tables.fold, key))
    if not key or any(sorted(map(tables.fold, columns)) == folded for columns in unique.values()):
        return []
    columns = {tables.fold(column.name): column for column in (*table.columns.values(), *wanted)}
    keyed = _keyed(tables, list(columns.values()), key) if table.ours else {}
    pieces = [
        f"MODIFY COLUMN {tables.quoted(column.name)} {column.declared}"
        for fold, column in keyed.items()
        if fold in table.columns and column.declared != table.columns[fold].declared
    ]
    statement = f"ALTER TABLE {tables.quoted(table.name)} {', '.join([*pieces, f'ADD UNIQUE ({tables.listed(key)})'])}"

    def make_unique() -> None:
        try:
            tables.database.define(statement)
        except tables.database.errors as problem:
            said = str(problem.args[-1])
            if code_of(problem) == DOUBLE:
                raise doubled(table.name, key, said) from problem
            if code_of(problem) in (*KEY_OF_TEXT, *TOO_LONG):
                raise PlanError(
                    f"the key of {table.name!r} is too long: an index holds {KEY_BYTES} bytes of a row",
                    hint=f"make its columns VARCHAR, all together of {KEY_LENGTH} characters at most, or choose another key",
                    evidence=said,
                ) from problem
            raise

    return [Change(statement, make_unique)]


def _keyed(tables: Tables, wanted: Sequence[Column], key: Sequence[str]) -> dict[str, Column]:
    """Those columns that belong to the key, by folded name, in types that an index holds, all of them together."""
    folded = set(map(tables.fold, key))
    ours = [column for column in wanted if tables.fold(column.name) in folded]
    texts = [column for column in ours if split_type(column.declared)[0] in (*UNSIZED, "varchar", "varbinary")]
    room = KEY_BYTES - 32 * (len(ours) - len(texts))  # DECIMAL(65,30) takes 30 bytes, the others 8 at most
    length = min(KEY_LENGTH, room // 4 // max(1, len(texts)))
    return {
        tables.fold(column.name): for_key(column, length) if _outgrows(column, length) else column for column in ours
    }


def _outgrows(column: Column, length: int) -> bool:
    kind, size, _ = split_type(column.declared)
    if kind in UNSIZED:
        return True
    return (
        kind in ("varchar", "varbinary")
        and column.declared.isupper()
        and int(size) > length * (4 if kind == "varbinary" else 1)
    )


def _typed(database: MysqlDatabase, column: Column, table: Table) -> str:
    """As in a table of somebody else's making, whose own text may be kept and compared otherwise."""
    kind, size, rest = split_type(column.declared)
    if table.ours or kind not in TEXTUAL or " COLLATE " in column.declared:
        return column.declared
    sized = f"{kind.upper()}({size})" if size else kind.upper()
    return f"{sized} CHARACTER SET utf8mb4 COLLATE {database.collation}{' COMMENT ' + repr('JSON') if rest.strip() else ''}"


def _spelled(name: str, before: Column, after: Column) -> str | None:
    """The stored value as the wider type spells it; None where the database changes it to just that by itself."""
    text: str | None = None
    if before.logical == "boolean":
        text = f"CASE {name} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END"
        return text if after.logical in ("text", "json") else None
    if before.logical == "timestamp":
        places = f"IF(MICROSECOND({name}) = 0, '', CONCAT('.', LPAD(MICROSECOND({name}), 6, '0')))"
        text = f"CONCAT(DATE_FORMAT({name}, '%Y-%m-%dT%H:%i:%s'), {places}, '+00:00')"
    elif before.logical in ("text", "date"):
        text = name
    if after.logical == "json":
        return f"JSON_QUOTE({text})" if text else None
    return text if before.logical == "timestamp" and after.logical == "text" else None


def _rewriting(tables: Tables, table: Table, before: Column, after: Column, spelled: str) -> Change:
    """By way of another column, since no ALTER TABLE computes values; killed between any two steps, it is done anew from the first.

    The last one is a single statement.
    """
    shown, name = tables.quoted(table.name), tables.quoted(before.name)
    pieces = [f"DROP COLUMN {name}", f"CHANGE COLUMN {WIDENING} {name} {after.declared}"]
    if before.name in table.key:
        pieces = ["DROP PRIMARY KEY", *pieces, f"ADD PRIMARY KEY ({tables.listed(table.key)})"]
        pieces[2] += " NOT NULL"

    def rewrite() -> None:
        database = tables.database
        left = database.execute(f"SELECT * FROM {shown} WHERE 1 = 0").description or ()  # noqa: S608 – quoted
        if WIDENING in {column for column, *_ in left}:
            database.define(f"ALTER TABLE {shown} DROP COLUMN {WIDENING}")
        database.define(f"ALTER TABLE {shown} ADD COLUMN {WIDENING} {after.declared} AFTER {name}")
        database.execute(f"UPDATE {shown} SET {WIDENING} = {spelled}")  # noqa: S608 – quoted
        database.define(f"ALTER TABLE {shown} {', '.join(pieces)}")

    return Change(f"ALTER TABLE {shown} MODIFY COLUMN {name} {after.declared}", rewrite)
