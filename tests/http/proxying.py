"""A small HTTP proxy: CONNECT for https, whole addresses for http."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class SmallProxy:
    """Sends every request to `target`, whatever host it names: the names in the tests exist nowhere."""

    def __init__(self, target: str, user: str | None = None, password: str = "") -> None:
        self.target = target
        self.address = ""
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.refusal: int | None = None
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._wanted = None if user is None else f"Proxy-Authorization: Basic {credentials}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            lines = head.decode().split("\r\n")
            self.asked.append(" ".join(lines[0].split()[:2]))
            if self._wanted is not None and self._wanted not in lines:
                self.refusal = 407
            if self.refusal is not None:
                writer.write(f"HTTP/1.1 {self.refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            host, port = self.target.rpartition("//")[2].split(":")
            inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
            if lines[0].startswith("CONNECT"):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                inner_writer.write(head)
            both = asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
            await both
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def small_proxy(target: str, user: str | None = None, password: str = "") -> AsyncIterator[SmallProxy]:
    proxy = SmallProxy(target, user, password)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
