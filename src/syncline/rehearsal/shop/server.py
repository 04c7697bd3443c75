"""The practice shop's HTTP side: what it answers, and the gate where its faults come in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from aiohttp import web

from syncline.model import Clock, SystemClock, encode_json
from syncline.rehearsal.shop.faults import Fault, Faults, Schedule, Window
from syncline.rehearsal.shop.goods import STATUSES, Entry, Goods, read_moment, write_moment
from syncline.rehearsal.shop.tokens import TokenRefusedError, Tokens

MAX_LIMIT = 250
DEFAULT_LIMIT = 50
JSON = "application/json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Stats(msgspec.Struct, kw_only=True):
    """What the shop has seen and thrown so far."""

    requests: int = 0
    tokens: int = 0
    unauthorised: int = 0
    limited: int = 0
    errors: int = 0
    drops: int = 0
    revoked: int = 0
    changed: int = 0


class Refusal(Exception):
    """An answer other than 200, as a document with a code and a sentence."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


class Shop:
    """A web shop's API: orders by cursor, customers by page, refunds below orders, products over GraphQL.

    `latency` in seconds a request; `token_lifetime` is what token answers promise. Requests to the data are numbered from 0
    once they are let in; `seed` and that number decide about faults.
    """

    def __init__(
        self,
        *,
        orders: int = 5_000,
        seed: int = 7,
        faults: Faults | None = None,
        without_email: int = 0,
        token_lifetime: float = 3_600.0,
        latency: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.goods = Goods(orders=orders, seed=seed, without_email=without_email)
        self.tokens = Tokens(token_lifetime)
        self.stats = Stats()
        self._schedule = Schedule(self.faults, seed)
        self._window = Window(self.faults.rate) if self.faults.rate else None
        self._rng = Random(seed)  # noqa: S311  (which orders change, not a secret)
        self._latency = latency
        self._clock = clock or SystemClock()
        self._numbered = 0

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Answer on loopback while the context is open; its value is the base URL."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer_in_json, self._let_in])
        app.add_routes(
            [
                web.post("/oauth/token", self._token),
                web.get("/v2/orders", self._orders),
                web.get("/v2/orders/{order_id}", self._order),
                web.get("/v2/orders/{order_id}/refunds", self._refunds),
                web.get("/v2/customers", self._customers),
                web.post("/graphql", self._products),
                web.get("/_practice/stats", self._show_stats),
                web.post("/_practice/change", self._change),
            ]
        )
        return app

    # The gate

    @web.middleware
    async def _answer_in_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every answer has a request id, every mistake its document."""
        self.stats.requests += 1
        try:
            response = await handler(request)
        except Refusal as refusal:
            document = {"errors": [{"code": refusal.code, "message": refusal.message}]}
            response = _json(document, status=refusal.status, headers=refusal.headers)
        except web.HTTPException as error:
            document = {"errors": [{"code": error.reason.lower().replace(" ", "_"), "message": error.reason}]}
            response = _json(document, status=error.status)
        response.headers["X-Request-Id"] = f"shop-{self.stats.requests:06d}"
        return response

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Limit, token, fault, answer: the order in which a real gateway looks at a request."""
        if not request.path.startswith(("/v2/", "/graphql")):
            return await handler(request)
        if self._latency:
            await self._clock.sleep(self._latency)
        if self._window and not self._window.take(self._clock.monotonic()):
            raise self._limited()
        if not self.tokens.accepts(request.headers.get("Authorization"), self._clock.monotonic()):
            self.stats.unauthorised += 1
            raise _unauthorised()
        number, self._numbered = self._numbered, self._numbered + 1
        fault = self._schedule.fault(number)
        self._throw(fault)
        response = await handler(request)
        if fault == "drop":
            return await self._drop(request, response, midway=self._schedule.drops_midway(number))
        if self._window and self.faults.announce:
            response.headers.update(dict(self._window.headers(self._clock.monotonic(), refused=False)))
        return response

    def _throw(self, fault: Fault | None) -> None:
        if fault == "revoked":
            self.tokens.revoke()
            self.stats.revoked += 1
            raise _unauthorised()
        if fault == "limited":
            raise self._limited()
        if fault == "error":
            self.stats.errors += 1
            raise Refusal(500, "internal", "something broke; please try again")

    def _limited(self) -> Refusal:
        self.stats.limited += 1
        headers = {"Retry-After": "1"}
        if self._window:
            headers.update(self._window.headers(self._clock.monotonic(), refused=True))
        return Refusal(429, "too_many_requests", "the quota of this account is used up", headers)

    async def _drop(self, request: web.Request, response: web.StreamResponse, *, midway: bool) -> web.StreamResponse:
        """Close the connection before the answer, or halfway through its body."""
        self.stats.drops += 1
        cut = web.StreamResponse(headers={"Content-Type": JSON})
        if midway and isinstance(response, web.Response) and isinstance(response.body, bytes):
            cut.content_length = len(response.body)
            await cut.prepare(request)
            await cut.write(response.body[: len(response.body) // 2])
            await asyncio.sleep(0)  # so that the half leaves before the connection does
        if request.transport:
            request.transport.abort() if not midway else request.transport.close()
        return cut

    # What it answers

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        headers = {"Cache-Control": "no-store"}
        try:
            granted = self.tokens.grant(form, request.headers.get("Authorization"), self._clock.monotonic())
        except TokenRefusedError as error:
            document = {"error": error.error, "error_description": error.description}
            if error.status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="shop"'
            return _json(document, status=error.status, headers=headers)
        self.stats.tokens += 1
        return _json(granted, headers=headers)

    async def _orders(self, request: web.Request) -> web.Response:
        limit = _whole(request.query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        since = _since(request.query)
        status = request.query.get("status", "any")
        wanted = None if status == "any" else status
        if wanted not in (None, *STATUSES):
            raise Refusal(400, "invalid", f"status is any, {', '.join(sorted(set(STATUSES)))}")
        after = _read_cursor(request.query.get("cursor"))
        page: list[Entry] = []
        following = None
        for entry in self.goods.listing(since, after, wanted):
            if len(page) == limit:
                following = _write_cursor(page[-1].key)
                break
            page.append(entry)
        meta = encode_json({"next_cursor": following, "total": self.goods.count(since, wanted)})
        body = b'{"data":[' + b",".join(entry.body for entry in page) + b'],"meta":' + meta + b"}"
        return web.Response(body=body, content_type=JSON)

    async def _order(self, request: web.Request) -> web.Response:
        return _json({"data": self._found(request)})

    async def _refunds(self, request: web.Request) -> web.Response:
        return _json({"data": self.goods.refunds(self._found(request)), "meta": {"next_cursor": None}})

    def _found(self, request: web.Request) -> dict[str, Any]:
        order_id = request.match_info["order_id"]
        order = self.goods.order(int(order_id)) if order_id.isascii() and order_id.isdigit() else None
        if order is None:
            raise Refusal(404, "not_found", "there is no such order")
        return order

    async def _customers(self, request: web.Request) -> web.Response:
        size = _whole(request.query, "per_page", DEFAULT_LIMIT, MAX_LIMIT)
        page = _whole(request.query, "page", 1, 1_000_000)
        customers = self.goods.customers
        return _json(
            {
                "customers": customers[(page - 1) * size : page * size],
                "page": page,
                "total_pages": -(-len(customers) // size),
                "total": len(customers),
            }
        )

    async def _products(self, request: web.Request) -> web.Response:
        """Answer one GraphQL connection, whatever fields the query names; real servers would select."""
        document = await _document(request)
        if "products" not in str(document.get("query", "")):
            return _json({"errors": [{"message": "this shop's GraphQL knows the field products alone"}], "data": None})
        variables = document.get("variables") or {}
        first = variables.get("first", DEFAULT_LIMIT)
        after = variables.get("after") or "0"
        if not isinstance(first, int) or not 0 < first <= MAX_LIMIT or not str(after).isdigit():
            return _json({"errors": [{"message": f"first is 1 to {MAX_LIMIT}, after a cursor"}], "data": None})
        start = int(after)
        nodes = self.goods.products[start : start + first]
        end = start + len(nodes)
        products = {
            "totalCount": len(self.goods.products),
            "nodes": nodes,
            "edges": [{"cursor": str(start + step + 1), "node": node} for step, node in enumerate(nodes)],
            "pageInfo": {"hasNextPage": end < len(self.goods.products), "endCursor": str(end) if nodes else None},
        }
        return _json({"data": {"products": products}})

    async def _show_stats(self, request: web.Request) -> web.Response:
        return _json(msgspec.to_builtins(self.stats))

    async def _change(self, request: web.Request) -> web.Response:
        count = (await _document(request)).get("count", 1)
        if not isinstance(count, int) or count < 0:
            raise Refusal(400, "invalid", "count is a whole number")
        changed = self.goods.change(count, self._clock.now(), self._rng)
        self.stats.changed += len(changed)
        return _json({"changed": changed})


def _json(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=encode_json(document), status=status, headers=headers, content_type=JSON)


def _unauthorised() -> Refusal:
    challenge = {"WWW-Authenticate": 'Bearer realm="shop", error="invalid_token"'}
    return Refusal(401, "invalid_token", "the access token is missing, expired or revoked", challenge)


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        raise Refusal(400, "invalid", "the body is not a JSON object")
    return document


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and 1 <= int(text) <= most):
        raise Refusal(400, "invalid", f"{name} is a whole number from 1 to {most}")
    return int(text)


def _since(query: Mapping[str, str]) -> str | None:
    text = query.get("updated_since")
    if not text:
        return None
    try:
        return write_moment(read_moment(text))
    except (ValueError, OverflowError):
        raise Refusal(400, "invalid", "updated_since is a time such as 2025-06-30T18:00:00Z") from None


def _write_cursor(key: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(f"{key[0]}|{key[1]}".encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    try:
        moment, _, order_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
        return moment, int(order_id)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal(400, "invalid", "the cursor is none of this shop's") from None
