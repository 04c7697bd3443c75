"""A small API with pages, children and faults, and the integration files for it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from syncline.spec import Integration, loads

Fault = Callable[[web.Request], web.StreamResponse | None]


class Shelf:
    """Books by cursor pages at /books, their reviews at /books/{id}/reviews, and votes below each review.

    `requests` are the path and query of everything asked; `fault` may answer in the API's place.
    """

    def __init__(self, books: int = 10, page: int = 3) -> None:
        self.page = page
        self.books = [
            {
                "id": number,
                "title": f"Book {number}",
                "price": "9.90",
                "updated_at": f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            }
            for number in range(1, books + 1)
        ]
        self.requests: list[str] = []
        self.fault: Fault | None = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.fault is not None and (answer := self.fault(request)) is not None:
            return answer
        parts = request.path.strip("/").split("/")
        if parts == ["books"]:
            since = request.query.get("since", "")
            found = sorted(
                (b for b in self.books if str(b["updated_at"]) >= since), key=lambda b: (b["updated_at"], b["id"])
            )
            return self._paged(found, request)
        if parts[0] == "books" and parts[2:] == ["reviews"]:
            book = int(parts[1])
            return self._paged([{"id": book * 100 + n, "stars": n} for n in range(book % 3)], request)
        if parts[0] == "books" and parts[4:] == ["votes"]:
            return self._paged([{"vote": n} for n in range(2)], request)
        return web.json_response({"error": "no such thing"}, status=404)

    def _paged(self, records: list[dict[str, Any]], request: web.Request) -> web.Response:
        begin = int(request.query.get("cursor", "0"))
        end = begin + self.page
        following = str(end) if end < len(records) else None
        body = {"data": records[begin:end], "meta": {"next": following}}
        return web.Response(
            text=json.dumps(body), content_type="application/json", headers={"Date": "Thu, 22 Jan 2026 12:00:00 GMT"}
        )


CURSOR = {"kind": "cursor", "next": "meta.next", "param": "cursor"}


def books(**changes: Any) -> dict[str, Any]:
    """The stream of books."""
    stream = {
        "name": "books",
        "path": "/books",
        "records": "data",
        "primary_key": "id",
        "pagination": CURSOR,
        "incremental": {"cursor": "updated_at", "param": "since"},
    }
    return {key: value for key, value in {**stream, **changes}.items() if value is not None}


def integration(url: str, folder: Path, *streams: dict[str, Any], **source: Any) -> Integration:
    """An integration of these streams into shelf.db in a folder, without patience for faults."""
    data = {
        "name": "shelf",
        "source": {"kind": "rest", "base_url": url, "retry": {"attempts": 1}, **source},
        "streams": list(streams),
        "destination": {"kind": "sql", "url": f"sqlite:///{folder / 'shelf.db'}"},
    }
    return loads(yaml.safe_dump(data, sort_keys=False))


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "shelf.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
