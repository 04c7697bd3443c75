"""A server that costs almost nothing: every page is rendered before the first request, and answered with one write.

GET /orders               the first page: {"data": [...], "meta": {"next_cursor": "c1", "total": 100000}}
GET /orders?cursor=c1     the page after it; next_cursor is null on the last one
GET /orders?page=2        the same by number, from 1
GET /orders?part=1        the same as a list of its own, from 0; GET /parts/1 too
GET /parts                the numbers of these lists: {"data": [{"id": 0}, ...]}

Prints its address on standard output once it listens. Speaks as much HTTP/1.1 as the clients here need: GET, keep-alive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from typing import Any

from orders import order

PLACE = re.compile(rb"[?&](cursor=c|page=|part=)(\d+)|/parts/(\d+)")


def render(records: int, page_size: int) -> list[bytes]:
    """Whole responses, head and body, one a page."""
    pages = []
    for start in range(0, records, page_size):
        end = min(start + page_size, records)
        following = f"c{end // page_size}" if end < records else None
        document = {
            "data": [order(number) for number in range(start, end)],
            "meta": {"next_cursor": following, "total": records},
        }
        pages.append(answer(document))
    return pages


def answer(document: dict[str, Any]) -> bytes:
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One client's connection; `latency` in seconds is waited before each answer."""

    def __init__(self, pages: list[bytes], latency: float) -> None:
        self.pages, self.latency = pages, latency
        self.parts = answer({"data": [{"id": number} for number in range(len(pages))]})
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            answer = self.answer(head.split(b"\r\n", 1)[0])
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.transport.write, answer)
            else:
                self.transport.write(answer)

    def answer(self, line: bytes) -> bytes:
        if line.startswith(b"GET /parts "):
            return self.parts
        found = PLACE.search(line)
        number = 0 if found is None else int(found[2] or found[3]) - (found[1] == b"page=")
        if not line.startswith((b"GET /orders", b"GET /parts/")) or number >= len(self.pages):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return self.pages[number]


async def serve(pages: list[bytes], latency: float, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pages, latency), "127.0.0.1", port)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds before each answer")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    args = parser.parse_args()
    asyncio.run(serve(render(args.records, args.page_size), args.latency / 1000, args.port))


if __name__ == "__main__":
    main()
