"""An API of a test's own on a real server: the simulator's, in front of an object that answers calls or of one handler."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from aiohttp import web

from syncline.model import SystemClock
from syncline.rehearsal.front import Api, Handler, served, site
from syncline.rehearsal.simulator.wire import Answer, Call

START_SECONDS = 30.0
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


class Saying:
    """An API that is one function."""

    def __init__(self, say: Callable[[Call], Answer]) -> None:
        self._say = say

    def handle(self, call: Call, now: datetime) -> Answer:
        return self._say(call)


@contextmanager
def serving_aside(api: Api) -> Iterator[str]:
    """The same in a thread of its own, for tests that wait for processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = serving(api)
    url = asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(START_SECONDS)
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Aside:
    """Base of APIs that are served from a thread as soon as they are made, until they are closed; `url` is the address."""

    def __init__(self) -> None:
        self._served = serving_aside(self)
        self.url = self._served.__enter__()

    def handle(self, call: Call, now: datetime) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        self._served.__exit__(None, None, None)
