"""The real servers come up, hold what was put in, answer as the other tests take for granted, and leave nothing behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.real import keeper, process, servers
from tests.real.independent import by_last_id, by_link, by_token, get
from tests.real.seeds import STRIPE_KEY, fill_datasette, json_server_data
from tests.real.wiremock import RESETS, WireMock, document, fault, refusal


def test_datasette_holds_the_generated_database(datasette: str, tmp_path: Path) -> None:
    fill_datasette(tmp_path / "same.db")
    with sqlite3.connect(tmp_path / "same.db") as db:
        db.row_factory = sqlite3.Row
        readings = [dict(row) for row in db.execute("SELECT * FROM readings ORDER BY station, day")]
        parcels = [dict(row) for row in db.execute("SELECT * FROM parcels ORDER BY id")]
    db.close()
    url = f"{datasette}/weather/readings.json"
    assert list(by_token(f"{url}?_shape=objects&_size=97", "rows", "next", "_next")) == readings
    assert list(by_link(f"{url}?_shape=array&_size=97")) == readings
    assert list(by_link(f"{datasette}/weather/parcels.json?_shape=array&_size=100")) == parcels


def test_localstripe_holds_customers_and_charges(localstripe: str) -> None:
    customers = list(by_last_id(f"{localstripe}/v1/customers", STRIPE_KEY))
    charges = list(by_last_id(f"{localstripe}/v1/charges", STRIPE_KEY))
    assert len({customer["id"] for customer in customers}) == len(customers) == 57
    assert len({charge["id"] for charge in charges}) == len(charges) == 87
    assert sum(charge["amount_refunded"] > 0 for charge in charges) == 29
    with pytest.raises(HTTPError, match="401") as refused:
        get(f"{localstripe}/v1/customers")
    refused.value.close()


def test_json_server_holds_its_file(json_server: str) -> None:
    for name, records in json_server_data().items():
        assert list(by_link(f"{json_server}/{name}?_page=1&_limit=50")) == records
    _, headers = get(f"{json_server}/posts?_page=1&_limit=50")
    assert headers["x-total-count"] == "137"


def test_wiremock_answers_in_turn_and_remembers(wiremock: WireMock) -> None:
    wiremock.answer_in_turn("/turn", [refusal(503, "1"), document([1]), document([2])])
    with pytest.raises(HTTPError, match="503") as refused:
        get(f"{wiremock.url}/turn")
    refused.value.close()
    assert refused.value.headers["Retry-After"] == "1"
    assert [get(f"{wiremock.url}/turn")[0] for _ in range(3)] == [[1], [2], [2]]
    assert len(wiremock.requests("/turn")) == 4
    wiremock.reset()
    assert wiremock.requests("/turn") == []


@pytest.mark.parametrize("name", RESETS)
def test_wiremock_breaks_connections(wiremock: WireMock, name: str) -> None:
    wiremock.answer("/broken", fault(name))
    with pytest.raises((OSError, HTTPException, ValueError)):
        get(f"{wiremock.url}/broken")


SERVERS = (servers.serve_datasette, servers.serve_localstripe, servers.serve_json_server, servers.serve_wiremock)


@pytest.mark.slow
@pytest.mark.parametrize("serve", SERVERS)
def test_a_server_leaves_nothing_behind(
    serve: Callable[[], AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serve() as url:
        assert answers(url)
        assert list(tmp_path.iterdir())
    assert not answers(url)
    assert not list(tmp_path.iterdir())


def answers(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


FAMILY = "import subprocess, time; subprocess.Popen(['sleep', '60']); print(1, flush=True); time.sleep(60)"
TESTS_THAT_DIE = """
import os, signal, sys
from tests.real.process import serving
serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
with serving(lambda port, folder: [*serve, str(port)], health="/") as url:
    print(url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_is_gone_even_when_the_tests_are_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    died = subprocess.run(
        [sys.executable, "-c", TESTS_THAT_DIE], env=environment, stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and (answers(died.stdout.strip()) or list(tmp_path.iterdir())):
        time.sleep(0.05)
    assert not answers(died.stdout.strip())
    assert not list(tmp_path.iterdir())


def test_a_server_that_cannot_start_says_why() -> None:
    complain = [sys.executable, "-c", "raise SystemExit('no weather today')"]
    with (
        pytest.raises(process.DidNotStartError, match="no weather today"),
        process.serving(lambda port, folder: complain, health="/"),
    ):
        pass


def test_children_are_ended_with_their_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True)
    with parent:
        assert parent.stdout and parent.stdout.readline()
        keeper.end_group(parent, patience=0.5)
        readable, _, _ = select.select([parent.stdout], [], [], 5)
        assert readable and parent.stdout.read() == b"", "whoever lives still holds the pipe"
