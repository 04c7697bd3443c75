"""Values that change while a program runs, and values that must be found nowhere."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import keyring
import pytest
from aiohttp import web

from syncline.cli.door import as_json, block, redacted_error
from syncline.engine import arun
from syncline.errors import SynclineError
from syncline.rehearsal.simulator.door import Door, unauthorised
from syncline.rehearsal.simulator.wire import Answer, Call
from tests.engine.shelf import Shelf, books, integration, rows
from tests.secrets.standins import ALL, CANARY, LOGIN, TOKEN, StandIn
from tests.secrets.test_managers import Ring
from tests.support.serving import serving

BEARER = {"kind": "bearer", "token": "${KEY}"}


class Guarded(Door):
    """Lets in whoever has the token that is good for the call."""

    def __init__(self, good: Callable[[Call], str]) -> None:
        self._good = good

    def check(self, call: Call, now: datetime) -> Answer | None:
        good = f"Bearer {self._good(call)}"
        return None if call.headers["Authorization"] == good else unauthorised("another token", "Bearer")


async def test_the_next_run_of_a_program_sees_the_new_value(tmp_path: Path) -> None:
    shelf, environment = Shelf(), {"KEY": "first-token"}
    shelf.door = Guarded(lambda call: environment["KEY"])
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), auth=BEARER)
        assert (await arun(file, environment=environment)).status == "done"
        environment["KEY"] = "second-token"
        assert (await arun(file, environment=environment)).status == "done"


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("at", ["0", "6"])
async def test_a_run_goes_on_where_its_credentials_were_rotated(tmp_path: Path, full: bool, at: str) -> None:
    shelf, environment = Shelf(books=10, page=3), {"KEY": "first-token"}
    heard: list[str] = []

    def good(call: Call) -> str:
        if call.params.get("cursor", "0") == at:
            environment["KEY"] = "second-token"
        return environment["KEY"]

    shelf.door = Guarded(good)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), auth=BEARER)
        report = await arun(
            file, full=full, environment=environment, listeners=[lambda _, event: heard.append(repr(event))]
        )
    assert report.status == "done", report.error
    assert (report.account.adds_up, report.account.written) == (True, 10)
    assert rows(tmp_path, "SELECT count(*) FROM books") == [(10,)]
    assert len(shelf.requests) == 4 + 1
    assert sum("have changed since" in event for event in heard) == 1


async def test_credentials_that_stay_wrong_are_asked_for_once_more_and_end_the_run(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.door = Guarded(lambda call: "another-token")
    async with serving(shelf) as url:
        report = await arun(integration(url, tmp_path, books(), auth=BEARER), environment={"KEY": "first-token"})
    assert (report.status, report.exit_code) == ("failed", 4)
    assert len(shelf.requests) == 1


class Command(StandIn):
    """A program, which nobody asks over the network."""

    def environment(self, url: str, write: Callable[[str, str], str]) -> dict[str, str]:
        self.reference = f"cmd:{sys.executable} {write('print.py', f'print({CANARY!r})')}"
        return {}


class InKeyring(StandIn):
    reference = "keyring:team/shop/anna"

    def environment(self, url: str, write: Callable[[str, str], str]) -> dict[str, str]:
        return {}


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize("kind", [*ALL, Command, InKeyring], ids=lambda kind: kind.__name__)
async def test_s9_a_secret_of_a_manager_is_found_nowhere(
    kind: type[StandIn], status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In no event, log, error, report or database: neither the value nor the credentials that got it."""

    def write(name: str, text: str) -> str:
        tmp_path.joinpath(name).write_text(text)
        return str(tmp_path / name)

    async def echo(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {CANARY}"
        document = {"data": [{"id": 1}], "meta": {"next": None}} if status == 200 else {"error": str(request.headers)}
        return web.json_response(document, status=status, headers={"X-Request-Id": CANARY})

    heard = io.StringIO()
    caplog.set_level(logging.DEBUG)
    manager = kind()
    async with serving(echo) as url, serving(manager) as place:
        environment = {"HOME": str(tmp_path), **manager.environment(place, write)}
        token = {"kind": "bearer", "token": f"${{{manager.reference}}}"}
        file = integration(url, tmp_path, books(incremental=None), auth=token)
        report = await arun(
            file, environment=environment, listeners=[lambda scope, event: print(scope, event, file=heard)]
        )
    assert report.exit_code == {200: 0, 400: 1, 401: 4}[status], report.error
    dumped = "\n".join(sqlite3.connect(tmp_path / "shelf.db").iterdump())
    texts = [heard.getvalue(), caplog.text, json.dumps(report.to_data(), default=str), dumped, repr(file)]
    assert all(secret not in text for text in texts for secret in (CANARY, LOGIN, TOKEN))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
async def test_s9_a_manager_that_shows_what_it_was_sent_shows_it_to_nobody(kind: type[StandIn], tmp_path: Path) -> None:
    def write(name: str, text: str) -> str:
        tmp_path.joinpath(name).write_text(text)
        return str(tmp_path / name)

    manager = kind()
    for status in (400, 500):
        manager.status = status
        async with serving(manager) as place:
            token = {"kind": "bearer", "token": f"${{{kind.reference}}}"}
            file = integration("http://127.0.0.1:9", tmp_path, books(), auth=token)
            environment = {"HOME": str(tmp_path), **manager.environment(place, write)}
            with pytest.raises(SynclineError) as caught:
                await arun(file, environment=environment)
        assert caught.value.exit_code == 4
        for text in (str(caught.value), block(redacted_error(caught.value)), as_json(caught.value.to_data())):
            assert "canary" not in text
