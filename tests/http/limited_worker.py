"""One of several processes that send to the same API: `main` with a JSON object as the program's argument.

It sends `requests` requests with `callers` tasks to `url` under `rate_limit` and prints what it noticed as a JSON list. With
`seconds` it keeps trying for so long, whatever comes, and prints how often each outcome came instead. `connection` are further
settings; who is `patient` goes on after a server's error; `skew` is by how many seconds the process's wall clock is wrong.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

from syncline.errors import ServerError, SynclineError
from syncline.events import Noticed, listening
from syncline.http import Client, Connection
from tests.http.skewed import Skewed

PAUSE = 0.02
"""Seconds from one try to the next; other processes decide what comes of it, so there is no clock to simulate."""


async def work(
    url: str,
    rate_limit: Any,
    *,
    requests: int,
    callers: int,
    seconds: float = 0.0,
    connection: Any = None,
    patient: bool = False,
    skew: float = 0.0,
) -> Any:
    notices: list[str] = []
    left = iter(range(requests))
    settings = {"retry": {"attempts": 20}, **(connection or {})}
    with listening(lambda scope, event: notices.append(event.what) if isinstance(event, Noticed) else None):
        async with Connection(base_url=url, rate_limit=rate_limit, **settings).connect(clock=Skewed(skew)) as client:
            if seconds:
                return await keep_trying(client, seconds)

            async def caller() -> None:
                for _ in left:
                    try:
                        await client.send(client.request("GET", "/x"))
                    except ServerError:
                        if not patient:
                            raise

            await asyncio.gather(*(caller() for _ in range(callers)))
    return notices


async def keep_trying(client: Client, seconds: float) -> dict[str, int]:
    outcomes: Counter[str] = Counter()
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await client.send(client.request("GET", "/x"))
                    outcomes["good"] += 1
                except SynclineError as error:
                    outcomes[error.code] += 1
                await asyncio.sleep(PAUSE)
    except TimeoutError:
        return dict(outcomes)


def main() -> int:
    print(json.dumps(asyncio.run(work(**json.loads(sys.argv[1])))))
    return 0
