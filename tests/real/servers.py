"""Fixtures: servers that nobody here wrote. Each value is a base URL."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.real import seeds
from tests.real.node import cannot, need, package
from tests.real.oidc import Oidc, serve_oidc
from tests.real.process import serving
from tests.real.wiremock import WireMock

HERE = Path(__file__).parent


def serve_datasette() -> AbstractContextManager[str]:
    need_module("datasette")

    def command(port: int, folder: Path) -> list[str]:
        seeds.fill_datasette(folder / "weather.db")
        start = [sys.executable, "-m", "datasette", "serve", "weather.db", "--host", "127.0.0.1", "--port", str(port)]
        return [*start, "--setting", "max_returned_rows", "250"]

    return serving(command, health="/-/versions.json")


def serve_localstripe() -> AbstractContextManager[str]:
    need_module("localstripe")
    return serving(
        lambda port, folder: [sys.executable, str(HERE / "localstripe_here.py"), str(port)],
        health="/js.stripe.com/v3/",
    )


def serve_json_server(data: dict[str, Any] | None = None) -> AbstractContextManager[str]:
    """With its seeds, or with these lists."""
    node = need("node")
    program = str(package("json-server") / "lib" / "cli" / "bin.js")

    def command(port: int, folder: Path) -> list[str]:
        file = str(seeds.write_json_server(folder, data))
        return [node, program, "--host", "127.0.0.1", "--port", str(port), "--quiet", "--snapshots", str(folder), file]

    return serving(command, health="/db")


def serve_wiremock() -> AbstractContextManager[str]:
    java = need("java")
    jar = next((package("wiremock") / "build").glob("wiremock-standalone-*.jar"))
    small = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

    def command(port: int, folder: Path) -> list[str]:
        start = [java, *small, "-jar", str(jar), "--bind-address", "127.0.0.1", "--port", str(port)]
        return [*start, "--disable-banner", "--disable-gzip", "--root-dir", str(folder)]

    return serving(command, health="/__admin/health")


def need_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        cannot(f"{name} is not installed; it is one of the test dependencies")


@pytest.fixture(scope="session")
def datasette() -> Iterator[str]:
    with serve_datasette() as url:
        yield url


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    with serve_localstripe() as url:
        seeds.fill_localstripe(url)
        yield url


@pytest.fixture(scope="session")
def json_server() -> Iterator[str]:
    with serve_json_server() as url:
        yield url


@pytest.fixture(scope="session")
def oidc() -> Iterator[Oidc]:
    with serve_oidc() as server:
        yield server


@pytest.fixture(scope="session")
def _wiremock() -> Iterator[WireMock]:
    with serve_wiremock() as url:
        yield WireMock(url)


@pytest.fixture
def wiremock(_wiremock: WireMock) -> WireMock:
    """WireMock without mappings, scenarios and requests of earlier tests."""
    _wiremock.reset()
    return _wiremock
