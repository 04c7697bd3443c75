"""Services that the machine may have: Redis, PostgreSQL and MariaDB. A test that needs one is skipped where it does not answer.

With SYNCLINE_REQUIRE_SERVICES=1 it fails instead. `SYNCLINE_REDIS`, `SYNCLINE_POSTGRESQL` and `SYNCLINE_MARIADB`
name other addresses.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import pytest

REQUIRED = os.environ.get("SYNCLINE_REQUIRE_SERVICES") == "1"
REDIS = os.environ.get("SYNCLINE_REDIS", "redis://127.0.0.1:6379/0")
POSTGRESQL = os.environ.get("SYNCLINE_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")
MARIADB = os.environ.get("SYNCLINE_MARIADB", "mysql://root@127.0.0.1:3306")
"""Without a database: the tests make their own."""


def need_redis() -> str:
    return _need("Redis", REDIS, 6379)


def need_postgresql() -> str:
    return _need("PostgreSQL", POSTGRESQL, 5432)


def need_mariadb() -> str:
    return _need("MariaDB", MARIADB, 3306)


def cannot(reason: str) -> str:
    """Skip, or fail where services are required."""
    if REQUIRED:
        pytest.fail(f"{reason} (SYNCLINE_REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(reason)


def _need(name: str, url: str, port: int) -> str:
    parts = urlsplit(url)
    place = (parts.hostname or "127.0.0.1", parts.port or port)
    try:
        with socket.create_connection(place, timeout=2):
            return url
    except OSError:
        return cannot(f"{name} does not answer at {place[0]}:{place[1]}")
