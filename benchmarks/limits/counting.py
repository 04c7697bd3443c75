"""A server that allows so many requests a second, counted in one of three ways, and reports what it saw.

GET /x        200, or 429 with Retry-After in whole seconds
GET /report   {"accepted": [seconds, …], "refused": number}

Prints its address on standard output once it listens. Speaks as much HTTP/1.1 as the clients here need: GET, keep-alive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import time
from collections import deque
from collections.abc import Callable

Count = Callable[[float], float | None]
"""Given the time: None, the request is accepted; or seconds until the next will be."""


def fixed_window(rate: int) -> Count:
    """At most `rate` in each second of the clock."""
    window, used = -1, 0

    def count(now: float) -> float | None:
        nonlocal window, used
        if int(now) != window:
            window, used = int(now), 0
        if used < rate:
            used += 1
            return None
        return window + 1 - now

    return count


def sliding_window(rate: int) -> Count:
    """At most `rate` in any second."""
    log: deque[float] = deque()

    def count(now: float) -> float | None:
        while log and log[0] + 1 <= now:
            log.popleft()
        if len(log) < rate:
            log.append(now)
            return None
        return log[0] + 1 - now

    return count


def token_bucket(rate: int) -> Count:
    """A bucket of `rate` tokens that is refilled evenly."""
    tokens, at = float(rate), time.monotonic()

    def count(now: float) -> float | None:
        nonlocal tokens, at
        tokens, at = min(rate, tokens + (now - at) * rate), now
        if tokens >= 1:
            tokens -= 1
            return None
        return (1 - tokens) / rate

    return count


KINDS = {"fixed window": fixed_window, "sliding window": sliding_window, "token bucket": token_bucket}


class Server:
    """What was accepted, and how many were not."""

    def __init__(self, count: Count) -> None:
        self.count = count
        self.accepted: list[float] = []
        self.refused = 0

    def answer(self, line: bytes) -> bytes:
        if line.startswith(b"GET /report"):
            body = json.dumps({"accepted": self.accepted, "refused": self.refused}).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
                len(body),
                body,
            )
        now = time.monotonic()
        wait = self.count(now)
        if wait is None:
            self.accepted.append(now)
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        self.refused += 1
        return b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n" % math.ceil(wait)


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server, self.buffer = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self.transport.write(self.server.answer(head.split(b"\r\n", 1)[0]))


async def serve(kind: str, rate: int) -> None:
    loop = asyncio.get_running_loop()
    counting = Server(KINDS[kind](rate))
    server = await loop.create_server(lambda: Connection(counting), "127.0.0.1", 0)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--rate", type=int, required=True)
    args = parser.parse_args()
    asyncio.run(serve(args.kind, args.rate))


if __name__ == "__main__":
    main()
