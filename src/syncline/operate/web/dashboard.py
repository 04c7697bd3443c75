"""The dashboard over HTTP: pages for people, metrics for Prometheus, and a few acts where they are allowed."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web

from syncline.engine import opened_file_state, retry_rejects
from syncline.errors import PlanError, SynclineError
from syncline.operate.alerts.troubles import troubles_of
from syncline.operate.metrics import CONTENT_TYPE, Metrics
from syncline.operate.monitor import Monitor
from syncline.operate.pages.board import Wanted, board_page
from syncline.operate.pages.frame import page
from syncline.operate.pages.html import tag
from syncline.operate.pages.look import Look
from syncline.operate.pages.one import Acts, one_page
from syncline.operate.pages.report import report_page
from syncline.operate.served import Served
from syncline.operate.server import Server
from syncline.operate.web.depths import depths_of
from syncline.operate.web.guard import Guard, headers, hosts_of
from syncline.secrets import redactor

PORT = 8321
OPEN = frozenset({"/metrics", "/healthz"})
"""What machines ask for, who have no cookies; a Host of ours they need too."""
PAGE = re.compile(r"/(i/[A-Za-z0-9_-]+(/runs/[A-Za-z0-9]+)?)?")
"""Where a key in the address may lead: nowhere but here."""
LONGEST_FORM = 10_000
LONGEST_NAME = 100
ALIVE_WITHIN = timedelta(seconds=30)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """Shows a server. Only looks, unless `writes`; answers nobody without the token, but machines at `/metrics`."""

    def __init__(
        self, server: Server, monitor: Monitor, metrics: Metrics, guard: Guard, *, writes: bool = False
    ) -> None:
        self._server, self._monitor, self._metrics, self._guard = server, monitor, metrics, guard
        self._writes, self._began = writes, server.clock.now()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guarded], client_max_size=LONGEST_FORM)
        app.router.add_get("/", self._board)
        app.router.add_get("/i/{name}", self._one)
        app.router.add_get("/i/{name}/runs/{run}", self._run)
        app.router.add_post("/i/{name}/{act}", self._act)
        app.router.add_get("/metrics", self._numbers)
        app.router.add_get("/healthz", self._health)
        return app

    def looks(self) -> list[Look]:
        return [self._look(one) for one in self._server.served.values()]

    def _look(self, one: Served) -> Look:
        now, live = self._server.clock.now(), self._monitor.of(one.name)
        return Look(one, live, [*troubles_of(one, live, now, self._began)], now)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Host, then token, then origin and proof; only then anything is looked at."""
        guard = self._guard
        try:
            if not guard.knows_host(request.headers.get("Host")):
                answer: web.StreamResponse = _plain(
                    421, "This server does not go by that name (--allow-host NAME:PORT)."
                )
            elif request.path in OPEN:
                answer = await handler(request)
            elif guard.knows(request.query.get("token")) and request.method == "GET":
                answer = _to(request.path if PAGE.fullmatch(request.path) else "/")
                answer.set_cookie(guard.cookie, guard.token, httponly=True, samesite="Strict", path="/")
            elif not guard.knows(request.cookies.get(guard.cookie)):
                answer = self._closed()
            elif request.method == "POST" and not await self._may_act(request):
                answer = _plain(
                    403, "That was not sent from a page of this server, or acts are not allowed (--allow-writes)."
                )
            else:
                answer = await handler(request)
        except web.HTTPException as error:
            answer = _plain(error.status, error.reason)
        if "Content-Security-Policy" not in answer.headers:
            answer.headers.update(headers(new_nonce()))
        return answer

    async def _may_act(self, request: web.Request) -> bool:
        if not self._writes:
            return False
        proof = (await request.post()).get("proof")
        return self._guard.came_from_us(request.headers.get("Origin"), request.headers.get("Host"), proof)

    def _closed(self) -> web.Response:
        nonce = new_nonce()
        text = tag("p", "Open the address that syncline serve printed when it began; it holds the key.", class_="sub")
        body = page("Syncline", tag("header", tag("h1", "This page needs its key")), text, nonce=nonce)
        return _html(body, nonce, status=403)

    async def _board(self, request: web.Request) -> web.Response:
        nonce, now = new_nonce(), self._server.clock.now()
        wanted = Wanted(*(request.query.get(name, "")[:LONGEST_NAME] for name in ("name", "state")))
        return _html(board_page(self.looks(), now, link_of, wanted, nonce=nonce), nonce)

    async def _one(self, request: web.Request) -> web.Response:
        one = self._named(request)
        acts = Acts(root=link_of(one.name), proof=self._guard.proof) if self._writes else None
        depths = await depths_of(one, self._server.home)
        nonce = new_nonce()
        return _html(one_page(self._look(one), depths, acts=acts, nonce=nonce), nonce)

    async def _run(self, request: web.Request) -> web.Response:
        one = self._named(request)
        for report in one.past:
            if report.run_id == request.match_info["run"]:
                nonce = new_nonce()
                return _html(report_page(report, nonce=nonce, home=link_of(one.name)), nonce)
        raise web.HTTPNotFound(reason="There is no such run, or it was too long ago.")

    async def _numbers(self, request: web.Request) -> web.Response:
        text = self._metrics.text(self._server.served.values(), self._server.clock.now())
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, request: web.Request) -> web.Response:
        """For a container's health check: 200 while the loop turns."""
        late = self._server.clock.now() - self._server.looked_at
        well = late < ALIVE_WITHIN
        data = {"status": "ok" if well else "stuck", "integrations": len(self._server.served)}
        return web.Response(
            status=200 if well else 503, body=msgspec.json.encode(data), content_type="application/json"
        )

    async def _act(self, request: web.Request) -> web.Response:
        one, form = self._named(request), await request.post()
        wishes, act = self._server.home.wishes(), request.match_info["act"]
        simple = {"pause": wishes.pause, "resume": wishes.resume, "now": wishes.run_now}
        try:
            if act in simple:
                simple[act](one.name)
            elif act in ("retry", "drop"):
                await _reject(one, act, _number(form.get("id")))
            else:
                raise web.HTTPNotFound(reason="There is no such act.")
        except SynclineError as error:
            return _plain(409, redactor.text(error.block()))
        return _to(link_of(one.name))

    def _named(self, request: web.Request) -> Served:
        one = self._server.by_name(request.match_info["name"])
        if one is None:
            raise web.HTTPNotFound(reason="There is no such integration.")
        return one


def link_of(name: str) -> str:
    return f"/i/{name}"


async def _reject(one: Served, act: str, letter: int) -> None:
    if act == "retry":
        await retry_rejects(one.path, letters=[letter])
        return
    async with opened_file_state(one.path) as (_, state):
        await state.dead_letters.mark([letter], "dropped")


def _number(text: Any) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19):
        raise web.HTTPBadRequest(reason="That is no reject's number.")
    return int(text)


def new_nonce() -> str:
    return secrets.token_urlsafe(16)


def _html(text: str, nonce: str, status: int = 200) -> web.Response:
    body = redactor.text(text).encode("utf-8", "replace")
    return web.Response(status=status, body=body, content_type="text/html", charset="utf-8", headers=headers(nonce))


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", content_type="text/plain", charset="utf-8")


def _to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


@asynccontextmanager
async def shown_at(
    address: str,
    port: int,
    make: Callable[[Guard], Dashboard],
    *,
    hosts: tuple[str, ...] = (),
    token: str | None = None,
) -> AsyncIterator[str]:
    """Serve a dashboard while the context is open; gives the address to open, key included. Raises PlanError."""
    guard = Guard(hosts_of(address, port, hosts), port, token)
    runner = web.AppRunner(make(guard).application(), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            raise PlanError(
                f"the dashboard cannot listen at {address}:{port}: {error.strerror or error}",
                hint="choose another with --port, or do without: --no-dashboard",
            ) from None
        yield f"http://{f'[{address}]' if ':' in address else address}:{port}/?token={guard.token}"
    finally:
        await runner.cleanup()
