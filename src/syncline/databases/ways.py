"""What SQLAlchemy does not say about a database, and Syncline has to know: its types, its transactions, its numbers of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

Type = TypeEngine[Any]

TRIED = {("sqlite", "pysqlite"), ("postgresql", "psycopg"), ("mysql", "pymysql"), ("mariadb", "pymysql")}
"""Dialects and drivers that pass the conformance suite here, so that what they keep need not be read back."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """The ways of one database. What is left out is what the unknown ones get: the least that can be hoped for."""

    tried: bool = False
    known: bool = True
    """Whether it is known to take back what a transaction wrote."""
    savepoints: bool = True
    transactional_ddl: bool = False
    session: tuple[str, ...] = ()
    """What is said after connecting."""
    connect: Mapping[str, Any] = {}
    """Arguments for the driver."""

    text: Type = sa.UnicodeText()
    key_text: Callable[[int], Type] = sa.Unicode
    """Text of up to so many characters, compared exactly."""
    longest_key: int | None = 255
    """Characters of text in a key; None where there is no limit."""
    key_binary: Type = sa.LargeBinary(255)
    moment: Type = sa.DateTime(timezone=True)
    naive: bool = False
    """Whether times are bound without their zone, in UTC."""
    first_year: int = 1
    binary: Type = sa.LargeBinary()
    json: Type | None = None
    """None where JSON is kept as text."""
    digits: int | None = 31
    """Of a decimal; None where there is no limit, 0 where decimals are kept as text."""
    scale: int = 30
    holds_nul: bool = True
    empty_is_null: bool = False
    options: str = ""
    """What stands behind CREATE TABLE (…)."""

    names: Literal["exact", "ascii", "unicode"] = "unicode"
    """Which letters' case tells two columns apart: exact: every letter's, ascii: of all but A to Z, unicode: of none."""
    longest_name: int | None = None
    """Where SQLAlchemy names another limit than the database has."""
    bytes_of_name: bool = False
    most_columns: int = 1_000

    add: str = "ADD COLUMN {column}"
    retype: str | None = None
    """How a column's type is changed; None where it cannot be changed in place."""
    numbers_to_text: bool = True
    """Whether a column of numbers can be changed into one of text."""
    rebuilds: bool = False
    """Whether a table is copied instead."""
    unique_index: bool = True

    contended: frozenset[int] = frozenset()
    full: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    denied: frozenset[int] = frozenset()
    """Error numbers beside the SQLSTATEs that are the same everywhere."""


def ways_of(dialect: Dialect) -> Ways:
    """Of a dialect; more is known of it once it has connected."""
    tried = (dialect.name, dialect.driver) in TRIED
    found = KNOWN.get(dialect.name, _unknown)(dialect)
    digits = found.digits if dialect.supports_native_decimal else 0  # else SQLAlchemy would make floats of them
    return msgspec.structs.replace(found, tried=tried, digits=digits)


def _unknown(dialect: Dialect) -> Ways:
    return Ways(known=False, savepoints=False, unique_index=False)


def _sqlite(dialect: Dialect) -> Ways:
    return Ways(
        transactional_ddl=True,
        connect={"check_same_thread": False, "timeout": 10.0},
        longest_key=None,
        naive=True,
        names="ascii",
        longest_name=128,
        rebuilds=True,
    )


def _postgresql(dialect: Dialect) -> Ways:
    return Ways(
        transactional_ddl=True,
        session=("SET TIME ZONE 'UTC'", "SET standard_conforming_strings = on"),
        connect={"connect_timeout": 10} if dialect.driver.startswith("psycopg") else {},
        longest_key=None,
        json=sa.JSON(none_as_null=True),
        digits=None,
        holds_nul=False,
        names="exact",
        bytes_of_name=True,
        retype="ALTER COLUMN {name} TYPE {type} USING {name}::{type}",
    )


def _mysql(dialect: Dialect) -> Ways:
    from sqlalchemy.dialects import mysql  # late: a dialect is imported when it is needed

    exact = {"charset": "utf8mb4", "collation": _exact_collation(dialect)}
    return Ways(
        session=(
            "SET SESSION time_zone = '+00:00', lock_wait_timeout = 60,"
            " sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO')",
        ),
        text=mysql.LONGTEXT(**exact),
        key_text=lambda length: mysql.VARCHAR(length, **exact),
        key_binary=mysql.VARBINARY(255),
        moment=mysql.DATETIME(fsp=6),
        naive=True,
        binary=mysql.LONGBLOB(),
        json=sa.JSON(none_as_null=True),
        digits=65,
        options=" ENGINE = InnoDB",
        longest_name=64,
        retype="MODIFY COLUMN {name} {type}",
        contended=frozenset({1205, 1213, 3572}),
        full=frozenset({1021, 1114}),
        refused=frozenset({1265, 1366, 3819, 4025}),
        denied=frozenset({1044, 1045, 1142, 1227}),
    )


def _exact_collation(dialect: Dialect) -> str:
    """One in which every letter and every space at the end counts, where the server has it."""
    if getattr(dialect, "is_mariadb", False):
        return "utf8mb4_nopad_bin"
    return "utf8mb4_0900_bin" if (getattr(dialect, "server_version_info", None) or ()) >= (8, 0, 17) else "utf8mb4_bin"


def _mssql(dialect: Dialect) -> Ways:
    return Ways(
        transactional_ddl=True,
        key_text=lambda length: sa.Unicode(length, collation="Latin1_General_100_BIN2"),
        key_binary=sa.VARBINARY(255),
        digits=38,
        add="ADD {column}",
        retype="ALTER COLUMN {name} {type}",
        contended=frozenset({1205, 1222}),
        full=frozenset({1105, 9002}),
        denied=frozenset({229, 262, 18456}),
    )


def _oracle(dialect: Dialect) -> Ways:
    from sqlalchemy.dialects import oracle  # late: as above

    return Ways(
        session=("ALTER SESSION SET TIME_ZONE = 'UTC'",),
        moment=oracle.TIMESTAMP(timezone=True),
        naive=True,
        key_binary=oracle.RAW(255),
        digits=38,
        empty_is_null=True,
        bytes_of_name=True,
        add="ADD {column}",
        retype="MODIFY {name} {type}",
        numbers_to_text=False,
        contended=frozenset({54, 60, 8177}),
        full=frozenset({1536, 1653, 1654, 1688, 1691}),
        denied=frozenset({1017, 1031}),
    )


KNOWN: dict[str, Callable[[Dialect], Ways]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "mssql": _mssql,
    "oracle": _oracle,
}
