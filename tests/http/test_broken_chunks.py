"""Chunks that break after the headers have come: the HTTP library alone would wait for them until the total timeout."""

from __future__ import annotations

import asyncio
import logging

import pytest

from syncline.errors import BrokenBodyError
from syncline.http import Connection
from tests.http.raw import http, raw_server

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = http(b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Connection: keep-alive")


def in_pieces(*pieces: bytes, pause: float = 0.02):
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


@pytest.mark.parametrize("pause", [0.0, 0.02])
@pytest.mark.parametrize("pieces", [(b"zz\r\nlorem",), (b"2\r\n{}\r\n", b"no chunk\r\n"), (b"2\r\n{}XX5\r\n",)])
async def test_r17_a_broken_chunk_ends_the_attempt_at_once(pieces: tuple[bytes, ...], pause: float) -> None:
    async with raw_server(in_pieces(HEAD, *pieces, pause=pause)) as server:
        connection = Connection(base_url=server.address, retry={"attempts": 1}, timeout={"total": "60s"})
        async with connection.connect() as client:
            with pytest.raises(BrokenBodyError):  # and not that the deadline has passed
                await client.send(client.request("GET", "/"))


async def test_a_connection_that_closes_after_whole_answers_breaks_none_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And leaves nothing in the log of the event loop."""
    closing = in_pieces(GOOD.replace(b"keep-alive", b"close"))
    caplog.set_level(logging.DEBUG, logger="asyncio")
    async with raw_server(GOOD, GOOD, closing) as server, Connection(base_url=server.address).connect() as client:
        bodies = [(await client.send(client.request("GET", "/"))).body for _ in range(4)]
    assert bodies == [b"{}"] * 4
    assert server.connections == 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
