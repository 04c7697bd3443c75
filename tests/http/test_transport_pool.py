"""Connections: used again, no more than allowed, and all of them back after somebody gave up."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import BodyError, RequestError
from syncline.http import Connection
from syncline.http.inflate import BodyReader
from tests.http.raw import Answer, http, raw_server

ALIVE = http(b"{}", "Connection: keep-alive")


async def ask(client: Any) -> int:
    return (await client.send(client.request("GET", "/x"))).status


async def test_two_hundred_requests_in_a_row_take_one_connection() -> None:
    async with raw_server(ALIVE) as server, Connection(base_url=server.address).connect() as client:
        for _ in range(200):
            await ask(client)
        assert (server.connections, len(server.requests)) == (1, 200)


@pytest.mark.parametrize("most", [1, 8])
async def test_the_pool_never_has_more_connections_than_allowed(most: int) -> None:
    async with raw_server(ALIVE) as server, Connection(base_url=server.address, connections=most).connect() as client:
        for _ in range(3):
            await asyncio.gather(*(ask(client) for _ in range(50)))
        assert server.connections <= most
        assert len(server.requests) == 150


@pytest.mark.parametrize("when", ["before the answer", "within the answer"])
async def test_a_pool_whose_callers_gave_up_goes_on_as_before(when: str) -> None:
    """Every place in the pool was taken by a request that was cancelled; nothing of theirs is read by the next."""
    hang = asyncio.Event()

    async def stuck(writer: asyncio.StreamWriter) -> None:
        if when == "within the answer":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"stale": ')
            await writer.drain()
        await hang.wait()

    async with raw_server(*[stuck] * 20, ALIVE) as server:
        async with Connection(base_url=server.address, connections=4).connect() as client:
            for turn in range(1, 6):
                tasks = [asyncio.create_task(ask(client)) for _ in range(4)]
                for _ in range(1_000):
                    await asyncio.sleep(0.005)
                    if len(server.requests) == turn * 4:
                        break
                await asyncio.sleep(0.02)  # the answers' beginnings arrive
                for task in tasks:
                    task.cancel()
                assert all(
                    isinstance(end, BaseException) for end in await asyncio.gather(*tasks, return_exceptions=True)
                )
            begun = server.connections
            assert await asyncio.wait_for(asyncio.gather(*(ask(client) for _ in range(40))), 5) == [200] * 40
            assert server.connections - begun <= 4, "the new connections are used again"
        hang.set()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
async def test_no_connection_stays_open_after_failures() -> None:
    broken = http(b'{"a": 1', "Content-Length: 900")

    def open_files() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    async with (
        raw_server(broken) as server,
        Connection(base_url=server.address, retry={"attempts": 1}).connect() as client,
    ):
        before = open_files()
        for _ in range(30):
            with pytest.raises(RequestError):
                await ask(client)
        await asyncio.sleep(0.05)
        assert open_files() - before <= 2


def test_s30_a_body_of_a_million_tiny_pieces_is_as_small_as_one_of_a_few() -> None:
    reader = BodyReader("", most=4_000_000, ratio=200)
    tracemalloc.start()
    try:
        for _ in range(500_000):
            reader.feed(b"ab")
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert reader.finish() == b"ab" * 500_000
    assert held < 3_000_000


@pytest.mark.parametrize(
    "sizes", [[1], [5_000], [1, 5_000, 1, 1, 300_000, 2, 2, 300_000], [0, 0], [4_095, 4_096, 4_097]]
)
def test_pieces_of_any_size_come_out_in_their_order(sizes: list[int]) -> None:
    reader = BodyReader("", most=4_000_000, ratio=200)
    pieces = [bytes([97 + number]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        reader.feed(piece)
    body = reader.finish()
    assert body == b"".join(pieces)
    assert type(body) is bytes


def endless(start: bytes, more: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        try:
            while True:
                writer.write(more * (20_000 // len(more) + 1))
                await writer.drain()
        except ConnectionError:
            return

    return answer


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "header lines": endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
    "cookies": endless(b"HTTP/1.1 200 OK\r\n", b"Set-Cookie: a=b\r\n"),
    "a header's name": endless(b"HTTP/1.1 200 OK\r\n", b"x"),
    "a header's value": endless(b"HTTP/1.1 200 OK\r\nX-More: ", b"x"),
    "the status line": endless(b"HTTP/1.1 200 ", b"O"),
    "folded lines": endless(b"HTTP/1.1 200 OK\r\nX-More: a", b"\r\n b"),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "a body without length": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"["),
    "chunks": endless(CHUNKED, b"1\r\n[\r\n"),
    "a chunk's extension": endless(CHUNKED + b"1;", b"x"),
    "a chunk's size": endless(CHUNKED, b"0"),
    "trailers": endless(CHUNKED + b"1\r\n1\r\n0\r\n", b"X-More: and more\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ENDLESS)
async def test_s30_an_answer_without_end_ends_with_a_name_in_little_memory(what: str) -> None:
    async with raw_server(ENDLESS[what]) as server:
        configuration = {"retry": {"attempts": 1}, "timeout": {"total": "4s"}, "max_body": "4MB"}
        async with Connection(base_url=server.address, **configuration).connect() as client:
            tracemalloc.start()
            try:
                with pytest.raises(RequestError) as caught:
                    await asyncio.wait_for(ask(client), 8)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    assert caught.value.hint
    assert caught.value.what
    assert peak < 24_000_000, f"{peak / 1e6:.0f} MB for {caught.value.what}"


async def test_s30_headers_are_capped_by_number_and_by_size() -> None:
    many = http(b"{}", *[f"X-{number}: a" for number in range(60)])
    large = http(b"{}", "X-Large: " + "a" * 9_000)
    for answer, caps in ((many, {"headers": 50}), (large, {"header_size": 8_000})):
        async with raw_server(answer) as server:
            async with Connection(base_url=server.address, caps=caps, retry={"attempts": 1}).connect() as client:
                with pytest.raises(BodyError, match="headers are too large") as caught:
                    await ask(client)
                assert f"caps.{next(iter(caps))}" in str(caught.value.hint)
            async with Connection(base_url=server.address).connect() as client:
                assert await ask(client) == 200
