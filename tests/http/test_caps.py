"""An API that never comes to an end does, within what the file allows; what was read stays read."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from syncline.engine import Report, arun
from syncline.errors import PaginationError
from syncline.http.caps import Caps, Spending
from tests.engine.shelf import CURSOR, integration, rows
from tests.support.clock import SimulatedClock
from tests.support.serving import serving

STREAM = {"name": "things", "path": "/things", "records": "data", "primary_key": "id", "pagination": CURSOR}


class Endless:
    """Every page is new and has a next one."""

    def __init__(self, records: int = 2, stuffing: int = 0) -> None:
        self.count, self.records, self.stuffing = itertools.count(1), records, "x" * stuffing
        self.answered = 0

    async def __call__(self, request: web.Request) -> web.Response:
        self.answered += 1
        begin = int(request.query.get("cursor", 0))
        data = [{"id": begin + number, "text": self.stuffing} for number in range(self.records)]
        body = {"data": data, "meta": {"next": str(begin + max(1, self.records))}}
        return web.Response(text=json.dumps(body), content_type="application/json")


def failed(report: Report, cap: str, much: str) -> dict[str, Any]:
    error = report.streams[-1].error
    assert report.status == "failed"
    assert report.exit_code == 1
    assert error
    assert error["code"] == "pagination"
    assert error["what"] == f"the API did not come to an end within {much} in one run"
    assert f"caps.{cap}" in error["evidence"]
    assert f"raise caps.{cap}" in error["hint"]
    return error


@pytest.mark.parametrize(
    ("cap", "value", "much", "pages"),
    [("pages", 7, "7 pages", 7), ("records", 11, "11 records", 5), ("bytes", "2KB", "2KB", 4), ("time", "0s", "0s", 0)],
)
async def test_s30_a_stream_without_end_is_stopped_and_what_was_read_is_kept(
    tmp_path: Path, cap: str, value: Any, much: str, pages: int
) -> None:
    api = Endless(stuffing=200)
    async with serving(api) as url:
        report = await arun(integration(url, tmp_path, STREAM, caps={cap: value}))
        error = failed(report, cap, much)
        assert error["where"]["page"] == pages + 1
        assert report.account.read == pages * 2
        if pages:
            assert rows(tmp_path, "SELECT count(*) FROM things") == [(pages * 2,)]
            again = await arun(integration(url, tmp_path, STREAM, caps={cap: value}))
            failed(again, cap, much)
            assert rows(tmp_path, "SELECT count(*), max(id) FROM things") == [(pages * 4, pages * 4 - 1)]
        assert api.answered == (pages + 1) * (2 if pages else 1)


async def test_s30_pages_without_records_are_counted_too(tmp_path: Path) -> None:
    async with serving(Endless(records=0)) as url:
        failed(await arun(integration(url, tmp_path, STREAM, caps={"pages": 5})), "pages", "5 pages")


async def test_s30_parents_without_end_are_counted_too(tmp_path: Path) -> None:
    child = {
        "name": "parts", "path": "/things/{thing}/parts", "records": "data", "primary_key": "id",
        "parent": {"stream": "things", "key": "id", "as": "thing"},
    }  # fmt: skip
    async with serving(Endless()) as url:
        report = await arun(integration(url, tmp_path, STREAM, child, caps={"pages": 9}), streams=["parts"])
        failed(report, "pages", "9 pages")


async def test_s30_an_honest_api_meets_no_cap(tmp_path: Path) -> None:
    async def honest(request: web.Request) -> web.Response:
        cursor = int(request.query.get("cursor", 0))
        body = {"data": [{"id": cursor}], "meta": {"next": str(cursor + 1) if cursor < 6 else None}}
        return web.Response(text=json.dumps(body), content_type="application/json")

    async with serving(honest) as url:
        report = await arun(integration(url, tmp_path, STREAM, caps={"pages": 7, "records": 7}))
    assert (report.status, report.account.read) == ("done", 7)


def test_s30_time_is_counted_from_the_pass_begin() -> None:
    clock = SimulatedClock()
    spending = Spending(Caps(time=60.0), clock)
    clock.advance(59)
    spending.page(1, 1)
    clock.advance(2)
    with pytest.raises(PaginationError, match="within 1m in one run"):
        spending.page(1, 1)


def test_the_defaults_are_generous() -> None:
    spending = Spending(Caps(), SimulatedClock())
    for _ in range(10_000):
        spending.page(32_000, 1_000)
