"""Many integrations in one process: each with its own report, none in another's way."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from syncline import events
from syncline.engine import arun_many, run_many
from syncline.model import SystemClock
from syncline.rehearsal.front import Front
from syncline.rehearsal.simulator.wire import Call
from syncline.spec import Integration
from tests.engine.shelf import Shelf, books, integration, rows
from tests.support.serving import serving


def named(name: str, url: str, folder: Path, **source: object) -> Integration:
    stream = books(into={"table": name.replace("-", "_")})
    return integration(url, folder, stream, **source).model_copy(update={"name": name})


class Counting:
    """A shelf that knows by how many connections it was asked, and how many requests were under way at most."""

    def __init__(self, books: int) -> None:
        self._front = Front(SystemClock())
        self._front.api = Shelf(books)
        self.sockets: set[tuple[str, int]] = set()
        self.under_way = self.most = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.sockets.add(request.transport.get_extra_info("peername"))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            return await self._front.answer(request)
        finally:
            self.under_way -= 1


async def test_they_share_connections_and_no_more_run_at_once_than_are_wanted(tmp_path: Path) -> None:
    shelf = Counting(books=7)
    async with serving(shelf) as url:
        reports = await arun_many([named(f"shelf-{n}", url, tmp_path) for n in range(12)], at_once=3)
    assert [(report.integration, report.status) for report in reports] == [(f"shelf-{n}", "done") for n in range(12)]
    assert all(report.account.read == 7 for report in reports)
    assert len(shelf.sockets) <= 3 and shelf.most <= 3
    assert rows(tmp_path, "SELECT count(*) FROM shelf_11") == [(7,)]


async def test_one_that_fails_stops_no_other_and_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: broken\nsource: {kind: rset}\n")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with serving(Shelf(books=3)) as url:
            all_of_them = [
                named("first", url, tmp_path),
                broken,
                named("away", away, tmp_path),
                tmp_path / "not-there.yaml",
                named("last", url, tmp_path),
            ]
            reports = await arun_many(all_of_them, at_once=1)
    assert [report.status for report in reports] == ["done", "failed", "failed", "failed", "done"]
    assert [report.exit_code for report in reports] == [0, 2, reports[2].exit_code, 2, 0] and reports[2].exit_code
    assert reports[1].integration == str(broken) and reports[1].error and reports[1].error["code"] == "spec"
    assert reports[2].integration == "away"


async def test_a_mistake_in_a_part_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listener(scope: events.Scope, event: events.Event) -> None:
        if scope.integration == "unlucky" and isinstance(event, events.PageRead):
            raise ZeroDivisionError("of somebody else's making")

    async with serving(Shelf(books=3)) as url:
        pair = [named("unlucky", url, tmp_path), named("lucky", url, tmp_path)]
        reports = await arun_many(pair, listeners=[listener])
    assert [report.status for report in reports] == ["failed", "done"]
    assert reports[0].error and "of somebody else's making" in reports[0].error["what"]


async def test_r33_asked_to_stop_those_under_way_checkpoint_and_no_others_begin(tmp_path: Path) -> None:
    stop = asyncio.Event()
    shelf = Shelf(books=30)

    async def at_the_fourth(call: Call) -> None:
        if len(shelf.requests) == 3:
            stop.set()

    async with serving(shelf, before=at_the_fourth) as url:
        chosen = [named(f"shelf-{n}", url, tmp_path) for n in range(3)]
        reports = await arun_many(chosen, at_once=1, stop=stop)
        assert [report.status for report in reports] == ["interrupted"] * 3
        assert reports[0].account.read > 0 and not reports[1].streams
        again = await arun_many(chosen, at_once=3)
    assert [report.status for report in again] == ["done"] * 3
    assert again[0].streams[0].resumed and rows(tmp_path, "SELECT count(*) FROM shelf_0") == [(30,)]


def test_nothing_to_run_is_nothing_done() -> None:
    assert run_many([]) == []
