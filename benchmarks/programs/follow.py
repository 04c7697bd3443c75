"""A list behind a cursor, followed by somebody who does nothing with it: what the latency alone allows. Prints the seconds."""

from __future__ import annotations

import asyncio
import re
import sys
import time

import aiohttp

CURSOR = re.compile(rb'"next_cursor":"(\w+)"')


async def main(url: str) -> None:
    found: re.Match[bytes] | None = None
    began = time.perf_counter()
    async with aiohttp.ClientSession() as session:
        while True:
            params = {"cursor": found[1].decode()} if found else None
            async with session.get(f"{url}/orders", params=params) as response:
                found = CURSOR.search(await response.read())
            if found is None:
                break
    print(time.perf_counter() - began)


asyncio.run(main(*sys.argv[1:]))
