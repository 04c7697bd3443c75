"""What people call the two ends of an integration."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from syncline.model import Part, Reference, Text, kind_of

_DATABASES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "duckdb": "DuckDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
}
_KINDS = {"sql": "SQL database", "duckdb": "DuckDB", "file": "Files"}
_USER = re.compile(r"//[^/@]*@")
_ENDINGS = re.compile(r"_?(API|BASE|URL|URI|HOST|ADDRESS|ENDPOINT)$")


def name_of(end: Part) -> str:
    """`api.shop.example`, `Shop` (from `${SHOP_URL}`), `PostgreSQL`, `Files`: never more of an address than its host."""
    for field in ("base_url", "url"):
        address = getattr(end, field, None)
        if isinstance(address, str):
            parts = urlsplit(address)
            return _DATABASES.get(parts.scheme.partition("+")[0]) or parts.hostname or _kind_name(end)
        if isinstance(address, Reference) and field == "base_url":
            return _from_reference(address) or _kind_name(end)
    return _kind_name(end)


def place_of(address: Text) -> str:
    """An address without user, password, query and fragment; a reference as it stands."""
    if isinstance(address, Reference):
        return _USER.sub("//", address.text.partition("?")[0])
    parts = urlsplit(str(address))
    if not parts.scheme:
        return str(address).partition("?")[0].partition("#")[0]
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _from_reference(address: Reference) -> str | None:
    """What the variable is named after."""
    name = address.names()[0].rpartition(":")[2].rpartition("/")[2].rpartition("#")[2]
    while (shorter := _ENDINGS.sub("", name)) != name:
        name = shorter
    return " ".join(word.capitalize() for word in re.split(r"[_\W]+", name) if word) or None


def _kind_name(end: Part) -> str:
    kind = kind_of(type(end))
    return _KINDS.get(kind, kind)
