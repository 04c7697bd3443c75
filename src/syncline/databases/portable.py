"""Our own statements for databases that spell SQL differently.

In them keywords are written in capitals and names in small letters, so a small word that some database reserves is a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_PIECES = re.compile(
    r"""("(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[(?:[^\]]|\]\])*\])|(\?)|\b([a-z_]+)\b(?!\s*\()"""
)
_UPDATE = re.compile(r"UPDATE (\w+) SET (.*) WHERE ((\w+) = .*)", re.S)
_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) ")


def text_of(statement: str, values: Sequence[Any], dialect: Dialect) -> sa.TextClause:
    """The statement as SQLAlchemy takes it: values by the names p0, p1, … and those that are times known as such."""
    times = tuple(index for index, value in enumerate(values) if isinstance(value, datetime))
    binary = tuple(index for index, value in enumerate(values) if isinstance(value, bytes))
    return _text(statement, times, binary, dialect)


@lru_cache(maxsize=512)
def _text(statement: str, times: tuple[int, ...], binary: tuple[int, ...], dialect: Dialect) -> sa.TextClause:
    preparer = dialect.identifier_preparer
    count = 0

    def piece(found: re.Match[str]) -> str:
        nonlocal count
        quoted, place, word = found.groups()
        if quoted is not None:
            return quoted.replace(":", "\\:")
        if place is not None:
            count += 1
            return f":p{count - 1}"
        reserved = word in preparer.reserved_words
        return f"{preparer.initial_quote}{word}{preparer.final_quote}" if reserved else str(word)

    text = sa.text(_PIECES.sub(piece, statement))
    typed: list[sa.BindParameter[Any]] = [
        sa.bindparam(f"p{index}", type_=sa.DateTime(timezone=True)) for index in times
    ]
    typed += [sa.bindparam(f"p{index}", type_=sa.LargeBinary()) for index in binary]
    return text.bindparams(*typed) if typed else text


def counted(statement: str) -> tuple[str, str, int] | None:
    """Of an UPDATE: a statement that locks its rows and changes nothing, one that counts them, how many values stand before."""
    found = _UPDATE.fullmatch(statement)
    if found is None:
        return None
    table, assignments, condition, column = found.groups()
    lock = f"UPDATE {table} SET {column} = {column} WHERE {condition}"  # noqa: S608 – ours
    return lock, f"SELECT count(*) FROM {table} WHERE {condition}", assignments.count("?")  # noqa: S608


def creates(statement: str) -> str | None:
    """The table that is to be created where it is not there yet."""
    found = _CREATE.match(statement)
    return found[1] if found else None
