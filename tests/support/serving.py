"""An API of a test's own on a real server: the simulator's, in front of an object that answers calls or of one handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from syncline.model import SystemClock
from syncline.rehearsal.front import Api, Handler, served, site
from syncline.rehearsal.simulator.wire import Call

Before = Callable[[Call], Awaitable[None]]


@asynccontextmanager
async def serving(api: Api | Handler, *, before: Before | None = None) -> AsyncIterator[str]:
    """Serve every path on a free loopback port; gives the base address. `before` is waited for before each answer of an Api."""
    if not hasattr(api, "handle"):

        async def answer(request: web.Request) -> web.StreamResponse:
            return await api(request)  # looked up each time: handlers may change

        async with site(answer) as url:
            yield url
        return
    async with served(["http://api.example"], SystemClock()) as front:
        front.api, front.before = api, before or front.before
        yield front.addresses["http://api.example"]
