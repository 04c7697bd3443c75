"""The simulator as a server of its own on loopback, for runs in other processes; what breaks really breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from syncline.engine import resolved
from syncline.model import Clock, SystemClock
from syncline.rehearsal.acting import Act
from syncline.rehearsal.simulator import Answer, Call, Simulator, World
from syncline.rehearsal.simulator.blueprint import Blueprint
from syncline.rehearsal.simulator.seen import Seen
from syncline.rehearsal.staging import origins_of, relocated, staged
from syncline.spec import Integration, dump

LOOPBACK = "127.0.0.1"
NEVER = 3_600.0
"""Seconds that a silent answer is kept open; whoever waits has given up long before."""


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
            url=str(request.url),
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
            front.addresses[origin] = await stack.enter_async_context(_site(front, port + place if port else 0))
        yield front


@asynccontextmanager
async def _site(front: Front, port: int) -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", front.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        host, chosen = runner.addresses[0][:2]
        yield f"http://{host}:{chosen}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(
    integration: Integration,
    act: Act,
    folder: Path,
    blueprints: dict[str, Blueprint] | None = None,
    *,
    port: int = 0,
    watch: Callable[[Seen], None] | None = None,
) -> AsyncIterator[Path]:
    """Serve the API of an integration on real time; gives a copy of its file that asks here and nowhere else.

    The copy, its made-up secrets (`.env`) and its scratch destination lie in `folder`.
    """
    clock = SystemClock()
    on_stage = staged(integration, act.seed, folder)
    async with served(await origins_of(on_stage), clock, port=port) as front:
        here = relocated(on_stage, front.addresses)
        complete = await resolved(here.integration, here.environment, folder)
        now = clock.now()
        world = World(complete, act.seed, act.sizes, now, blueprints)
        front.api = simulator = Simulator(complete, world, act.faults, began=now)
        if watch is not None:
            simulator.watch = watch
        file = folder / f"{integration.name}.yaml"
        file.write_text(dump(here.integration), encoding="utf-8")
        secrets = folder / ".env"
        secrets.touch(mode=0o600)
        secrets.write_text("".join(f"{name}='{value}'\n" for name, value in here.environment.items()), encoding="utf-8")
        yield file


async def _sent(answer: Answer, request: web.Request) -> web.StreamResponse:
    """The answer, as far as it gets."""
    transport: Any = request.transport
    if answer.ending == "hung up":
        transport.close()
        return web.Response()
    if answer.ending == "silent":
        await asyncio.sleep(NEVER)
    response = web.StreamResponse(status=answer.status)
    for name, value in answer.headers:
        response.headers.add(name, value)
    response.content_length = len(answer.body)
    await response.prepare(request)
    if answer.ending == "whole":
        await response.write(answer.body)
    elif answer.ending == "cut":
        await response.write(answer.body[: len(answer.body) // 2])
        transport.close()
    else:
        for place in range(len(answer.body)):
            await response.write(answer.body[place : place + 1])
            await asyncio.sleep(1.0)
    return response
