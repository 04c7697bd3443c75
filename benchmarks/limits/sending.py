"""One process that sends as often as its limiter allows: `sending.py PROGRAM` with an order as JSON on standard input.

The order: `url`, `rate` a second, `processes` that send together, `requests` of this one, `callers` at once, `place` to share.
It prints `ready`, waits for a line, sends, and ends when every request was accepted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Order = dict[str, Any]
Acquire = Callable[[], Awaitable[object]]


async def syncline(order: Order) -> None:
    from syncline.http import Connection

    limits: dict[str, Any] = {"limits": [f"{order['rate']}/s"]}
    if order["processes"] > 1:
        limits |= {"shared": order["place"]}
    # the same connections for everybody, none of them waited for
    async with Connection(base_url=order["url"], rate_limit=limits, retry={"attempts": 100}).connect() as client:

        async def one() -> None:
            await client.send(client.request("GET", "/x"))

        await all_of(order, one)


async def with_aiohttp(order: Order, acquire: Acquire) -> None:
    """The loop that people write around a limiter: wait for it, send, and on 429 sleep as told and try again."""
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def one() -> None:
            while True:
                await acquire()
                async with session.get(order["url"] + "/x") as response:
                    await response.read()
                    if response.status == 200:
                        return
                    await asyncio.sleep(int(response.headers["Retry-After"]))

        await all_of(order, one)


async def aiolimiter(order: Order) -> None:
    """It cannot be shared: each process gets its part of the rate."""
    from aiolimiter import AsyncLimiter

    await with_aiohttp(order, AsyncLimiter(order["rate"] / order["processes"], 1).acquire)


async def pyrate_limiter(order: Order) -> None:
    """In memory, and in SQLite with a file lock where processes share it, as its documentation advises."""
    from pyrate_limiter import Duration, Limiter, Rate, SQLiteBucket

    rates = [Rate(order["rate"], Duration.SECOND)]
    bucket: Any = rates
    if order["processes"] > 1:
        bucket = SQLiteBucket.init_from_file(rates, db_path=order["place"], use_file_lock=True)
    await with_aiohttp(order, Limiter(bucket).try_acquire_async)


async def none(order: Order) -> None:
    """No limiter: only Retry-After is kept to."""

    async def at_once() -> None:
        return None

    await with_aiohttp(order, at_once)


async def all_of(order: Order, one: Callable[[], Awaitable[None]]) -> None:
    left = iter(range(order["requests"]))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    async def caller() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(caller() for _ in range(order["callers"])))


PROGRAMS = {"syncline": syncline, "aiolimiter": aiolimiter, "pyrate-limiter": pyrate_limiter, "none": none}

if __name__ == "__main__":
    asyncio.run(PROGRAMS[sys.argv[1].split()[0]](json.loads(sys.stdin.readline())))
