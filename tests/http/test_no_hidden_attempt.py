"""Every attempt is ours: seen, limited, signed afresh; the library below sends nothing by itself."""

from __future__ import annotations

import asyncio

from syncline import events
from syncline.http import Connection
from tests.support.clock import SimulatedClock


async def test_a_reused_connection_that_died_is_an_attempt_of_ours() -> None:
    answered = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await reader.readuntil(b"\r\n\r\n"):
            answered += 1
            if answered == 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    seen: list[events.RequestSent] = []

    def listen(scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.RequestSent):
            seen.append(event)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        with events.listening(listen):
            async with Connection(base_url=f"http://127.0.0.1:{port}").connect(clock=SimulatedClock()) as client:
                await client.send(client.request("GET", "/one"))
                await client.send(client.request("GET", "/two"))
    finally:
        server.close()
    assert [(event.status, event.attempt) for event in seen] == [(200, 1), (0, 1), (200, 2)]
    assert answered == 3
