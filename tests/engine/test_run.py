"""Runs, end to end: a real server on one side, a real database on the other."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from syncline import events
from syncline.engine import Report, arun, plan, preview, retry_rejects
from syncline.errors import AuthError, LeaseError, UsageError
from syncline.rehearsal.simulator.faults import ServerError, TimeoutBefore
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from tests.engine.shelf import CURSOR, Shelf, books, integration, rows
from tests.support.serving import serving


def account(report: Report) -> tuple[int, int, int, int, int]:
    total = report.account
    assert total.adds_up
    return total.read, total.written, total.unchanged, total.rejected, total.filtered


async def test_a_first_run_reads_everything_and_a_second_what_changed(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        first = await arun(file)
        assert (first.status, first.exit_code) == ("done", 0)
        assert account(first) == (10, 10, 0, 0, 0)
        assert rows(tmp_path, "SELECT count(*), min(title) FROM books") == [(10, "Book 1")]

        shelf.books[3] |= {"title": "Changed", "updated_at": "2026-01-02T00:00:00Z"}
        shelf.requests.clear()
        second = await arun(file)
        assert shelf.requests == ["/books?since=2026-01-01T00%3A00%3A10Z"]
        assert account(second) == (2, 1, 1, 0, 0)
        assert second.streams[0].sync_mode == "incremental"
        assert rows(tmp_path, "SELECT title FROM books WHERE id = 4") == [("Changed",)]
        state = rows(tmp_path, "SELECT integration, last_cursor, items_synced, status, error FROM sync_state")
        assert state == [("shelf", "2026-01-02T00:00:00Z", 11, "idle", None)]


async def test_full_reads_everything_again_and_rewrites_nothing(tmp_path: Path) -> None:
    async with serving(Shelf(books=7)) as url:
        file = integration(url, tmp_path, books())
        await arun(file)
        again = await arun(file, full=True)
        assert account(again) == (7, 0, 7, 0, 0)


async def test_a_run_goes_on_at_the_page_where_the_last_one_failed(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    shelf.strike(ServerError(at=3))
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        heard: list[events.Event] = []
        failed = await arun(file, listeners=[lambda scope, event: heard.append(event)])
        assert (failed.status, failed.exit_code) == ("failed", 1)
        (told,) = [event.error for event in heard if isinstance(event, events.StreamFinished)]
        assert told is not None
        assert told.startswith("server: GET ")
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(6,)]
        assert rows(tmp_path, "SELECT status, last_cursor FROM sync_state") == [("failed", None)]
        assert failed.error is not None
        assert failed.error["where"]["page"] == 3

        shelf.requests.clear()
        resumed = await arun(file)
        assert shelf.requests == ["/books?cursor=6", "/books?cursor=9"]
        assert resumed.streams[0].resumed
        assert account(resumed) == (4, 4, 0, 0, 0)
        assert rows(tmp_path, "SELECT last_cursor FROM sync_state") == [("2026-01-01T00:00:10Z",)]


async def test_r1_a_run_that_died_behind_its_last_page_does_not_read_everything_again(tmp_path: Path) -> None:
    shelf = Shelf(books=10)

    def die(scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.Reached) and event.station == "before finish":
            raise RuntimeError

    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        with pytest.raises(RuntimeError):
            await arun(file, listeners=[die])
        shelf.requests.clear()
        resumed = await arun(file)
        assert account(resumed) == (0, 0, 0, 0, 0) and shelf.requests == []
        assert rows(tmp_path, "SELECT last_cursor FROM sync_state") == [("2026-01-01T00:00:10Z",)]
        assert account(await arun(file)) == (1, 0, 1, 0, 0)


async def test_r24_a_record_that_appears_late_with_an_old_cursor_is_found_by_lookback(tmp_path: Path) -> None:
    shelf = Shelf(books=5)
    by_time = {"cursor": "updated_at", "param": "since", "lookback": "1m"}
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(incremental=by_time))
        await arun(file)
        same = shelf.books[4]["updated_at"]
        shelf.books.append({"id": 90, "title": "same moment", "updated_at": same})
        shelf.books.append({"id": 91, "title": "committed late", "updated_at": "2025-12-31T23:59:30Z"})
        report = await arun(file)
        assert account(report) == (7, 2, 5, 0, 0)
        assert rows(tmp_path, "SELECT id FROM books WHERE id > 80") == [(90,), (91,)]


async def test_r24_appending_does_not_write_the_boundary_twice(tmp_path: Path) -> None:
    shelf = Shelf(books=5)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(into={"write": "append"}))
        await arun(file)
        shelf.books.append({"id": 90, "title": "same moment", "updated_at": shelf.books[4]["updated_at"]})
        report = await arun(file)
        assert account(report) == (2, 1, 1, 0, 0)
        assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM books") == [(6, 6)]


async def test_r24_appending_does_not_write_what_an_interrupted_pass_had_delivered_twice(tmp_path: Path) -> None:
    shelf = Shelf(books=10, page=3)
    shelf.strike(ServerError(at=3))
    by_time = {"cursor": "updated_at", "param": "since", "lookback": "1h"}
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(incremental=by_time, into={"write": "append"}))
        assert (await arun(file)).status == "failed"
        assert (await arun(file)).streams[0].resumed
        assert account(await arun(file)) == (10, 0, 10, 0, 0)
        assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM books") == [(10, 10)]


@pytest.mark.parametrize(
    "mapping", [None, {"id": "id", "title": "title", "price": {"source": "price", "transform": "cents"}}]
)
async def test_r22_a_page_that_comes_twice_is_appended_once_and_counted(
    tmp_path: Path, mapping: dict[str, Any] | None
) -> None:
    shelf = Shelf(books=10)
    paged = shelf._paged

    def again(records: list[dict[str, Any]], call: Call) -> Answer:
        if call.params.get("cursor") == "3" and len(shelf.requests) == 2:
            return answered({"data": records[:3], "meta": {"next": "3 "}})
        return paged(records, call)

    shelf._paged = again  # type: ignore[method-assign]
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(mapping=mapping, incremental=None, into={"write": "append"}))
        assert account(await arun(file)) == (13, 10, 3, 0, 0)
        assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM books") == [(10, 10)]


async def test_r22_a_record_that_comes_twice_is_written_once_and_counted(tmp_path: Path) -> None:
    shelf = Shelf(books=4, page=50)
    shelf.books.append(dict(shelf.books[0]))
    async with serving(shelf) as url:
        report = await arun(integration(url, tmp_path, books()))
        assert account(report) == (5, 4, 1, 0, 0)


REVIEWS = {
    "name": "reviews",
    "path": "/books/{book_id}/reviews",
    "records": "data",
    "primary_key": "id",
    "pagination": CURSOR,
    "parent": {"stream": "books", "key": "id", "as": "book_id"},
}
VOTES = {
    "name": "votes",
    "path": "/books/{book_id}/reviews/{review_id}/votes",
    "records": "data",
    "primary_key": ["book_id", "review_id", "vote"],
    "pagination": CURSOR,
    "parent": {"stream": "reviews", "key": "id", "as": "review_id"},
}


async def test_children_and_grandchildren_are_read_for_every_parent(tmp_path: Path) -> None:
    async with serving(Shelf(books=7)) as url:
        report = await arun(integration(url, tmp_path, books(), REVIEWS, VOTES))
        assert report.status == "done"
        expected = [(book * 100 + n, book) for book in range(1, 8) for n in range(book % 3)]
        assert rows(tmp_path, "SELECT id, book_id FROM reviews ORDER BY id") == expected
        votes = [(book, review, vote) for review, book in expected for vote in range(2)]
        assert rows(tmp_path, "SELECT book_id, review_id, vote FROM votes ORDER BY 1, 2, 3") == votes
        states = rows(tmp_path, "SELECT integration FROM sync_state ORDER BY 1")
        assert states == [("shelf.books",), ("shelf.reviews",), ("shelf.votes",)]


async def test_r22_children_of_a_parent_that_comes_again_changed_are_appended_once(tmp_path: Path) -> None:
    shelf = Shelf(books=7)
    paged = shelf._paged

    def pushed_on(records: list[dict[str, Any]], call: Call) -> Answer:
        if call.path == "/books" and call.params.get("cursor") == "3":
            return paged([*records[:3], {**records[1], "title": "changed meanwhile"}, *records[3:]], call)
        return paged(records, call)

    shelf._paged = pushed_on  # type: ignore[method-assign]
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), {**REVIEWS, "into": {"write": "append"}})
        assert (await arun(file, streams=["reviews"])).status == "done"
        assert sum(path.startswith("/books/2/") for path in shelf.requests) == 1
        assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM reviews") == [(7, 7)]


@pytest.mark.parametrize(("moves", "said"), [(True, "deleted while paging"), (False, "the page before came again")])
async def test_r23_parents_that_were_skipped_leave_their_children_partial_and_not_done(
    tmp_path: Path, moves: bool, said: str
) -> None:
    shops = [{"id": number} for number in range(6)]
    asked = 0

    async def serve(request: web.Request) -> web.Response:
        nonlocal asked
        if request.path != "/shops":
            return web.json_response([{"item": 1}])
        asked += 1
        page = int(request.query["page"])
        if asked == 2 and moves:
            del shops[0]
        if asked == 2 and not moves:
            page = 1
        return web.json_response({"data": shops[page * 2 - 2 : page * 2], "total": len(shops)})

    listed = {
        "name": "shops",
        "path": "/shops",
        "records": "data",
        "primary_key": "id",
        "pagination": {"kind": "page", "size": 2, "total": "total"},
        "parallel": 1,
    }
    stock = {
        "name": "stock",
        "path": "/stock/{shop}",
        "primary_key": ["shop", "item"],
        "parent": {"stream": "shops", "key": "id", "as": "shop"},
    }
    async with serving(serve) as url:
        file = integration(url, tmp_path, listed, stock)
        first = await arun(file, streams=["stock"])
        assert (first.status, first.exit_code) == ("partial", 5)
        assert first.error is not None and f"of shops, {'records were ' if moves else ''}{said}" in first.error["what"]
        assert (await arun(file, streams=["stock"])).exit_code == 0
        found = rows(tmp_path, "SELECT shop FROM stock ORDER BY 1")
        assert {shop for (shop,) in found} >= {shop["id"] for shop in shops}


async def test_children_of_equal_keys_below_different_parents_are_all_read(tmp_path: Path) -> None:
    asked: list[str] = []

    async def numbered(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response([{"n": number} for number in (1, 2)])

    shelves = {"name": "shelves", "path": "/s", "primary_key": "n"}
    boxes = {
        "name": "boxes",
        "path": "/s/{shelf}/b",
        "primary_key": ["shelf", "n"],
        "parent": {"stream": "shelves", "key": "n", "as": "shelf"},
    }
    things = {
        "name": "things",
        "path": "/s/{shelf}/b/{box}/t",
        "primary_key": ["shelf", "box", "n"],
        "parent": {"stream": "boxes", "key": "n", "as": "box"},
    }
    async with serving(numbered) as url:
        await arun(integration(url, tmp_path, shelves, boxes, things), streams=["things"])
    assert sorted(path for path in asked if path.endswith("/t")) == [f"/s/{n}/b/{m}/t" for n in (1, 2) for m in (1, 2)]


async def test_grandchildren_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    shelf = Shelf(books=7)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), REVIEWS, VOTES)
        shelf.statuses = {"/books/5/reviews/501/votes": 500}
        assert (await arun(file, streams=["votes"])).status == "failed"
        before = rows(tmp_path, "SELECT count(*) FROM votes")[0][0]
        assert before == 2 * 5
        shelf.statuses = {}
        shelf.requests.clear()
        report = await arun(file, streams=["votes"])
        asked = [path for path in shelf.requests if path.endswith("/votes")]
        assert asked == ["/books/5/reviews/501/votes", "/books/7/reviews/700/votes"] and report.streams[0].resumed
        assert rows(tmp_path, "SELECT count(*) FROM votes") == [(2 * 7,)]


async def test_several_parents_are_read_in_every_combination_and_go_on_where_they_were_interrupted(
    tmp_path: Path,
) -> None:
    lists = {"/shops": ["a", "b", "c"], "/regions": ["eu", "us"]}
    asked: list[str] = []
    broken = {"/stock/b/us"}

    async def stock(request: web.Request) -> web.Response:
        if names := lists.get(request.path):
            return web.json_response([{"id": name} for name in names])
        asked.append(request.path)
        if request.path in broken:
            return web.Response(status=500)
        return web.json_response([{"item": number} for number in range(2)])

    shops = {"name": "shops", "path": "/shops", "primary_key": "id"}
    regions = {"name": "regions", "path": "/regions", "primary_key": "id"}
    stream = {
        "name": "stock",
        "path": "/stock/{shop}/{region}",
        "primary_key": ["shop", "region", "item"],
        "parent": [{"stream": "shops", "key": "id", "as": "shop"}, {"stream": "regions", "key": "id", "as": "region"}],
    }
    every = [(shop, region, item) for shop in "abc" for region in ("eu", "us") for item in range(2)]
    async with serving(stock) as url:
        file = integration(url, tmp_path, shops, regions, stream)
        assert (await arun(file, streams=["stock"])).status == "failed"
        assert rows(tmp_path, "SELECT shop, region, item FROM stock ORDER BY 1, 2, 3") == every[:6]
        broken.clear()
        asked.clear()
        report = await arun(file, streams=["stock"])
        assert report.streams[0].resumed and asked == ["/stock/b/us", "/stock/c/eu", "/stock/c/us"]
        assert rows(tmp_path, "SELECT shop, region, item FROM stock ORDER BY 1, 2, 3") == every


async def test_partitions_are_read_each_with_its_value(tmp_path: Path) -> None:
    async def regions(request: web.Request) -> web.Response:
        region = request.query["region"]
        return web.json_response([{"id": f"{region}-{n}"} for n in range(2)])

    stream = {
        "name": "shops",
        "path": "/shops",
        "primary_key": "id",
        "partitions": {"param": "region", "values": ["eu", "us"]},
    }
    async with serving(regions) as url:
        report = await arun(integration(url, tmp_path, stream))
        assert account(report) == (4, 4, 0, 0, 0)
        assert rows(tmp_path, "SELECT id, region FROM shops ORDER BY id")[0] == ("eu-0", "eu")


async def test_a_status_that_means_nothing_there_is_ignored_where_the_file_says_so(tmp_path: Path) -> None:
    shelf = Shelf(books=4)
    shelf.statuses = {"/books/2/reviews": 404}
    async with serving(shelf) as url:
        assert (await arun(integration(url, tmp_path, books(), REVIEWS), streams=["reviews"])).status == "failed"
        patient = integration(url, tmp_path, books(), {**REVIEWS, "on_status": {404: "ignore"}})
        assert (await arun(patient, streams=["reviews"])).status == "done"
        assert rows(tmp_path, "SELECT book_id FROM reviews") == [(1,), (4,)]


async def test_a_status_that_the_file_calls_an_answer_is_neither_repeated_nor_held_against_the_api(
    tmp_path: Path,
) -> None:
    """Ten parents in a row whose children answer 500 would open the circuit, and be asked for fifty times."""
    shelf = Shelf(books=13)
    shelf.statuses = {f"/books/{number}/reviews": 500 for number in range(1, 13)}

    def asked() -> list[str]:
        paths, shelf.requests = [path for path in shelf.requests if path in shelf.statuses], []
        return paths

    async with serving(shelf) as url:
        patience = {"retry": {"attempts": 3}}
        ignoring = integration(url, tmp_path, books(), {**REVIEWS, "on_status": {500: "ignore"}}, **patience)
        report = await arun(ignoring, streams=["reviews"])
        assert (report.status, report.conduct.retries) == ("done", 0)
        paths = asked()
        assert len(paths) == len(set(paths)) == 12
        assert rows(tmp_path, "SELECT DISTINCT book_id FROM reviews") == [(13,)]
        failing = integration(url, tmp_path, books(), {**REVIEWS, "on_status": {500: "fail"}}, **patience)
        report = await arun(failing, streams=["reviews"], full=True)
        paths = asked()
        assert report.status == "failed"
        assert len(paths) == len(set(paths)) <= 4, "none twice; four are under way at once"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html><title>Sign in</title></html>", "HTML"),
        ("", "empty"),
        ("null", "null"),
        ('{"datas": [{"id": 1}]}', "datas"),
        ('{"data": {"items": [{"id": 1}]}}', "data.items"),
        ("[1, 2", "JSON"),
    ],
)
async def test_r18_an_answer_without_records_is_never_a_silent_zero(tmp_path: Path, body: str, said: str) -> None:
    async def odd(request: web.Request) -> web.Response:
        kind = "text/html" if body.startswith("<") else "application/json"
        return web.Response(text=body, content_type=kind)

    async with serving(odd) as url:
        report = await arun(integration(url, tmp_path, books()))
        assert (report.status, report.exit_code) == ("failed", 1)
        assert said in json.dumps(report.error)


async def test_r21_a_cursor_that_never_ends_stops_within_two_requests(tmp_path: Path) -> None:
    asked = 0

    async def endless(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response(
            {"data": [{"id": asked, "updated_at": "2026-01-01T00:00:00Z"}], "meta": {"next": "same"}}
        )

    async with serving(endless) as url:
        report = await arun(integration(url, tmp_path, books()))
        assert report.status == "failed"
        assert report.error is not None and report.error["code"] == "pagination"
        assert asked <= 3


async def test_r28_one_bad_record_in_ten_thousand_costs_itself_and_lands_once_after_a_fix(tmp_path: Path) -> None:
    shelf = Shelf(books=10_000, page=1_000)
    shelf.books[5_000]["price"] = "nine ninety"
    cents = {
        "id": "id",
        "updated_at": "updated_at",
        "price": {"source": "price", "transform": "cents", "required": True},
    }
    async with serving(shelf) as url:
        report = await arun(integration(url, tmp_path, books(mapping=cents)))
        assert (report.status, account(report)) == ("done", (10_000, 9_999, 0, 1, 0))
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(9_999,)]
        text = {**cents, "price": "price"}
        mended = integration(url, tmp_path, books(mapping=text, into={"table": "books", "write": "upsert"}))
        assert [
            (r.landed, r.rejected) for r in await retry_rejects(integration(url, tmp_path, books(mapping=cents)))
        ] == [(0, 1)]
        assert [(r.landed, r.rejected) for r in await retry_rejects(mended)] == [(1, 0)]
        assert [(r.landed, r.rejected) for r in await retry_rejects(mended)] == [(0, 0)]
        assert rows(tmp_path, "SELECT price FROM books WHERE id = 5001") == [("nine ninety",)]


async def test_more_rejects_than_allowed_end_the_run_as_partial(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    shelf.books[0]["price"] = shelf.books[1]["price"] = None  # type: ignore[assignment]
    strict = books(mapping={"id": "id", "price": {"source": "price", "required": True}}, on_reject={"max_ratio": "10%"})
    async with serving(shelf) as url:
        report = await arun(integration(url, tmp_path, strict))
        assert (report.status, report.exit_code) == ("partial", 5)
        assert account(report) == (10, 8, 0, 2, 0)


@pytest.mark.parametrize("interrupted", [False, True])
async def test_r24_a_reject_at_the_cursors_boundary_is_told_once(tmp_path: Path, interrupted: bool) -> None:
    """The newest record is read again by every run; that it was rejected is known, until it changes."""
    shelf = Shelf(books=30)
    shelf.books[-1]["price"] = None  # type: ignore[assignment]
    mapping = {"id": "id", "updated_at": "updated_at", "price": {"source": "price", "required": True}}
    strict = books(mapping=mapping, on_reject={"max_ratio": "10%"})
    async with serving(shelf) as url:
        file = integration(url, tmp_path, strict)
        if interrupted:
            await arun(file, limit=20)
        assert (await arun(file)).account.rejected == 1
        for _ in range(2):
            report = await arun(file)
            assert (report.exit_code, account(report)) == (0, (1, 0, 1, 0, 0))
        assert rows(tmp_path, "SELECT count(*) FROM syncline_rejects") == [(1,)]
        shelf.books[-1]["title"] = "changed, and no better"
        report = await arun(file)
        assert (report.exit_code, account(report)) == (5, (1, 0, 0, 1, 0))
        lenient = books(mapping={**mapping, "price": "price"}, on_reject={"max_ratio": "10%"})
        report = await arun(integration(url, tmp_path, lenient))
        assert (report.exit_code, account(report)) == (0, (1, 1, 0, 0, 0))
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(30,)]


async def test_r24_a_row_that_the_database_refuses_at_the_boundary_counts_once(tmp_path: Path) -> None:
    shelf = Shelf(books=30)
    shelf.books[-1]["price"] = "refuse me"
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(on_reject={"max_ratio": "10%"}))
        await arun(file, limit=3)
        with closing(sqlite3.connect(tmp_path / "shelf.db")) as database:
            refusing = "WHEN NEW.price = 'refuse me' BEGIN SELECT RAISE(ABORT, 'not that'); END"
            database.execute(f"CREATE TRIGGER refusing BEFORE INSERT ON books {refusing}")
        assert (await arun(file)).account.rejected == 1
        report = await arun(file)
        assert (report.exit_code, account(report)) == (0, (1, 0, 1, 0, 0))


async def test_records_that_do_not_match_where_are_counted_as_filtered(tmp_path: Path) -> None:
    async with serving(Shelf(books=6)) as url:
        report = await arun(integration(url, tmp_path, books(where={"id": [1, 2, 5]})))
        assert account(report) == (6, 3, 0, 0, 3)


async def test_r31_a_second_runner_is_turned_away_at_once(tmp_path: Path) -> None:
    shelf = Shelf(books=4)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(call: Call) -> None:
        entered.set()
        await go_on.wait()

    async with serving(shelf, before=slowly) as url:
        file = integration(url, tmp_path, books())
        first = asyncio.create_task(arun(file))
        await entered.wait()
        with pytest.raises(LeaseError) as caught:
            await asyncio.wait_for(arun(file), 30.0)  # it would wait for ever
        assert caught.value.exit_code == 75
        go_on.set()
        assert account(await first) == (4, 4, 0, 0, 0)
        assert (await arun(file)).status == "done"


async def test_r33_a_run_that_is_asked_to_stop_checkpoints_and_leaves(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    stop = asyncio.Event()

    def at_the_second_page(scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.PageRead) and event.number == 2:
            stop.set()

    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        report = await arun(file, stop=stop, listeners=[at_the_second_page])
        assert (report.status, report.exit_code) == ("interrupted", 130)
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(6,)]
        shelf.requests.clear()
        assert account(await arun(file)) == (6, 6, 0, 0, 0)
        assert shelf.requests[0] == "/books?cursor=6"


async def test_r33_a_cancelled_run_leaves_a_state_from_which_to_go_on(tmp_path: Path) -> None:
    shelf = Shelf(books=12)

    shelf.strike(TimeoutBefore(at=3))
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        written = asyncio.Event()

        def two_pages(scope: events.Scope, event: events.Event) -> None:
            if isinstance(event, events.BatchWritten) and event.written and len(shelf.requests) >= 2:
                written.set()

        running = asyncio.create_task(arun(file, listeners=[two_pages]))
        await written.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert rows(tmp_path, "SELECT status FROM sync_state") == [("idle",)]
    async with serving(shelf) as url:
        report = await arun(integration(url, tmp_path, books()))
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(12,)]
        assert report.streams[0].resumed


async def test_r34_r35_exact_values_survive_the_whole_way(tmp_path: Path) -> None:
    body = (
        '{"data": [{"id": 1, "big": 123456789012345678901234567890, "price": 0.1000000000000000055511151231257827,'
        ' "text": "\\u0000 007 \\ud83d\\ude00"}, {"id": 2, "big": 1, "price": 1.10, "text": "\\ud800"}], "meta": {"next": null}}'
    )

    async def exact(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with serving(exact) as url:
        report = await arun(integration(url, tmp_path, books(incremental=None)))
        assert account(report) == (2, 1, 0, 1, 0)
        found = rows(tmp_path, "SELECT CAST(big AS TEXT), price, text FROM books")
        assert found == [("123456789012345678901234567890", "0.1000000000000000055511151231257827", "\0 007 😀")]


async def test_a_limit_ends_a_first_run_early_and_the_next_goes_on(tmp_path: Path) -> None:
    async with serving(Shelf(books=10)) as url:
        file = integration(url, tmp_path, books())
        assert account(await arun(file, limit=5)) == (6, 6, 0, 0, 0)
        assert account(await arun(file)) == (4, 4, 0, 0, 0)


async def test_one_failing_stream_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = {"name": "nothing", "path": "/nothing", "primary_key": "id"}
    async with serving(Shelf(books=3)) as url:
        report = await arun(integration(url, tmp_path, broken, books()))
        assert [(s.name, s.status) for s in report.streams] == [("nothing", "failed"), ("books", "done")]
        assert (report.status, report.exit_code) == ("failed", 1)


async def test_u5_preview_shows_source_mapped_and_rejected_and_writes_nothing(tmp_path: Path) -> None:
    shelf = Shelf(books=5)
    shelf.books[1]["title"] = None  # type: ignore[assignment]
    mapping = {"id": "id", "name": {"source": "title", "transform": "upper", "required": True}}
    async with serving(shelf) as url:
        [shown] = await preview(integration(url, tmp_path, books(mapping=mapping)), records=2)
        assert shown.records[0].source["title"] == "Book 1"
        assert shown.records[0].mapped == {"id": 1, "name": "BOOK 1"}
        assert (shown.records[1].path, shown.records[1].mapped) == ("name", None)
    assert list(tmp_path.iterdir()) == []


async def test_a_plan_says_what_would_change_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(Shelf(books=3, page=5)) as url:
        file = integration(url, tmp_path, books())
        before = await plan(file)
        assert before.exit_code == 3
        assert before.streams[0].trial.inserts == 3
        assert "CREATE TABLE" in before.streams[0].trial.statements[0]
        assert list(tmp_path.iterdir()) == []
        await arun(file)
        after = await plan(file)
        assert after.exit_code == 0
        assert after.streams[0].trial.unchanged == 1


async def test_an_unknown_stream_and_a_missing_secret_are_said_before_anything_happens(tmp_path: Path) -> None:
    file = integration("http://127.0.0.1:9", tmp_path, books(), auth={"kind": "bearer", "token": "${NOT_SET_ANYWHERE}"})
    with pytest.raises(UsageError, match="no stream 'boks'"):
        await arun(file, streams=["boks"])
    with pytest.raises(AuthError) as caught:
        await arun(file, environment={})
    assert "NOT_SET_ANYWHERE" in caught.value.block()
    assert list(tmp_path.iterdir()) == []


async def test_children_keep_their_cursor_when_there_is_no_parent_to_ask_for(tmp_path: Path) -> None:
    class WithNotes(Shelf):
        def handle(self, call: Call, now: datetime) -> Answer:
            answer = super().handle(call, now)
            notes = [{"id": call.path, "at": "2026-01-01T00:00:00Z"}]
            return answered(notes) if call.path.endswith("/notes") else answer

    shelf = WithNotes(books=2)
    notes = {
        "name": "notes",
        "path": "/books/{book_id}/notes",
        "primary_key": "id",
        "parent": {"stream": "books", "key": "id", "as": "book_id"},
        "incremental": {"cursor": "at", "param": "since"},
    }
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(incremental=None), notes)
        await arun(file, streams=["notes"])
        kept, shelf.books = shelf.books, []
        await arun(file, streams=["notes"])
        shelf.books = kept
        shelf.requests.clear()
        await arun(file, streams=["notes"])
        assert "/books/1/notes?since=2026-01-01T00%3A00%3A00Z" in shelf.requests
