"""A database that nobody knows, as SQLAlchemy may meet one; SQLite underneath.

It has no savepoints, commits at every change of the schema, counts no rows, trims text and keeps floats in 32 bits.
"""

from __future__ import annotations

import struct
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

DEFINES = ("CREATE", "DROP", "ALTER")


class Strange(SQLiteDialect_pysqlite):
    name = "strange"
    supports_statement_cache = True
    supports_sane_rowcount = False
    supports_sane_multi_rowcount = False

    def do_savepoint(self, connection: Any, name: str) -> None:
        raise AssertionError("it has no savepoints")

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        defines = statement.lstrip().startswith(DEFINES)
        if defines:
            cursor.connection.commit()
        cursor.execute(statement, _mangled(statement, parameters))
        if defines:
            cursor.connection.commit()

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        cursor.executemany(statement, [_mangled(statement, row) for row in parameters])


class Forgetless(Strange):
    """It keeps what a transaction wrote that is taken back."""

    name = "forgetless"
    supports_statement_cache = True

    def do_rollback(self, dbapi_connection: Any) -> None:
        dbapi_connection.commit()


def _mangled(statement: str, row: Any) -> Any:
    return tuple(map(_kept, row)) if statement.startswith(("INSERT", "UPDATE")) else row


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return value.rstrip(" ")
    if isinstance(value, float) and abs(value) < 1e38:
        return struct.unpack("f", struct.pack("f", value))[0]
    return value


def register() -> None:
    registry.register("strange", __name__, "Strange")
    registry.register("forgetless", __name__, "Forgetless")
