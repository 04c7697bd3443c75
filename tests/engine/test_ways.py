"""The less usual ways to ask and to write: GraphQL, lines of JSON, searches by POST, files; and links that lead elsewhere."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from syncline import events
from syncline.engine import Report, arun
from syncline.errors import SpecError
from syncline.rehearsal.simulator.faults import ServerError, Unavailable
from syncline.spec import Integration, loads
from syncline.spec.yaml_write import write
from tests.engine.shelf import Shelf, books, integration, rows
from tests.support.serving import serving


def graphql(url: str, folder: Path, **stream: Any) -> Integration:
    page = "pageInfo { hasNextPage endCursor } nodes { id }"
    query = f"query ($n: Int, $after: String) {{ books(first: $n, after: $after) {{ {page} }} }}"
    data = {
        "name": "graph",
        "source": {"kind": "graphql", "base_url": f"{url}/graphql", "retry": {"attempts": 3}},
        "streams": [
            {
                "name": "books",
                "query": query,
                "primary_key": "id",
                "pagination": {"kind": "graphql", "connection": "data.books", "size_variable": "n", "size": 2},
                **stream,
            }
        ],
        "destination": {"kind": "sql", "url": f"sqlite:///{folder / 'shelf.db'}"},
    }
    return loads(write(data))


class Graph:
    """Five books behind a GraphQL connection; `answers` go first."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body["variables"])
        if self.answers:
            return web.json_response(self.answers.pop(0))
        begin = int(body["variables"].get("after") or 0)
        end = begin + body["variables"]["n"]
        info = {"hasNextPage": end < 5, "endCursor": str(end)}
        nodes = [{"id": n} for n in range(begin, min(end, 5))]
        return web.json_response({"data": {"books": {"pageInfo": info, "nodes": nodes}}})


async def test_a_graphql_connection_is_read_to_its_end(tmp_path: Path) -> None:
    graph = Graph()
    async with serving(graph) as url:
        report = await arun(graphql(url, tmp_path))
        assert (report.status, report.account.read) == ("done", 5)
        assert [asked.get("after") for asked in graph.asked] == [None, "2", "4"]


async def test_graphql_errors_with_status_200_are_errors(tmp_path: Path) -> None:
    async with serving(Graph({"data": {"books": None}, "errors": [{"message": "no field nodez"}]})) as url:
        report = await arun(graphql(url, tmp_path))
        assert report.status == "failed"
        assert report.error is not None and "no field nodez" in report.error["evidence"]


async def test_graphql_throttling_is_waited_for(tmp_path: Path) -> None:
    graph = Graph({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})
    async with serving(graph) as url:
        report = await arun(graphql(url, tmp_path))
        assert (report.status, report.account.read) == ("done", 5)
        assert report.conduct.retries == 1


def test_a_mutation_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        graphql("http://127.0.0.1:9", tmp_path, query="mutation { deleteAll }")
    assert "mutations change the source" in caught.value.block()


async def test_lines_of_json_are_records(tmp_path: Path) -> None:
    async def lines(request: web.Request) -> web.Response:
        return web.Response(text='{"id": 1}\n{"id": 2}\n\n{"id": 3}', content_type="application/x-ndjson")

    stream = {"name": "lines", "path": "/lines", "primary_key": "id", "format": "ndjson"}
    async with serving(lines) as url:
        assert (await arun(integration(url, tmp_path, stream))).account.written == 3


async def test_a_search_by_post_carries_page_and_cursor_in_its_body(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def search(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body)
        page = body["page"]["number"]
        hits = [
            {"id": n, "at": 100 + n}
            for n in range(3)
            if n // 2 == page - 1 and 100 + n >= body["filter"].get("since", 0)
        ]
        return web.json_response({"hits": hits, "pages": 2})

    stream = {
        "name": "hits",
        "path": "/search",
        "method": "POST",
        "repeatable": True,
        "body": {"filter": {"kind": "x"}},
        "records": "hits",
        "primary_key": "id",
        "pagination": {
            "kind": "page",
            "in": "body",
            "page_param": "page.number",
            "size_param": None,
            "total_pages": "pages",
        },
        "incremental": {"cursor": "at", "body_param": "filter.since"},
    }
    async with serving(search) as url:
        file = integration(url, tmp_path, stream)
        assert (await arun(file)).account.written == 3
        assert asked == [{"filter": {"kind": "x"}, "page": {"number": n}} for n in (1, 2)]
        await arun(file)
        assert asked[2] == {"filter": {"kind": "x", "since": 102}, "page": {"number": 1}}


async def test_s1_a_next_link_to_another_host_gets_nothing(tmp_path: Path) -> None:
    met: list[dict[str, str]] = []

    async def thief(request: web.Request) -> web.Response:
        met.append(dict(request.headers))
        return web.json_response({"data": []})

    async with serving(thief) as elsewhere:

        async def api(request: web.Request) -> web.Response:
            return web.json_response({"data": [{"id": 1}], "next": f"{elsewhere}/books?page=2"})

        async with serving(api) as url:
            stream = books(incremental=None, pagination={"kind": "next_url", "next": "next"})
            auth = {"kind": "bearer", "token": "${TOKEN}"}
            environment = {"TOKEN": "canary-4711"}
            report = await arun(integration(url, tmp_path, stream, auth=auth), environment=environment)
            assert report.status == "failed"
            assert report.error is not None and report.error["code"] == "origin"
            assert met == []
            host = elsewhere.removeprefix("http://")
            listed = integration(url, tmp_path, stream, auth=auth, allow_hosts=[host])
            assert (await arun(listed, environment=environment, full=True)).status == "done"
            assert len(met) == 1
            assert "canary-4711" not in json.dumps(met)


async def test_files_of_json_lines_are_complete_and_exact(tmp_path: Path) -> None:
    shelf = Shelf(books=7)

    def to_files(url: str, write_mode: str, **changes: Any) -> Integration:
        data = {
            "name": "files",
            "state": f"sqlite:///{tmp_path / 'state.db'}",
            "source": {"kind": "rest", "base_url": url, "retry": {"attempts": 1}},
            "streams": [books(into={"write": write_mode}, **changes)],
            "destination": {"kind": "file", "path": str(tmp_path / write_mode)},
        }
        return loads(write(data))

    async with serving(shelf) as url:
        shelf.strike(ServerError(at=3))
        assert (await arun(to_files(url, "append"))).status == "failed"
        assert list(tmp_path.glob("append/*.jsonl")) == []
        assert (await arun(to_files(url, "append"))).status == "done"
        [file] = tmp_path.glob("append/*.jsonl")
        assert [json.loads(line) for line in file.read_text().splitlines()] == shelf.books
        assert (await arun(to_files(url, "append"))).account.unchanged == 1
        assert (await arun(to_files(url, "replace", incremental=None))).status == "done"
        assert len((tmp_path / "replace" / "books.jsonl").read_text().splitlines()) == 7


CANARY = "canary-9f8e7d6c5b4a"


@pytest.mark.parametrize(
    "auth", [{"kind": "api_key", "key": "${KEY}"}, {"kind": "bearer", "token": "${KEY}", "in": "query"}]
)
async def test_s9_a_planted_secret_is_found_nowhere(
    auth: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In no event, log, error, traceback, report or database, though the API sends it back in every way it can."""
    heard = io.StringIO()

    def listen(scope: events.Scope, event: events.Event) -> None:
        heard.write(f"{scope} {event!r}\n")

    async def echo(request: web.Request) -> web.StreamResponse:
        assert CANARY in (request.headers.get("X-API-Key"), request.query.get("access_token"))
        if request.path == "/leak":
            return web.Response(status=400, text=f"your key {CANARY} may not do this", headers={"X-Request-Id": CANARY})
        return web.json_response({"data": [{"id": 1}], "meta": {"next": None}})

    caplog.set_level(logging.DEBUG)
    leak = {"name": "leak", "path": "/leak", "primary_key": "id", "params": {"secret": "${KEY}"}}
    async with serving(echo) as url:
        file = integration(url, tmp_path, books(incremental=None), leak, auth=auth)
        report = await arun(file, environment={"KEY": CANARY}, listeners=[listen])
    assert [stream.status for stream in report.streams] == ["done", "failed"]
    dumped = "\n".join(sqlite3.connect(tmp_path / "shelf.db").iterdump())
    for text in (heard.getvalue(), caplog.text, json.dumps(report.to_data(), default=str), dumped, repr(file)):
        assert CANARY not in text


async def test_s9_not_even_in_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", CANARY)

    def broken(scope: events.Scope, event: events.Event) -> None:
        raise RuntimeError("a listener of somebody's is broken")

    async with serving(Shelf()) as url:
        file = integration(url, tmp_path, books(), auth={"kind": "bearer", "token": "${KEY}"})
        with pytest.raises(RuntimeError) as caught:
            await arun(file, listeners=[broken])
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(frames.format())


async def test_every_account_adds_up_through_faults(tmp_path: Path) -> None:
    shelf = Shelf(books=40, page=7)
    shelf.strike(Unavailable(at=3, every=3))
    reports: list[Report] = []
    async with serving(shelf) as url:
        for _ in range(10):
            reports.append(await arun(integration(url, tmp_path, books())))
            if reports[-1].status == "done":
                break
    assert reports[-1].status == "done"
    assert all(report.account.adds_up for report in reports)
    assert sum(report.account.written for report in reports) == 40
    assert rows(tmp_path, "SELECT count(*) FROM books") == [(40,)]


async def test_a_field_that_an_unmapped_record_no_longer_has_is_null_and_not_what_it_was(tmp_path: Path) -> None:
    shelf = Shelf(books=3)
    shelf.books[0]["note"] = "signed"
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        await arun(file)
        assert rows(tmp_path, "SELECT note FROM books WHERE id = 1") == [("signed",)]
        del shelf.books[0]["note"]
        assert (await arun(file, full=True)).account.written == 1
        assert rows(tmp_path, "SELECT note FROM books WHERE id = 1") == [(None,)]
        assert (await arun(file, full=True)).account.unchanged == 3


@pytest.mark.parametrize(("policy", "exit_code", "columns"), [("freeze", 7, 4), ("discard", 0, 4), ("evolve", 0, 5)])
async def test_a_new_field_meets_the_streams_policy(tmp_path: Path, policy: str, exit_code: int, columns: int) -> None:
    shelf = Shelf(books=3)
    async with serving(shelf) as url:
        await arun(integration(url, tmp_path, books()))
        shelf.books[1]["isbn"] = "978"
        report = await arun(integration(url, tmp_path, books(schema=policy)), full=True)
        assert report.exit_code == exit_code
        assert rows(tmp_path, "SELECT count(*) FROM pragma_table_info('books')") == [(columns,)]
