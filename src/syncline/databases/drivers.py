"""Which SQLAlchemy dialect a URL names, and what to install where it is missing. Imports no driver."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points

import sqlalchemy.dialects
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from syncline.errors import PlanError
from syncline.model import Secret
from syncline.model.names import did_you_mean, nearest

PACKAGES = {
    "access": "sqlalchemy-access",
    "awsathena": "PyAthena[SQLAlchemy]",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "crate": "sqlalchemy-cratedb",
    "databricks": "databricks-sqlalchemy",
    "db2": "ibm-db-sa",
    "exa": "sqlalchemy-exasol",
    "firebird": "sqlalchemy-firebird",
    "hana": "sqlalchemy-hana",
    "ibm_db_sa": "ibm-db-sa",
    "monetdb": "sqlalchemy-monetdb",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]",
    "vertica": "sqlalchemy-vertica-python",
}
"""Dialects that others keep, and what brings them."""

DRIVERS = {
    "MySQLdb": "mysqlclient",
    "cx_Oracle": "cx_Oracle",
    "ibm_db_dbi": "ibm_db",
    "mysql": "mysql-connector-python",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "snowflake": "snowflake-connector-python",
    "sqlcipher3": "sqlcipher3-binary",
}
"""Drivers whose package has another name than their module."""

BLOCKING = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}


def read_url(url: Secret) -> URL:
    """The URL by its parts. Raises PlanError, which shows nothing of it."""
    try:
        return make_url(url.reveal())
    except (ArgumentError, ValueError):
        raise PlanError(
            "the url of the database cannot be read",
            hint="write dialect+driver://user:password@host:port/name, with %40 for @, %2F for / and %3A for : in a password",
        ) from None


def dialect_of(scheme: str, schemes: Iterable[str]) -> type[Dialect]:
    """The dialect of a scheme like `mysql+pymysql`; `schemes` are those that need none. Raises PlanError."""
    try:
        found = URL.create(scheme).get_dialect()
    except (NoSuchModuleError, ArgumentError):
        raise _unknown(scheme, schemes) from None
    except ImportError as problem:
        raise missing_driver(problem, scheme) from None
    if getattr(found, "is_async", False):
        name = scheme.partition("+")[0]
        raise PlanError(
            f"{scheme[:40]!r} names a driver for asynchronous programs",
            hint=f"name one that blocks: {BLOCKING[name]}://…" if name in BLOCKING else "name one that blocks",
        )
    return found


def missing_driver(problem: ImportError, scheme: str) -> PlanError:
    """The error where the module of a driver is not there."""
    module = (problem.name or "").partition(".")[0]
    package = DRIVERS.get(module, module)
    hint = f"pip install '{package}'" if package else "install the driver that the URL names"
    return PlanError(f"{scheme[:40]} needs the driver {module or 'of its database'}", hint=hint, evidence=str(problem))


def _unknown(scheme: str, schemes: Iterable[str]) -> PlanError:
    dialect, _, driver = scheme.partition("+")
    if dialect in PACKAGES:
        return PlanError(
            f"{dialect} URLs need a package that is not installed", hint=f"pip install '{PACKAGES[dialect]}'"
        )
    known = _dialects()
    if driver and dialect in known:
        return PlanError(
            f"SQLAlchemy knows no driver {driver[:40]!r} of {dialect}", hint=did_you_mean(driver, _drivers_of(dialect))
        )
    names = {*schemes, *known}
    near = nearest(dialect, [*names, *PACKAGES])
    if near in PACKAGES and near not in names:
        hint = f"did you mean {near!r}? It needs a package: pip install '{PACKAGES[near]}'"
    else:
        hint = did_you_mean(dialect, names)
    return PlanError(f"there is no database behind {scheme[:40]!r} URLs", hint=hint)


def _dialects() -> set[str]:
    installed = entry_points(group="sqlalchemy.dialects")
    return {*sqlalchemy.dialects.__all__, *(entry.name.partition(".")[0] for entry in installed)}


def _drivers_of(dialect: str) -> list[str]:
    """The drivers of a dialect, by the modules that it has."""
    names = [
        entry.name.partition(".")[2]
        for entry in entry_points(group="sqlalchemy.dialects")
        if f"{dialect}." in entry.name
    ]
    try:
        package = import_module(f"sqlalchemy.dialects.{dialect}")
        modules = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
        names += [name.rpartition(".")[2] for name in modules if hasattr(import_module(name), "dialect")]
    except ImportError:
        pass
    return names
