"""How databases are spoken to: a connection, its transactions, its errors in our words, what its dialect says differently."""

from syncline.databases.address import Address, duckdb_file, parse_address, sqlite_file
from syncline.databases.database import Cursor, Database, Trouble, Word
from syncline.databases.lane import Lane

__all__ = ["Address", "Cursor", "Database", "Lane", "Trouble", "Word", "duckdb_file", "parse_address", "sqlite_file"]
