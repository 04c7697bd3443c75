"""A real server on a free loopback port that answers with exactly the bytes it is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.address = ""


@asynccontextmanager
async def raw_server(*answers: bytes | Answer) -> AsyncIterator[RawServer]:
    """Serves the answers in turn, the last for ever; a connection is closed after an answer that is not keep-alive."""
    server = RawServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                result = answers[min(len(server.requests), len(answers) - 1)]
                server.requests.append(request)
                if callable(result):
                    await result(writer)
                else:
                    writer.write(result)
                    await writer.drain()
                if callable(result) or b"keep-alive" not in result:
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(line.startswith(("Content-Length", "Transfer-Encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
