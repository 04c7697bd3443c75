"""The transport against real servers on this machine, well-behaved and not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from syncline.errors import (
    BodyError,
    BrokenBodyError,
    CertificateError,
    OriginError,
    RequestError,
    TransportError,
)
from syncline.http import Client, Connection, decode_json_body
from syncline.http.resolver import AddressPolicy
from syncline.model import Response, Secret
from tests.http.raw import http, raw_server

ONCE = {"attempts": 1}
MB = 1_000_000


async def get(address: str, **configuration: Any) -> Response:
    configuration = {"retry": ONCE, **configuration}
    async with Connection(base_url=address, **configuration).connect() as client:
        return await client.send(client.request("GET", "/x", params={"q": "a b"}, decode=decode_json_body))


async def fails(address: str, kind: type[RequestError], **configuration: Any) -> RequestError:
    with pytest.raises(kind) as caught:
        await get(address, **configuration)
    assert type(caught.value) is kind
    assert "?" not in str(caught.value.to_data())
    return caught.value


async def test_a_request_as_it_is_sent():
    async with raw_server(http(b'{"a": 1.10}')) as server:
        response = await get(server.address, headers={"X-Key": Secret("s3cret")})
        assert str(response.document["a"]) == "1.10"
        assert response.elapsed > 0
    sent = server.requests[0].decode()
    assert sent.startswith("GET /x?q=a+b HTTP/1.1\r\n")
    assert "Accept-Encoding: gzip, deflate\r\n" in sent
    assert "User-Agent: syncline/" in sent
    assert "X-Key: s3cret\r\n" in sent


async def test_a_connection_is_used_again():
    async with raw_server(http(b"{}", "Connection: keep-alive")) as server:
        async with Connection(base_url=server.address).connect() as client:
            for _ in range(20):
                await client.send(client.request("GET", "/x"))
        assert (server.connections, len(server.requests)) == (1, 20)


async def test_the_environments_proxies_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with raw_server(http(b"{}")) as server:
        assert (await get(server.address)).status == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("gzip", gzip.compress(b'{"a"', mtime=0) + gzip.compress(b": 1}", mtime=0) + b"\0" * 8),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}', wbits=-15)),
        ("identity", b'{"a": 1}'),
    ],
)
async def test_every_content_coding_that_was_asked_for(coding, body):
    async with raw_server(http(body, f"Content-Encoding: {coding}")) as server:
        assert (await get(server.address)).document == {"a": 1}


async def test_a_coding_that_was_not_asked_for_has_a_name():
    async with raw_server(http(b"xx", "Content-Encoding: br")) as server:
        assert "'br'" in (await fails(server.address, BodyError)).what


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_r17_no_server_is_an_error_that_surely_sent_nothing():
    error = await fails(f"http://127.0.0.1:{free_port()}", TransportError)
    assert isinstance(error, TransportError)
    assert error.sent is False
    assert error.what == "no connection to '127.0.0.1'"


async def test_r17_no_name_is_an_error_that_surely_sent_nothing():
    error = await fails("http://nowhere.invalid", TransportError)
    assert isinstance(error, TransportError)
    assert error.sent is False
    assert "'nowhere.invalid' cannot be resolved" in error.what


BROKEN = {
    "cut off": http(b'{"a": 1', "Content-Length: 900"),
    "chunk cut off": http(b"10\r\n{}", "Transfer-Encoding: chunked"),
    "bad chunk": http(b"zz\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "bad gzip": http(b"this is no gzip", "Content-Encoding: gzip"),
    "half gzip": http(gzip.compress(b'{"a": "' + b"x" * 900 + b'"}')[:-12], "Content-Encoding: gzip"),
    "half json": http(b'{"a": [1, 2'),
    "html": http(b"<!doctype html><title>Maintenance &amp; tea</title>", "Content-Type: text/html"),
    "html said to be json": http(b"\n <html>", "Content-Type: application/json"),
    "empty": http(b""),
    "nan": http(b'{"a": NaN}'),
    "latin-1": http(b'{"a": "\xe4"}'),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_r17_a_broken_answer_has_a_name_and_is_asked_for_again(how):
    async with raw_server(BROKEN[how]) as server:
        error = await fails(server.address, BrokenBodyError)
        assert error.retryable
        assert error.status == (None if how == "bad chunk" else 200), (
            "the parser meets a bad chunk before the answer begins"
        )
        assert error.hint
        assert error.where["request"] == f"GET {server.address}/x"
    async with raw_server(BROKEN[how], http(b'{"fine": true}')) as server:
        response = await get(server.address, retry={"attempts": 2, "base": "10ms"})
        assert response.document == {"fine": True}
        assert len(server.requests) == 2


async def test_r18_html_with_status_200_shows_its_title():
    async with raw_server(BROKEN["html"]) as server:
        error = await fails(server.address, BrokenBodyError)
    assert error.what == "HTML came instead of JSON"
    assert error.evidence == "a page titled 'Maintenance & tea'"


async def test_r18_an_answer_without_content_is_none_only_if_its_status_says_so():
    async with raw_server(http(b"", status="204 No Content")) as server:
        assert (await get(server.address)).document is None


async def test_r17_silence_is_not_an_answer():
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with raw_server(hang_up) as server:
        error = await fails(server.address, TransportError)
        assert isinstance(error, TransportError)
        assert error.sent is True
        assert "without an answer" in error.what


async def test_r17_what_is_not_http_has_a_name():
    async with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as server:
        assert "not HTTP" in (await fails(server.address, TransportError)).what


@pytest.mark.slow
@pytest.mark.parametrize("where", ["body", "headers"])
async def test_r16_a_server_that_drips_a_byte_at_a_time_meets_the_total_deadline(where):
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 9999\r\n\r\n" if where == "body" else b"X-Slow: "))
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            return

    async with raw_server(drip) as server:
        began = time.monotonic()
        timeout = {"read": "500ms", "total": "1s"}
        async with asyncio.timeout(60):  # the server would drip for ever
            error = await fails(server.address, TransportError, retry={"attempts": 5}, timeout=timeout)
        assert time.monotonic() - began > 0.9
        assert error.what == "not finished within 1s in all"
        assert error.where["phase"] == "total"
        assert len(server.requests) == 1


async def test_r16_each_attempt_has_its_own_time_however_many_are_under_way():
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    async def timed(client: Client, wait: float) -> float:
        await asyncio.sleep(wait)
        began = time.monotonic()
        with pytest.raises(TransportError, match=r"not finished within 0\.5s in all"):
            await client.send(client.request("GET", "/x"))
        return time.monotonic() - began

    async with (
        raw_server(http(b"{}", "Connection: keep-alive"), never) as server,
        Connection(base_url=server.address, retry=ONCE, timeout={"total": "500ms"}).connect() as client,
    ):
        await client.send(client.request("GET", "/x"))  # its time would be over in the middle of the others'
        taken = await asyncio.gather(*(timed(client, wait) for wait in (0.1, 0.3, 0.3, 0.45)))
    assert all(0.45 < seconds < 1.0 for seconds in taken)


async def test_who_is_cancelled_by_somebody_else_in_the_moment_in_which_the_time_is_over_stays_cancelled():
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    async with (
        raw_server(never) as server,
        Connection(base_url=server.address, retry=ONCE, timeout={"total": "200ms"}).connect() as client,
    ):
        task = asyncio.create_task(client.send(client.request("GET", "/x")))
        await asyncio.sleep(0.1)
        time.sleep(0.2)  # noqa: ASYNC251 - so that both come in one step of the loop
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_r16_silence_is_named_by_its_phase():
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        await asyncio.sleep(3)

    async with raw_server(silent) as server:
        error = await fails(server.address, TransportError, timeout={"read": "200ms"})
    assert error.what == "the server was silent for 0.2s"
    assert error.evidence == "timeout.read; 1 bytes of the body had come"


async def test_r16_silence_counts_from_the_last_piece():
    """A body that takes much longer than `read` is no silence, and one timer serves all its pieces; silence after them is."""
    stopped: list[float] = []

    async def halting(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        for _ in range(8):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)
        stopped.append(time.monotonic() - 0.1)
        await asyncio.sleep(3)

    async with raw_server(halting) as server:
        error = await fails(server.address, TransportError, timeout={"read": "400ms"})
    assert error.evidence == "timeout.read; 8 bytes of the body had come"
    assert 0.35 < time.monotonic() - stopped[0] < 1.5


async def test_r16_a_connection_that_rested_longer_than_silence_may_last_is_used_again():
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(http(b"{}", "Connection: keep-alive"))
        await writer.drain()

    async with raw_server(http(b"{}", "Connection: keep-alive"), late) as server:
        async with Connection(base_url=server.address, timeout={"read": "300ms"}).connect() as client:
            await client.send(client.request("GET", "/x"))
            await asyncio.sleep(0.25)  # what was to be looked at for the first answer is due during the second
            assert (await client.send(client.request("GET", "/x"))).status == 200
        assert server.connections == 1


async def test_r16_a_connection_that_does_not_come_about_is_named_by_its_phase():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        error = await fails(f"http://127.0.0.1:{port}", TransportError, timeout={"connect": "300ms"})
        for other in others:
            other.close()
    assert isinstance(error, TransportError)
    assert error.sent is False
    assert error.what == "no connection within 0.3s"


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b"0" * MB
    return b"".join([packer.compress(b'"'), *(packer.compress(block) for _ in range(size // MB)), packer.flush()])


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2])
async def test_r19_a_decompression_bomb_is_refused_in_little_memory(layers):
    body = bomb(500 * MB)
    body = gzip.compress(body) if layers == 2 else body
    async with raw_server(http(body, "Content-Encoding: " + ", ".join(["gzip"] * layers))) as server:
        tracemalloc.start()
        try:
            error = await fails(server.address, BodyError)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 64 * MB
    assert error.retryable is False
    assert "max_ratio" in error.hint if layers == 1 else "gzip, gzip" in error.what


@pytest.mark.slow
@pytest.mark.parametrize("how", ["announced", "chunked", "compressed"])
async def test_r19_a_huge_page_is_refused_in_little_memory(how):
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        if how == "announced":
            writer.write(b"Content-Length: 900000000\r\n\r\n")
        else:
            coding = b"Content-Encoding: deflate\r\n" if how == "compressed" else b""
            writer.write(b"Transfer-Encoding: chunked\r\n" + coding + b"\r\n")
        packer = zlib.compressobj(1)
        import random

        block = random.Random(1).randbytes(500_000).hex().encode()
        try:
            while True:
                piece = packer.compress(block) if how == "compressed" else block
                writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n" if how != "announced" else piece)
                await writer.drain()
        except ConnectionError:
            return

    async with raw_server(endless) as server:
        tracemalloc.start()
        try:
            error = await fails(server.address, BodyError)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.what == "the answer is larger than max_body (32MB)"
    assert peak < 64 * MB
    if how == "announced":
        assert peak < 20 * MB


async def test_r19_a_small_answer_may_compress_well():
    async with raw_server(http(gzip.compress(b'"' + b"0" * 3 * MB + b'"'), "Content-Encoding: gzip")) as server:
        assert len((await get(server.address)).document) == 3 * MB


async def test_r19_json_nested_five_thousand_deep_has_a_name():
    async with raw_server(http(b'{"a":' * 5_000 + b"1" + b"}" * 5_000)) as server:
        error = await fails(server.address, BodyError)
    assert "900 levels" in error.what


@pytest.mark.parametrize("headers", [["X: " + "a" * 70_000], [f"X-{number}: a" for number in range(2_000)]])
async def test_r19_headers_without_end_have_a_name(headers):
    async with raw_server(http(b"{}", *headers)) as server:
        assert "headers are too large" in (await fails(server.address, BodyError)).what


@pytest.fixture
def own_certificate(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_nobody_knows_is_named(own_certificate):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=own_certificate)
    port = server.sockets[0].getsockname()[1]
    error = await fails(f"https://127.0.0.1:{port}", CertificateError)
    server.close()
    assert isinstance(error, CertificateError)
    assert error.sent is False
    assert error.what == "the certificate of '127.0.0.1' is signed by itself"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"]
)
def test_s3_metadata_addresses_are_always_refused(address):
    with pytest.raises(OriginError):
        AddressPolicy("api.test").check("api.test", address)
    with pytest.raises(OriginError):
        AddressPolicy("127.0.0.1").check("other.test", address)


def test_s3_other_hosts_are_private_only_where_the_configured_one_is():
    with pytest.raises(OriginError):
        AddressPolicy("api.test").check("cdn.test", "10.0.0.7")
    AddressPolicy("api.test").check("cdn.test", "93.184.216.34")
    AddressPolicy("localhost").check("cdn.test", "10.0.0.7")
    internal = AddressPolicy("api.internal")
    internal.check("api.internal", "10.0.0.5")
    internal.check("cdn.internal", "10.0.0.7")


async def test_s3_a_literal_metadata_address_is_never_asked():
    error = await fails("http://169.254.169.254", OriginError)
    assert "metadata" in error.what
