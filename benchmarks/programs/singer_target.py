"""A Singer target on singer-sdk's SQLSink: SQLite, upserts by primary key, msgspec for its messages."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import Any

from singer_sdk import SQLConnector, SQLSink, SQLTarget, typing as th
from singer_sdk.contrib.msgspec import MsgSpecReader

sqlite3.register_adapter(Decimal, float)


class SQLiteConnector(SQLConnector):
    allow_merge_upsert = True

    def get_sqlalchemy_url(self, config: dict[str, Any]) -> str:
        return f"sqlite:///{config['database']}"


class SQLiteSink(SQLSink):
    connector_class = SQLiteConnector

    def generate_insert_statement(self, full_table_name: str, schema: dict) -> Any:
        return super().generate_insert_statement(full_table_name, schema).prefix_with("OR REPLACE")


class SQLiteTarget(SQLTarget):
    name = "target-sqlite"
    default_sink_class = SQLiteSink
    message_reader_class = MsgSpecReader
    config_jsonschema = th.PropertiesList(th.Property("database", th.StringType, required=True)).to_dict()


if __name__ == "__main__":
    SQLiteTarget.cli()
