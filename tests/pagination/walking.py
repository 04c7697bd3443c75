"""A pass over a list as the source would make it, against a list server of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from syncline.model import Request, Response, decode_json, encode_json, parse_path, read_path
from syncline.pagination import Answer, Pagination, Watch

URL = "https://api.example/items"
Serve = Callable[[Request], Answer]


class Pass(msgspec.Struct):
    records: list[Any] = []
    notices: list[str] = []
    gaps: list[str] = []
    requests: list[Request] = []
    totals: list[int | None] = []


def walk(
    pagination: Pagination,
    serve: Serve,
    *,
    request: Request | None = None,
    crash_after: int | None = None,
    most: int = 500,
) -> Pass:
    """Read to the end. After page `crash_after` all memory is lost but the position, as JSON, and the file."""
    done, watch = Pass(), Watch()
    position = pagination.start()
    base = request or Request(url=URL, params=(("status", "any"),))
    for number in range(1, most + 1):
        asked = pagination.apply(base, position)
        done.requests.append(asked)
        answer = serve(asked)
        settled = pagination.settle(position, answer)
        following = pagination.advance(position, answer)
        watch.check(position, answer, following)
        done.records += settled.records
        done.totals.append(pagination.total(answer))
        if settled.notice:
            (done.gaps if settled.gap else done.notices).append(settled.notice)
        if following is None:
            return done
        position = following
        if number == crash_after:
            position = decode_json(encode_json(position))
            pagination, watch = type(pagination).model_validate(pagination.to_data()), Watch()
    raise AssertionError(f"no end after {most} requests")


def answer(document: Any, records: list[Any], headers: dict[str, str] | None = None, url: str = URL) -> Answer:
    return Answer(document=document, headers=Response.headers_of(headers or {}), url=url, records=records)


def asked(request: Request, name: str, default: Any = None) -> Any:
    """A parameter as the server meets it, in the query or at a place in the body."""
    query = dict(parse_qsl(urlsplit(request.target).query))
    if name in query:
        return query[name]
    found = read_path(parse_path(name), request.json) if request.json is not None else None
    return found or default


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"n{number}"} for number in range(first, first + count)]


class ListServer:
    """Serves a list by offset, page or cursor; `before` changes it before the n-th request (from 1)."""

    def __init__(self, records: list[Any], *, cap: int | None = None, total: bool = True) -> None:
        self.records, self.cap, self.total = list(records), cap, total
        self.before: dict[int, Callable[[list[Any]], object]] = {}
        self.served = 0

    def _page(self, begin: int, length: int, **more: Any) -> Answer:
        found = self.records[begin : begin + (min(length, self.cap) if self.cap else length)]
        meta = {"total": len(self.records)} if self.total else {}
        return answer({"data": found, "meta": {**meta, **more}}, found, {"X-Total": str(len(self.records))})

    def _begin(self) -> None:
        self.served += 1
        if change := self.before.get(self.served):
            change(self.records)

    def by_offset(self, request: Request) -> Answer:
        self._begin()
        return self._page(int(asked(request, "offset", 0)), int(asked(request, "limit", 10)))

    def by_page(self, request: Request) -> Answer:
        self._begin()
        length = int(asked(request, "per_page", 10))
        length = min(length, self.cap) if self.cap else length
        pages = -(-len(self.records) // length)
        return self._page((int(asked(request, "page", 1)) - 1) * length, length, pages=pages)

    def by_cursor(self, request: Request) -> Answer:
        self._begin()
        begin, length = int(asked(request, "cursor", 0)), int(asked(request, "limit", 10))
        page = self._page(begin, length)
        more = begin + len(page.records) < len(self.records)
        page.document["meta"] |= {"next": str(begin + len(page.records)) if more else None, "more": more}
        return page
