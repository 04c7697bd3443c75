"""Deleted and missing records, lists and rejects, from a real server to a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from syncline.destinations import Sample
from syncline.engine import arun, opened_state, plan, retry_rejects
from syncline.errors import SpecError
from syncline.rehearsal.simulator.faults import ServerError
from tests.engine.shelf import Shelf, books, integration, rows
from tests.support.serving import serving

ALIVE = "SELECT id FROM books WHERE _deleted_at IS NULL ORDER BY id"
ALL = "SELECT id FROM books ORDER BY id"
MAPPED = {"id": {"source": "id", "required": True}, "title": {"source": "title", "required": True}}


def everything(**changes: Any) -> dict[str, Any]:
    return books(incremental=None, **changes)


async def test_r26_a_tombstone_marks_its_row_and_needs_nothing_but_its_key(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(mapping=MAPPED, deletes={"when": "gone"}))
        await arun(file)
        shelf.books[2] = {"id": 3, "gone": True, "updated_at": "2026-01-02T00:00:00Z"}
        shelf.books[4] |= {"gone": False, "title": "Changed", "updated_at": "2026-01-02T00:00:01Z"}
        planned = await plan(file)
        assert planned.streams[0].trial.deletes == 1
        assert Sample(what="delete", key=(3,)) in planned.streams[0].trial.samples
        report = await arun(file)
        assert report.account.adds_up
        assert (report.account.read, report.account.written, report.account.deleted) == (3, 2, 1)
        assert rows(tmp_path, ALIVE) == [(n,) for n in range(1, 11) if n != 3]
        assert rows(tmp_path, "SELECT title, _deleted_at IS NOT NULL FROM books WHERE id = 3") == [("Book 3", 1)]


async def test_r26_what_came_last_has_the_last_word(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"data": told, "meta": {"next": None}})

    async with serving(answer) as url:
        file = integration(url, tmp_path, everything(deletes={"when": {"status": "deleted"}, "how": "hard"}))
        told[:] = [{"id": 1}, {"id": 2}, {"id": 3}]
        await arun(file)
        told[:] = [
            {"id": 1, "status": "deleted"},
            {"id": 1, "status": "back"},
            {"id": 2, "status": "new"},
            {"id": 2, "status": "deleted"},
            {"id": 2, "status": "deleted"},
        ]
        report = await arun(file)
        assert report.account.adds_up
        assert report.account.read == 5
        assert rows(tmp_path, "SELECT id, status FROM books ORDER BY id") == [(1, "back"), (3, None)]


async def test_r26_missing_records_are_deleted_after_a_complete_pass(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, everything(deletes={"missing": True}))
        await arun(file)
        del shelf.books[4]
        report = await arun(file)
        assert (report.account.written, report.account.unchanged, report.account.deleted) == (0, 11, 1)
        assert rows(tmp_path, ALIVE) == [(n,) for n in range(1, 13) if n != 5]


async def test_r26_a_partial_listing_deletes_nothing(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, everything(deletes={"missing": True}))
        await arun(file)
        shelf.strike(ServerError(at=3))
        assert (await arun(file, full=True)).status == "failed"
        await arun(file, limit=3)
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(12,)]
        report = await arun(file)  # the rest of the pass
        assert report.account.deleted == 0
        assert rows(tmp_path, ALL) == [(n,) for n in range(1, 13)]


async def test_r26_an_incremental_pass_says_nothing_about_what_is_missing(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(deletes={"missing": True, "how": "hard"}))
        await arun(file)
        del shelf.books[0]
        assert (await arun(file)).account.deleted == 0
        assert (await arun(file, full=True)).account.deleted == 1
        assert rows(tmp_path, ALL) == [(n,) for n in range(2, 13)]


async def test_r26_the_ratio_guard_ends_as_partial_and_can_be_overruled(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, everything(deletes={"missing": True, "how": "hard"}))
        await arun(file)
        del shelf.books[:6]
        report = await arun(file)
        assert (report.status, report.exit_code) == ("partial", 5)
        assert "6 of 12 rows" in str(report.error)
        assert len(rows(tmp_path, ALL)) == 12
        report = await arun(file, allow_deletes=True)
        assert (report.status, report.account.deleted) == ("done", 6)
        assert len(rows(tmp_path, ALL)) == 6


async def test_r26_a_rejected_record_is_not_missing(tmp_path: Path) -> None:
    shelf = Shelf(books=12)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, everything(mapping=MAPPED, deletes={"missing": True, "how": "hard"}))
        await arun(file)
        del shelf.books[3]["title"]
        report = await arun(file)
        assert (report.account.rejected, report.account.deleted) == (1, 0)
        shelf.books[3]["id"] = None
        report = await arun(file)
        assert (report.account.rejected, report.account.deleted) == (1, 0)
        assert any("no key" in note for note in report.streams[0].notices)


async def test_lists_become_tables_end_to_end(tmp_path: Path) -> None:
    shelf = Shelf(books=3)
    for number, book in enumerate(shelf.books):
        book["authors"] = [{"name": f"Author {n}", "born": 1900 + n} for n in range(number)]
    async with serving(shelf) as url:
        mapping = {**MAPPED, "authors": {"source": "authors", "each": {"name": "name"}}}
        file = integration(url, tmp_path, everything(mapping=mapping, into={"children": "authors"}))
        planned = await plan(file)
        assert any("books_authors" in statement for statement in planned.streams[0].trial.statements)
        await arun(file)
        found = rows(tmp_path, "SELECT _parent_id, _position, name FROM books_authors ORDER BY 1, 2")
        assert found == [(2, 0, "Author 0"), (3, 0, "Author 0"), (3, 1, "Author 1")]


def test_what_does_not_fit_together_is_said_before_anything_runs(tmp_path: Path) -> None:
    for changes, said in (
        ({"deletes": {}}, "deletes says nothing"),
        ({"deletes": {"when": "gone"}, "into": {"write": "append"}}, "deletes is for write: upsert"),
        ({"mapping": MAPPED, "into": {"children": "author"}}, "'author' is not among the mapped fields"),
        ({"deletes": {"when": "a..b"}}, "when"),
    ):
        try:
            integration("http://127.0.0.1", tmp_path, everything(**changes))
        except SpecError as error:
            assert said in error.block()
        else:
            raise AssertionError(said)


async def test_r28_a_mended_record_of_a_replaced_table_lands_once(tmp_path: Path) -> None:
    shelf = Shelf(books=4)
    del shelf.books[1]["title"]
    async with serving(shelf) as url:
        file = integration(url, tmp_path, everything(mapping=MAPPED, into={"write": "replace"}))
        assert (await arun(file)).account.rejected == 1
        async with opened_state(file) as state:
            (letter,) = await state.dead_letters.list()
            await state.dead_letters.amend(letter.id, {**letter.record, "title": "Mended"})
        (retried,) = await retry_rejects(file)
        assert (retried.landed, retried.rejected) == (1, 0)
        assert rows(tmp_path, "SELECT id, title FROM books WHERE id = 2") == [(2, "Mended")]
        assert (await retry_rejects(file))[0].landed == 0
        assert len(rows(tmp_path, ALL)) == 4
