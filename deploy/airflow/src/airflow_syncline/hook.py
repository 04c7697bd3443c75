"""Airflow's connections as the variables that integration files name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from airflow.sdk import BaseHook, Connection

BASE_ADDRESS = ("syncline", "http", "https")
"""Types whose address is an API's; that of every other is a database's, with its credentials."""


class SynclineHook(BaseHook):
    """The connections of an integration, each under a prefix: `{"SHOP": "shop_api"}` gives `SHOP_URL`, `SHOP_PASSWORD`, …"""

    conn_name_attr: ClassVar[str] = "syncline_conn_id"
    default_conn_name: ClassVar[str] = "syncline_default"
    conn_type: ClassVar[str] = "syncline"
    hook_name: ClassVar[str] = "Syncline"

    def __init__(self, connections: Mapping[str, str]) -> None:
        super().__init__()
        self.connections = connections

    def environment(self) -> dict[str, str]:
        """The variables of every connection. Raises AirflowNotFoundException for one that there is not."""
        found: dict[str, str] = {}
        for prefix, connection in self.connections.items():
            found |= {f"{prefix}_{name}": value for name, value in variables(self.get_connection(connection)).items()}
        return found

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Names for the fields of the form, and what they become."""
        return {
            "hidden_fields": [],
            "relabeling": {"schema": "Scheme"},
            "placeholders": {
                "host": "api.example.org/v2, becomes PREFIX_URL",
                "password": "a token, becomes PREFIX_PASSWORD",
                "extra": '{"client_id": "…"} becomes PREFIX_CLIENT_ID',
            },
        }


def variables(connection: Connection) -> dict[str, str]:
    """Its fields by upper-case name, without those that are empty: URL, HOST, PORT, LOGIN, PASSWORD, SCHEMA, and the extras."""
    parts = {
        "URL": _address(connection),
        "HOST": connection.host,
        "PORT": connection.port,
        "LOGIN": connection.login,
        "PASSWORD": connection.password,
        "SCHEMA": connection.schema,
        **{name.upper(): value for name, value in connection.extra_dejson.items()},
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parts.items()
        if value not in (None, "")
    }


def _address(connection: Connection) -> str:
    host = connection.host or ""
    if connection.conn_type not in BASE_ADDRESS:
        whole = connection.get_uri().partition("?")[0]
        return whole.replace("postgres://", "postgresql://", 1) if whole.startswith("postgres://") else whole
    if not host or "://" in host:
        return host
    name, slash, path = host.partition("/")
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{name}{port}{slash}{path}"
