"""Which module speaks which dialect."""

from __future__ import annotations

from syncline.databases import Database
from syncline.destinations.sql.tables import Tables


def tables_of(database: Database) -> Tables:
    """The tables of an open database. Each dialect is imported when it is needed."""
    if database.name == "SQLite":
        from syncline.databases.sqlite import SqliteDatabase
        from syncline.destinations.sql.sqlite import SqliteTables

        assert isinstance(database, SqliteDatabase)
        return SqliteTables(database)
    if database.name == "DuckDB":
        from syncline.databases.duckdb import DuckdbDatabase
        from syncline.destinations.sql.duckdb import DuckdbTables

        assert isinstance(database, DuckdbDatabase)
        return DuckdbTables(database)
    if database.name == "PostgreSQL":
        from syncline.databases.postgres import PostgresDatabase
        from syncline.destinations.sql.postgres import PostgresTables

        assert isinstance(database, PostgresDatabase)
        return PostgresTables(database)
    if database.name == "MySQL":
        from syncline.databases.mysql import MysqlDatabase
        from syncline.destinations.sql.mysql import MysqlTables

        assert isinstance(database, MysqlDatabase)
        return MysqlTables(database)
    if database.name == "SQLAlchemy":
        from syncline.databases.alchemy import AlchemyDatabase
        from syncline.destinations.sql.alchemy import AlchemyTables

        assert isinstance(database, AlchemyDatabase)
        return AlchemyTables.of(database)
    raise AssertionError(database.name)
