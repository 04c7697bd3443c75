"""Conditional requests: pages that did not change are passed over, and nothing that changed ever is."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from syncline.engine import Report, arun
from syncline.errors import ClientError
from syncline.http import Connection
from syncline.http.caching import MOST_PAGES, Known, PageMemory
from syncline.model import Request, Response, Secret
from syncline.rehearsal.simulator.faults import ServerError
from syncline.rehearsal.simulator.wire import Answer, Call
from tests.engine.shelf import Shelf, books, integration, rows
from tests.http.servers import answer
from tests.http.test_origins import Web
from tests.support.serving import serving

SPARE = {"conditional_requests": True}


class TaggedShelf(Shelf):
    """A shelf whose answers carry validators, and that keeps to what the client knows."""

    tags = True
    dates: datetime | None = None

    def __init__(self, books: int = 10, page: int = 3) -> None:
        super().__init__(books, page)
        self.answers: list[int] = []

    def handle(self, call: Call, now: datetime) -> Answer:
        found = super().handle(call, now)
        if found.status == 200:
            told = {}
            if self.tags:
                told["ETag"] = f'W/"{hashlib.sha256(found.body).hexdigest()[:16]}"'
            if self.dates is not None:
                told["Last-Modified"] = format_datetime(self.dates, usegmt=True)
            found = found.but(headers=(*found.headers, *told.items()))
            known = call.headers.get("If-None-Match"), call.headers.get("If-Modified-Since")
            if known[0] == told.get("ETag", "") or known[1] == told.get("Last-Modified", ""):
                found = found.but(status=304, body=b"")
        self.answers.append(found.status)
        return found

    def asked(self) -> list[int]:
        answers, self.answers = self.answers, []
        return answers


def account(report: Report) -> tuple[int, int, int, int, int]:
    total = report.account
    assert total.adds_up
    return total.read, total.written, total.unchanged, total.rejected, total.filtered


WHOLE = books(incremental=None)


async def test_pages_that_did_not_change_are_passed_over_and_counted(tmp_path: Path) -> None:
    shelf = TaggedShelf(books=10, page=3)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, WHOLE, **SPARE)
        assert account(await arun(file)) == (10, 10, 0, 0, 0)
        assert shelf.asked() == [200] * 4
        for _ in range(3):
            report = await arun(file)
            assert (report.status, account(report)) == ("done", (10, 0, 10, 0, 0))
            assert shelf.asked() == [304] * 4
            assert report.conduct.bytes == 0
        shelf.books[4]["title"] = "Changed"
        assert account(await arun(file)) == (10, 1, 9, 0, 0)
        assert shelf.asked() == [304, 200, 304, 304]
        assert rows(tmp_path, "SELECT title FROM books WHERE id = 5") == [("Changed",)]
        assert account(await arun(file)) == (10, 0, 10, 0, 0)
        assert shelf.asked() == [304] * 4


async def test_without_the_setting_nothing_is_conditional(tmp_path: Path) -> None:
    shelf = TaggedShelf()
    async with serving(shelf) as url:
        for _ in range(2):
            await arun(integration(url, tmp_path, WHOLE))
        assert shelf.asked() == [200] * 8


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_changes_at_the_source_arrives(tmp_path: Path, seed: int) -> None:
    """Rows come, change and move between pages: after each run the table has the newest of every record ever shown."""
    chance = random.Random(seed)
    shelf = TaggedShelf(books=12, page=4)
    shown: dict[int, str] = {}
    async with serving(shelf) as url:
        file = integration(url, tmp_path, WHOLE, **SPARE)
        for turn in range(12):
            for _ in range(chance.choice([0, 0, 1, 2])):
                book = chance.choice(shelf.books)
                how = chance.choice(["change", "move", "add", "remove"])
                if how == "change":
                    book["title"] = f"Title {turn} {chance.random()}"
                elif how == "move":
                    book["updated_at"] = f"2026-01-02T00:{turn:02}:{chance.randrange(60):02}Z"
                elif how == "remove" and len(shelf.books) > 3:
                    shelf.books.remove(book)
                elif how == "add":
                    shelf.books.append({**book, "id": 100 + chance.randrange(10_000), "title": f"New {turn}"})
            shown |= {int(str(book["id"])): str(book["title"]) for book in shelf.books}
            report = await arun(file)
            assert report.account.adds_up
            assert report.account.read == len(shelf.books)
            assert dict(rows(tmp_path, "SELECT id, title FROM books")) == shown


async def test_an_incremental_stream_with_nothing_new_costs_304s(tmp_path: Path) -> None:
    shelf = TaggedShelf(books=10)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), **SPARE)
        for _ in range(2):
            await arun(file)
        assert shelf.asked() == [200] * 5, "the second run asks from its own cursor, for the first time"
        report = await arun(file)
        assert shelf.asked() == [304]
        assert report.streams[0].cursor == "2026-01-01T00:00:10Z"
        shelf.books.append({"id": 11, "title": "New", "price": "1", "updated_at": "2026-01-03T00:00:00Z"})
        assert account(await arun(file))[:2] == (2, 1)
        assert rows(tmp_path, "SELECT last_cursor FROM sync_state") == [("2026-01-03T00:00:00Z",)]


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": {"id": "id", "title": {"source": "title", "transform": "upper"}}},
        {"where": {"price": "9.90"}},
        {"into": {"table": "volumes"}},
        {"records": "data[*]"},
        {"params": {"a": "b"}},
    ],
)
async def test_a_stream_that_reads_differently_reads_everything(tmp_path: Path, change: dict[str, Any]) -> None:
    shelf = TaggedShelf(books=4)
    async with serving(shelf) as url:
        await arun(integration(url, tmp_path, WHOLE, **SPARE))
        shelf.asked()
        report = await arun(integration(url, tmp_path, {**WHOLE, **change}, **SPARE))
        assert report.status == "done"
        assert shelf.asked() == [200, 200]


@pytest.mark.parametrize("write", ["append", "replace"])
async def test_destinations_that_are_written_afresh_get_every_page(tmp_path: Path, write: str) -> None:
    shelf = TaggedShelf(books=4)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, {**WHOLE, "into": {"write": write}}, **SPARE)
        for _ in range(2):
            await arun(file)
        assert shelf.asked() == [200] * 4
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(8 if write == "append" else 4,)]


async def test_a_full_run_and_a_reset_read_everything(tmp_path: Path) -> None:
    shelf = TaggedShelf(books=4)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, WHOLE, **SPARE)
        for _ in range(2):
            await arun(file)
        assert shelf.asked() == [200, 200, 304, 304]
        await arun(file, full=True)
        assert shelf.asked() == [200, 200]
        assert account(await arun(file)) == (4, 0, 4, 0, 0)


async def test_a_pass_with_rejects_is_read_again(tmp_path: Path) -> None:
    shelf = TaggedShelf(books=4)
    shelf.books[1]["title"] = None
    stream = {**WHOLE, "mapping": {"id": "id", "title": {"source": "title", "required": True}}}
    async with serving(shelf) as url:
        file = integration(url, tmp_path, {**stream, "on_reject": {"max_ratio": "1%"}}, **SPARE)
        for _ in range(3):
            report = await arun(file)
            assert (report.status, report.exit_code) == ("partial", 5)
            assert report.account.rejected == 1
        assert shelf.asked() == [200] * 6


async def test_a_pass_that_broke_off_knows_what_the_last_complete_one_knew(tmp_path: Path) -> None:
    shelf = TaggedShelf(books=9, page=3)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, WHOLE, **SPARE)
        await arun(file)
        shelf.asked()
        for book in shelf.books:
            book["title"] = "Changed"
        shelf.books[8]["title"] = "Book 9"
        shelf.strike(ServerError(at=3))
        assert (await arun(file)).status == "failed"
        shelf.books[8]["title"] = "Late"
        assert (await arun(file)).status == "done"
        assert rows(tmp_path, "SELECT DISTINCT title FROM books ORDER BY 1") == [("Changed",), ("Late",)]
        assert account(await arun(file))[0] == 9


async def test_dates_are_relied_upon_only_when_they_are_old_enough(tmp_path: Path) -> None:
    """Shelf's Date is 22 January 2026, 12:00:00: a page that changed in that minute may change again in the same second."""
    shelf = TaggedShelf(books=2)
    shelf.tags = False
    now = datetime(2026, 1, 22, 12, tzinfo=UTC)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, WHOLE, **SPARE)
        for age, expected in ((timedelta(), [200, 200]), (timedelta(days=1), [200, 304])):
            shelf.dates = now - age
            for _ in range(2):
                await arun(file, full=False)
            assert shelf.asked() == expected


async def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    async with Connection(base_url="https://api.test").connect(
        transport=Web({"https://api.test/x": answer(304)})
    ) as client:
        with pytest.raises(ClientError, match="304"):
            await client.send(client.request("GET", "/x"))
        assert (await client.send(client.request("GET", "/x"), Known(etag='"a"'))).status == 304


def page(**headers: str) -> Response:
    return answer(200, {name.replace("_", "-"): value for name, value in headers.items()})


def test_what_is_kept_holds_no_secret_and_no_body() -> None:
    memory = PageMemory({"name": "x"}, None)
    request = Request(
        url="https://api.test/x", params=(("k", Secret("canary-4711")),), headers={"A": Secret("canary-4711")}
    )
    memory.read(request, page(ETag='"1"'), 5, {"cursor": "abc"})
    kept = memory.to_data()
    assert kept is not None
    assert list(kept["pages"].values()) == [{"etag": '"1"', "records": 5, "following": {"cursor": "abc"}}]
    assert PageMemory({"name": "x"}, kept).known(request) is not None
    other = Request(url="https://api.test/x", params=(("k", Secret("another")),), headers={"A": Secret("another")})
    assert PageMemory({"name": "x"}, kept).known(other) is not None, (
        "a secret's value cannot be found out from what is kept"
    )


def test_a_page_is_known_once_in_a_pass_so_that_no_ring_of_304s_goes_on_for_ever() -> None:
    memory = PageMemory({}, None)
    request = Request(url="https://api.test/x")
    memory.read(request, page(ETag='"1"'), 5, None)
    again = PageMemory({}, memory.to_data())
    assert again.known(request) is not None
    assert again.known(request) is None


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (Request(url="https://api.test/x", method="POST"), page(ETag='"1"')),
        (Request(url="https://api.test/x"), page()),
        (Request(url="https://api.test/x"), page(ETag='"1"', Cache_Control="private, No-Store")),
        (Request(url="https://api.test/x"), page(ETag=f'"{"1" * 600}"')),
        (Request(url="https://api.test/x"), page(Last_Modified="Thu, 22 Jan 2026 12:00:00 GMT")),
        (Request(url="https://api.test/x"), page(Last_Modified="yesterday", Date="Thu, 22 Jan 2026 12:00:00 GMT")),
    ],
    ids=["post", "nothing", "no-store", "endless", "date without a clock", "no date"],
)
def test_what_cannot_be_relied_upon_is_not_kept(request_: Request, response: Response) -> None:
    memory = PageMemory({}, None)
    memory.read(request_, response, 5, None)
    assert memory.to_data() is None


def test_only_so_many_pages_are_kept() -> None:
    memory = PageMemory({}, None)
    for number in range(MOST_PAGES * 2):
        memory.read(Request(url=f"https://api.test/{number}"), page(ETag='"1"'), 5, None)
    kept = memory.to_data()
    assert kept is not None
    assert len(kept["pages"]) == MOST_PAGES
