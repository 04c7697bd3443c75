"""A web server on loopback in front of an API that only answers calls; what breaks really breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Protocol

from aiohttp import web
from multidict import CIMultiDict

from syncline.model import Clock
from syncline.rehearsal.simulator.wire import Answer, Call

LOOPBACK = "127.0.0.1"
NEVER = 3_600.0
"""Seconds that a silent answer is kept open; whoever waits has given up long before."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api(Protocol):
    """Whoever answers calls, at a time that is told: the simulator, or the practice shop."""

    def handle(self, call: Call, now: datetime) -> Answer: ...


class Front:
    """One address on loopback for each origin, and one API that answers at all of them.

    `addresses` are ours in the place of each origin; `before` is waited for before a call is answered.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.api: Api | None = None
        self.before: Callable[[Call], Awaitable[None]] = _at_once
        self.addresses: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert self.api is not None
        call = Call(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.raw_path}",  # as it was sent: signatures are about that
            headers=request.headers,
            body=await request.read(),
        )
        await self.before(call)
        return await _sent(self.api.handle(call, self.clock.now()), request)


async def _at_once(call: Call) -> None:
    """Nobody has to wait."""


@asynccontextmanager
async def served(origins: Iterable[str], clock: Clock, *, port: int = 0) -> AsyncIterator[Front]:
    """Serve on free ports, or on `port` and those after it. Raises OSError where one is taken."""
    front = Front(clock)
    async with AsyncExitStack() as stack:
        for place, origin in enumerate(origins):
            front.addresses[origin] = await stack.enter_async_context(site(front.answer, port + place if port else 0))
        yield front


@asynccontextmanager
async def site(answer: Handler, port: int = 0) -> AsyncIterator[str]:
    """Serve every path on loopback, on a free port if none is named; gives the base address."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        host, chosen = runner.addresses[0][:2]
        yield f"http://{host}:{chosen}"
    finally:
        await runner.cleanup()


async def _sent(answer: Answer, request: web.Request) -> web.StreamResponse:
    """The answer, as far as it gets."""
    if answer.ending == "whole":
        return web.Response(status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body)
    transport: Any = request.transport
    if answer.ending == "hung up":
        transport.close()
        return web.Response()
    if answer.ending == "silent":
        await asyncio.sleep(NEVER)
    response = web.StreamResponse(status=answer.status, headers=CIMultiDict(answer.headers))
    response.content_length = len(answer.body)
    with suppress(ConnectionResetError):  # whoever asked may have left
        await response.prepare(request)
        if answer.ending == "cut":
            await response.write(answer.body[: len(answer.body) // 2])
            transport.close()
        else:
            for place in range(len(answer.body)):
                await response.write(answer.body[place : place + 1])
                await asyncio.sleep(1.0)
    return response
