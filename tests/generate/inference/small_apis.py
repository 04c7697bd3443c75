"""Small servers, one for each way to page, to refuse and to limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

Pager = Callable[[Mapping[str, str], str], tuple[list[dict[str, Any]], Any, dict[str, str]]]
"""From the query and the address to the page's records, what stands around them (a function of the records) and headers."""

ORDERS = [
    {
        "id": 1000 + n,
        "total": f"{n}.50",
        "customer": {"email": f"c{n % 7}@shop.example"},
        "updated_at": f"2026-03-{n % 28 + 1:02}T10:00:00Z",
    }
    for n in range(45)
]


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdigit() else default


def by_offset(query: Mapping[str, str], url: str) -> Any:
    start, length = whole(query, "offset", 0), min(whole(query, "limit", 20), 100)
    return ORDERS[start : start + length], lambda records: {"items": records, "total": len(ORDERS)}, {}


def by_skip(query: Mapping[str, str], url: str) -> Any:
    start, length = whole(query, "skip", 0), min(whole(query, "take", 10), 50)
    return ORDERS[start : start + length], lambda records: records, {}


def by_page(query: Mapping[str, str], url: str) -> Any:
    number, length = max(whole(query, "page", 1), 1), min(whole(query, "per_page", 20), 100)
    return ORDERS[(number - 1) * length : number * length], lambda records: records, {"X-Total-Count": str(len(ORDERS))}


def by_page_from_zero(query: Mapping[str, str], url: str) -> Any:
    number, length = whole(query, "page", 0), min(whole(query, "size", 20), 100)
    frame = {"totalElements": len(ORDERS), "totalPages": -(-len(ORDERS) // length), "number": number}
    return ORDERS[number * length : (number + 1) * length], lambda records: {"content": records, **frame}, {}


def by_cursor(query: Mapping[str, str], url: str) -> Any:
    start, length = whole(query, "cursor", 0), min(whole(query, "limit", 20), 100)
    following = start + length if start + length < len(ORDERS) else None
    meta = {"next_cursor": str(following) if following is not None else None}
    return ORDERS[start : start + length], lambda records: {"data": records, "meta": meta}, {}


def by_page_token(query: Mapping[str, str], url: str) -> Any:
    start, length = whole(query, "pageToken", 0), min(whole(query, "pageSize", 20), 100)
    more = {"nextPageToken": str(start + length)} if start + length < len(ORDERS) else {}
    return ORDERS[start : start + length], lambda records: {"orders": records, **more}, {}


def by_last_id(query: Mapping[str, str], url: str) -> Any:
    length = min(whole(query, "limit", 10), 100)
    rest = [order for order in ORDERS if int(str(order["id"])) > whole(query, "starting_after", 0)]
    frame = {"object": "list", "has_more": len(rest) > length}
    return rest[:length], lambda records: {"data": records, **frame}, {}


def by_next_url(query: Mapping[str, str], url: str) -> Any:
    start, length = whole(query, "at", 0), min(whole(query, "limit", 20), 100)
    following = f"{url}?at={start + length}&limit={length}" if start + length < len(ORDERS) else None
    return ORDERS[start : start + length], lambda records: {"results": records, "links": {"next": following}}, {}


def by_link(query: Mapping[str, str], url: str) -> Any:
    number, length = max(whole(query, "page", 1), 1), min(whole(query, "per_page", 20), 100)
    records = ORDERS[(number - 1) * length : number * length]
    more = number * length < len(ORDERS)
    return (
        records,
        lambda found: found,
        {"Link": f'<{url}?page={number + 1}&per_page={length}>; rel="next"'} if more else {},
    )


def by_fixed_page(query: Mapping[str, str], url: str) -> Any:
    number = max(whole(query, "page", 1), 1)
    return ORDERS[(number - 1) * 15 : number * 15], lambda records: records, {}


def by_fixed_offset(query: Mapping[str, str], url: str) -> Any:
    start = whole(query, "offset", 0)
    return ORDERS[start : start + 15], lambda records: records, {}


def all_at_once(query: Mapping[str, str], url: str) -> Any:
    return ORDERS, lambda records: {"orders": records}, {}


PAGERS: dict[str, Pager] = {
    "offset": by_offset,
    "skip": by_skip,
    "page": by_page,
    "page_from_zero": by_page_from_zero,
    "cursor": by_cursor,
    "page_token": by_page_token,
    "last_id": by_last_id,
    "next_url": by_next_url,
    "link": by_link,
    "fixed_page": by_fixed_page,
    "fixed_offset": by_fixed_offset,
    "all_at_once": all_at_once,
}


class Shop:
    """One list, `/api/v2/orders`. `since` is the parameter that filters by updated_at; `strict` refuses unknown parameters."""

    def __init__(
        self,
        pager: Pager,
        *,
        since: str | None = None,
        strict: frozenset[str] | None = None,
        token: str | None = None,
        challenge: str | None = "Bearer",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.pager, self.since, self.strict, self.token = pager, since, strict, token
        self.challenge, self.headers = challenge, dict(headers or {})
        self.asked: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            named = {"WWW-Authenticate": self.challenge} if self.challenge else {}
            return web.json_response({"message": "who are you?"}, status=401, headers=named)
        if request.path != "/api/v2/orders":
            return web.json_response({"message": "no such thing"}, status=404)
        if self.strict is not None and set(request.query) - self.strict:
            return web.json_response({"message": "unknown parameter"}, status=400)
        found, around, headers = self.pager(request.query, str(request.url.with_query(None)))
        if self.since is not None and self.since in request.query:
            found = [order for order in found if str(order["updated_at"]) >= request.query[self.since]]
        return web.json_response(around(found), headers={**self.headers, **headers})
