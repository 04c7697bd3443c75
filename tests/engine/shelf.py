"""A small API with pages, children and faults, and the integration files for it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from syncline.rehearsal.simulator.door import Door
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from syncline.spec import Integration, loads
from tests.support.faulty import Faulty

DATE = {"Date": "Thu, 22 Jan 2026 12:00:00 GMT"}


class Shelf(Faulty):
    """Books by cursor pages at /books, their reviews at /books/{id}/reviews, and votes below each review.

    `requests` are the path and query of everything asked; `statuses` are told at their paths in the place of an answer.
    """

    def __init__(self, books: int = 10, page: int = 3) -> None:
        super().__init__()
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
        self.statuses: dict[str, int] = {}
        self.door = Door()

    def handle(self, call: Call, now: datetime) -> Answer:
        self.requests.append(call.target)
        return self.under_faults(call, now, partial(self._let_in, call, now))

    def _let_in(self, call: Call, now: datetime) -> Answer:
        barred = self.door.check(call, now)
        if barred is not None:
            return barred
        if call.path in self.statuses:
            return refused(self.statuses[call.path], "refused", "so it was decided")
        match call.path.strip("/").split("/"):
            case ["books"]:
                since = call.params.get("since", "")
                found = [book for book in self.books if str(book["updated_at"]) >= since]
                return self._paged(sorted(found, key=lambda book: (book["updated_at"], book["id"])), call)
            case ["books", book, "reviews"]:
                return self._paged([{"id": int(book) * 100 + n, "stars": n} for n in range(int(book) % 3)], call)
            case ["books", _, "reviews", _, "votes"]:
                return self._paged([{"vote": n} for n in range(2)], call)
        return refused(404, "not_found", "no such thing")

    def _paged(self, records: list[dict[str, Any]], call: Call) -> Answer:
        begin = int(call.params.get("cursor", "0"))
        end = begin + self.page
        following = str(end) if end < len(records) else None
        return answered({"data": records[begin:end], "meta": {"next": following}}, headers=DATE)


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
