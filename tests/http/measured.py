"""The benchmark of limits in simulated time, with delays as they were measured: `python -m tests.http.measured` prints its table.

The delays are those of 4,500 requests at 500/s over loopback, on two cores with a load average of 2.8. They are drawn one
by one: that in reality one hold-up often delays several requests is not part of it.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from unittest.mock import patch

from syncline.http import Connection, shared_keeper
from syncline.http.shared_store import Kept
from syncline.model import Request, Response
from tests.http.servers import Counter, answer, fixed_window, sliding_window, token_bucket
from tests.http.timeline import Timeline

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0)
THERE = (0.11, 0.27, 0.31, 0.36, 0.52, 1.53, 3.6, 3.96, 5.43, 25.33)
"""Milliseconds from a request's leave to its arrival, not exceeded by that share of them."""
BACK = (0.09, 0.21, 0.28, 0.62, 1.14, 1.75, 4.69, 5.26, 6.06, 24.83)
"""Milliseconds from its arrival to when its answer is known."""
LATEST_WAKING = 0.0011
"""An event loop sleeps for whole milliseconds and looks up a little later."""
CALLERS = 48
KINDS = {"fixed window": fixed_window, "sliding window": sliding_window, "token bucket": token_bucket}


class Late(Timeline):
    """Whoever sleeps wakes up late."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self._chance.random() * LATEST_WAKING)


class Server:
    """Answers after delays as they were measured; remembers when it accepted, and how often it did not."""

    def __init__(self, clock: Late, counter: Counter, chance: random.Random) -> None:
        self._clock, self._counter, self._chance = clock, counter, chance
        self.accepted: list[float] = []
        self.refused = 0

    async def __call__(self, request: Request) -> Response:
        await Timeline.sleep(self._clock, self._drawn(THERE))
        now = self._clock.monotonic()
        wait = self._counter(now)
        if wait is None:
            self.accepted.append(now)
        else:
            self.refused += 1
        await Timeline.sleep(self._clock, self._drawn(BACK))
        headers = {} if wait is None else {"Retry-After": str(int(wait) + 1)}
        return answer(200 if wait is None else 429, headers, url=request.url)

    def _drawn(self, delays: tuple[float, ...]) -> float:
        at = self._chance.random()
        step = min(bisect_right(SHARES, at), len(SHARES) - 1)
        low, high = SHARES[step - 1], SHARES[step]
        return (delays[step - 1] + (delays[step] - delays[step - 1]) * (at - low) / (high - low)) / 1000


class Store:
    """A shared memory that takes from 0.2 to 1 ms to look at."""

    def __init__(self, clock: Late, chance: random.Random) -> None:
        self._clock, self._chance = clock, chance
        self._version, self._value = 0, b""

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        await Timeline.sleep(self._clock, 0.0002 + self._chance.random() * 0.0008)
        stored = value is not None and known == self._version
        if stored and value is not None:
            self._version, self._value = known + 1, value
        found = self._value if self._version != known and self._version else None
        return Kept(stored, self._version, value if stored else found, self._clock.now().timestamp())

    async def close(self) -> None:
        """Nothing is open."""


async def share_and_refusals(kind: str, rate: int, processes: int, *, seconds: int, seed: int) -> tuple[float, int]:
    """The share of the rate that was used after the first two seconds, and how many requests were refused."""
    chance = random.Random(seed)
    clock = Late(chance)
    server, store = Server(clock, KINDS[kind](rate, 1.0), chance), Store(clock, chance)
    limits = {"limits": [f"{rate}/s"], "shared": processes > 1}
    connection = Connection.model_validate(
        {"base_url": "https://api.test", "rate_limit": limits, "retry": {"attempts": 100}}
    )
    left = iter(range(rate * seconds))

    async def process() -> None:
        async with connection.connect(clock=clock, transport=server, chance=chance.random) as client:

            async def caller() -> None:
                for _ in left:
                    await client.send(client.request("GET", "/x"))

            await asyncio.gather(*(caller() for _ in range(CALLERS // processes)))

    async def everything() -> None:
        await asyncio.gather(*(process() for _ in range(processes)))

    with (
        patch.object(shared_keeper, "open_store", lambda limits, clock: store),
        patch.object(shared_keeper, "STORE_SECONDS", 3_600.0),  # real ones, which count for nothing here
    ):
        await clock.run(everything())
    first, seen = 2 * rate, server.accepted
    return (len(seen) - first) / (rate * (seen[-1] - seen[first - 1])), server.refused


def table(seconds: int = 14, seeds: tuple[int, ...] = (1, 2, 3)) -> str:
    """The least share of several runs and all their refusals, as Markdown."""
    rows = [["rate", "processes", *KINDS], ["---:", "---:", *["---:"] * len(KINDS)]]
    for rate in (50, 500):
        for processes in (1, 4):
            cells = []
            for kind in KINDS:
                runs = [
                    asyncio.run(share_and_refusals(kind, rate, processes, seconds=seconds, seed=seed)) for seed in seeds
                ]
                cells.append(f"{min(share for share, _ in runs):.2%} · {sum(refused for _, refused in runs)}")
            rows.append([f"{rate}/s", str(processes), *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    print(table())
