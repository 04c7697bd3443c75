"""Through everything that goes wrong on a network: nothing lost, nothing twice, nothing half, nothing silent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from syncline.engine import Report, arun
from tests.real.wiremock import (
    HTTP_DATE_IN_TWO_SECONDS,
    RESETS,
    Answer,
    WireMock,
    cut_short,
    document,
    dripping,
    fault,
    late,
    refusal,
    templated,
    text,
)
from tests.support.clock import SimulatedClock
from tests.support.landed import assert_landed, rows, tables

EXAMPLE = Path(__file__).parents[2] / "examples" / "wiremock.yaml"
THINGS = [{"id": number, "name": f"thing {number}", "parts": [number, None, "ü"]} for number in range(30)]
PATH = "/api/things"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def page(number: int) -> dict[str, Any]:
    """Pages 1 to 3, ten things each."""
    return {"data": THINGS[(number - 1) * 10 : number * 10], "next": str(number + 1) if number < 3 else None}


def three_pages(wiremock: WireMock, first: dict[int, Sequence[Answer]]) -> None:
    """Page n answers `first[n]` in turn before it answers as it should."""
    for number in (1, 2, 3):
        query = {"cursor": None if number == 1 else str(number)}
        wiremock.answer_in_turn(PATH, [*first.get(number, ()), document(page(number))], query=query)


async def sync(wiremock: WireMock, *, simulated: bool = True, later: float = 0.0) -> Report:
    """Run the example, so many seconds from now; simulated waits take no time."""
    clock = SimulatedClock(datetime.now(UTC) + timedelta(seconds=later)) if simulated else None
    return await arun(EXAMPLE, environment={"WIREMOCK_URL": wiremock.url}, clock=clock)


def assert_everything_arrived(report: Report, folder: Path) -> None:
    assert report.error is None
    assert (report.status, report.exit_code) == ("done", 0)
    assert report.account.adds_up
    assert_landed(folder / "wiremock.db", "things", THINGS, "id")


def landed_ids(folder: Path) -> list[int]:
    database = folder / "wiremock.db"
    return sorted(row["id"] for row in rows(database, "things")) if "things" in tables(database) else []


BROKEN: dict[str, Answer] = {
    **{name: fault(name) for name in RESETS},
    "JSON cut short": cut_short(page(2)),
    "gzip that is none": text("not gzip at all", "application/json", Content_Encoding="gzip"),
    "500": document({"error": "ours"}, 500),
    "502 in HTML": text("<html>bad gateway</html>", status=502),
    "503": refusal(503),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_r17_what_breaks_on_its_way_is_asked_for_again_and_arrives_once(
    wiremock: WireMock, tmp_path: Path, name: str
) -> None:
    three_pages(wiremock, {1: [BROKEN[name]], 2: [BROKEN[name], BROKEN[name]]})
    report = await sync(wiremock)
    assert_everything_arrived(report, tmp_path)
    assert report.account.read == report.account.written == 30
    assert len(wiremock.requests(PATH)) == 6, "three pages, and one more request for each of three faults"


@pytest.mark.parametrize("name", ["CONNECTION_RESET_BY_PEER", "MALFORMED_RESPONSE_CHUNK", "JSON cut short"])
async def test_r17_what_stays_broken_ends_with_whole_pages_and_goes_on_from_there(
    wiremock: WireMock, tmp_path: Path, name: str
) -> None:
    three_pages(wiremock, {2: [BROKEN[name]] * 50})
    report = await sync(wiremock)
    assert report.status == "failed" and report.exit_code == 1
    assert report.error and report.error["code"] in ("transport", "broken_body")
    assert report.error["hint"] or report.error["evidence"]
    assert landed_ids(tmp_path) == list(range(10))

    wiremock.reset()
    three_pages(wiremock, {})
    left = await sync(wiremock)
    assert left.error and left.error["code"] == "circuit_open", "it is left alone for a while, by the next run too"
    assert_everything_arrived(await sync(wiremock, later=60), tmp_path)
    assert [request["url"] for request in wiremock.requests(PATH)] == [f"{PATH}?cursor=2", f"{PATH}?cursor=3"]


@pytest.mark.slow
async def test_r13_retry_after_is_never_undercut(wiremock: WireMock, tmp_path: Path) -> None:
    """429 and 503, in seconds and as a date, on the machine's own clock."""
    first = {
        1: [refusal(429, "1"), refusal(503, "1")],
        2: [refusal(429, HTTP_DATE_IN_TWO_SECONDS)],
        3: [refusal(503, HTTP_DATE_IN_TWO_SECONDS)],
    }
    three_pages(wiremock, first)
    report = await sync(wiremock, simulated=False)
    assert_everything_arrived(report, tmp_path)
    exchanges = wiremock.exchanges(PATH)
    assert [exchange.status for exchange in exchanges] == [429, 503, 200, 429, 200, 503, 200]
    for told, following in pairwise(exchanges):
        if told.retry_after is None:
            continue
        if told.retry_after == "1":
            earliest = told.at + timedelta(seconds=1)
        else:
            earliest = parsedate_to_datetime(told.retry_after)
            assert earliest > told.at, "the date lies ahead, or this proves nothing"
        assert following.at >= earliest - timedelta(milliseconds=2)


@pytest.mark.parametrize("status", [429, 503])
async def test_r13_a_day_is_not_slept_through(wiremock: WireMock, tmp_path: Path, status: int) -> None:
    three_pages(wiremock, {2: [refusal(status, "86400")] * 50})
    before = datetime.now(UTC)
    async with asyncio.timeout(600):
        report = await sync(wiremock, simulated=False)
    assert (report.status, report.exit_code) == ("deferred", 6)
    assert report.until is not None
    assert timedelta(hours=23, minutes=59) < report.until - before < timedelta(hours=24, minutes=1)
    assert landed_ids(tmp_path) == list(range(10)), "what was read is safe"

    wiremock.reset()
    three_pages(wiremock, {})
    assert_everything_arrived(await sync(wiremock), tmp_path)
    assert len(wiremock.requests(PATH)) == 2, "it goes on where it stopped"


SILENT: dict[str, Answer] = {
    "HTML with 200": text("<!doctype html><html><body>Please sign in</body></html>"),
    "HTML called JSON": text("<!doctype html><html><body>Please sign in</body></html>", "application/json"),
    "an empty body": text("", "application/json"),
    "null": document(None),
    "null records": document({"data": None, "next": None}),
    "a wrong root": document(THINGS[:3]),
    "records elsewhere": document({"results": THINGS[:3], "next": None}),
    "a text": document("maintenance"),
    "a record instead of a list": document({"data": THINGS[0], "next": None}),
}


@pytest.mark.parametrize("name", SILENT)
async def test_r18_an_answer_without_records_is_never_a_silent_zero(
    wiremock: WireMock, tmp_path: Path, name: str
) -> None:
    three_pages(wiremock, {2: [SILENT[name]] * 50})
    report = await sync(wiremock)
    assert report.status == "failed" and report.exit_code == 1
    assert report.error and report.error["code"] in ("body", "broken_body")
    assert report.error["hint"]
    assert landed_ids(tmp_path) == list(range(10))


async def test_r18_a_list_that_is_truly_empty_is_no_error(wiremock: WireMock) -> None:
    wiremock.answer(PATH, document({"data": [], "next": None}))
    report = await sync(wiremock)
    assert (report.status, report.account.read) == ("done", 0)


@pytest.mark.parametrize("kind", ["the same cursor", "a cursor that ever changes", "to and fro"])
async def test_r21_a_last_page_without_end_is_noticed(wiremock: WireMock, tmp_path: Path, kind: str) -> None:
    last = page(3)["data"]
    if kind == "a cursor that ever changes":
        three_pages(wiremock, {3: [document({"data": last, "next": "4"})]})
        ever = text('{"data": [{"id": 29}], "next": "{{randomValue type=\'UUID\'}}"}', "application/json")
        wiremock.answer(PATH, templated(ever), priority=9)
    else:
        back = {"the same cursor": "3", "to and fro": "2"}[kind]
        three_pages(wiremock, {3: [document({"data": last, "next": back})] * 50})
    report = await sync(wiremock)
    assert report.status == "failed"
    assert report.error and report.error["code"] == "pagination"
    honest = 3 if kind != "a cursor that ever changes" else 4
    assert len(wiremock.requests(PATH)) <= honest + 2
    assert landed_ids(tmp_path)[:10] == list(range(10))


def in_a_hurry(folder: Path, timeout: str) -> Path:
    file = folder / "hurry.yaml"
    file.write_text(EXAMPLE.read_text().replace("  retry:", f"  timeout: {timeout}\n  retry:"))
    return file


@pytest.mark.slow
async def test_r16_a_server_that_hangs_is_left_and_asked_again(wiremock: WireMock, tmp_path: Path) -> None:
    three_pages(wiremock, {2: [late(document(page(2)), 20)]})
    report = await arun(in_a_hurry(tmp_path, "{read: 1s}"), environment={"WIREMOCK_URL": wiremock.url})
    assert_everything_arrived(report, tmp_path)
    assert len(wiremock.requests(PATH)) == 4


@pytest.mark.slow
async def test_r16_a_server_that_drips_meets_the_total_deadline(wiremock: WireMock, tmp_path: Path) -> None:
    three_pages(wiremock, {2: [dripping(document(page(2)), chunks=40, seconds=20)] * 9})
    report = await arun(in_a_hurry(tmp_path, "{read: 1s, total: 2s}"), environment={"WIREMOCK_URL": wiremock.url})
    assert report.status == "failed"
    assert report.error and "timeout.total" in report.error["hint"]
    assert landed_ids(tmp_path) == list(range(10))
