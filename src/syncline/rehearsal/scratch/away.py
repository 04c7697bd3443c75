"""A way to a database server that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

PIECE = 65_536
IN_VAIN = 3
"""How many connections are refused before the server is there again."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Coroutine[Any, Any, Streams]]


class Way:
    """Passes bytes on to a server, on a port of the loopback address.

    Taken away, every connection is cut, and the next few are refused; how long that takes is up to whoever connects.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = 0
        self.port = 0

    def take_away(self) -> None:
        self._refusing = IN_VAIN
        for writer in self._open:
            writer.transport.abort()

    def give_back(self) -> None:
        self._refusing = 0

    async def arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Whoever connects."""
        if self._refusing:
            self._refusing -= 1
            writer.transport.abort()
            return
        there, beyond = await self._connect()
        ends = {writer, beyond}
        self._open |= ends
        for task in (asyncio.create_task(_pass(reader, beyond)), asyncio.create_task(_pass(there, writer))):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: self._part(ends))

    def _part(self, ends: set[asyncio.StreamWriter]) -> None:
        for writer in ends:
            writer.close()
        self._open -= ends

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:  # one end is gone, and the other is told by being closed
        return


@asynccontextmanager
async def way_to(connect: Connect) -> AsyncIterator[Way]:
    way = Way(connect)
    server = await asyncio.start_server(way.arrive, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        await way.close()
