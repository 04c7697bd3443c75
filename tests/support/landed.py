"""What stands in a SQLite destination, and whether it is what a record said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rows(path: Path, table: str) -> list[Row]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        quoted = table.replace('"', '""')
        return [dict(row) for row in db.execute(f'SELECT * FROM "{quoted}"')]


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def same(stored: Any, meant: Any) -> bool:
    """Whether a stored value is exactly the one that was meant, however the column spells it."""
    if meant is None or stored is None:
        return stored is meant
    if isinstance(meant, dict | list):
        return bool(json.loads(stored, parse_float=Decimal) == meant)
    if isinstance(meant, bool):
        return bool(stored == int(meant))
    if isinstance(meant, int | float | Decimal):
        return Decimal(str(stored)) == Decimal(str(meant))
    return bool(stored == meant)


def assert_landed(
    path: Path,
    table: str,
    records: Iterable[Mapping[str, Any]],
    key: str | tuple[str, ...],
    mapped: Callable[[Any], Row] = dict,
) -> None:
    """Every record is there once, by key and by content, and nothing else is. `mapped` is what a row of it should be."""
    names = (key,) if isinstance(key, str) else key
    wanted = {tuple(row[name] for name in names): row for row in map(mapped, records)}
    found = rows(path, table)
    keys = [tuple(row[name] for name in names) for row in found]
    assert len(keys) == len(set(keys)), f"{table}: {len(keys) - len(set(keys))} rows are there twice"
    assert set(keys) == set(wanted), f"{table}: lost {set(wanted) - set(keys)}, invented {set(keys) - set(wanted)}"
    for at, row in zip(keys, found, strict=True):
        meant = wanted[at]
        wrong = {name: (row.get(name), value) for name, value in meant.items() if not same(row.get(name), value)}
        assert not wrong, f"{table} {at}: stored and meant differ: {wrong}"
        more = {name for name, value in row.items() if value is not None} - set(meant)
        assert not {name for name in more if not name.startswith("_syncline")}, f"{table} {at} has more: {more}"
