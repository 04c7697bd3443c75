"""One of several processes that send to the same API: `python -m tests.http.limited_worker` with a JSON object as its argument.

It sends `requests` requests with `callers` tasks to `url` under `rate_limit` and prints what it noticed as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from syncline.events import Noticed, listening
from syncline.http import Connection


async def work(url: str, rate_limit: Any, requests: int, callers: int) -> list[str]:
    notices: list[str] = []
    left = iter(range(requests))
    with listening(lambda scope, event: notices.append(event.what) if isinstance(event, Noticed) else None):
        async with Connection(base_url=url, rate_limit=rate_limit, retry={"attempts": 20}).connect() as client:

            async def caller() -> None:
                for _ in left:
                    await client.send(client.request("GET", "/x"))

            await asyncio.gather(*(caller() for _ in range(callers)))
    return notices


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(**json.loads(sys.argv[1])))))
