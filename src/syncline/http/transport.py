"""The end of the way: bytes to the server and back, and a name for everything that can break there."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.auth import Certificate
from syncline.errors import BodyError, BrokenBodyError, OriginError, RequestError, TransportError
from syncline.http.cuts import notice_cut
from syncline.http.inflate import BodyReader, too_large
from syncline.http.resolver import AddressPolicy, guarded_resolver
from syncline.http.send import Send
from syncline.http.snippets import printable
from syncline.http.tls import client_context
from syncline.model import Clock, Request, Response, format_duration, reveal

MOST_HEADER_BYTES = 65_536
MOST_HEADERS = 256


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """What the transport keeps to; seconds and bytes."""

    home_host: str
    connect: float
    read: float
    total: float
    max_body: int
    max_ratio: float
    connections: int
    certificate: Certificate | None = None
    certified: Callable[[str], bool] = bool
    """Whether the certificate may be shown at an address."""


@lru_cache(maxsize=1)
def user_agent() -> str:
    try:
        return f"syncline/{version('syncline')}"
    except PackageNotFoundError:
        return "syncline"


@asynccontextmanager
async def open_transport(wire: Wire, clock: Clock, policy: AddressPolicy | None = None) -> AsyncIterator[Send]:
    """One pool of connections, closed at the end. No proxies or credentials are taken from the environment.

    `policy` says which addresses may be asked, where that is not what suits an API at `home_host`.
    """
    import aiohttp  # late: it takes a tenth of a second, and most verbs send nothing

    policy = policy or AddressPolicy(wire.home_host)
    connector = aiohttp.TCPConnector(limit=wire.connections, ttl_dns_cache=60, resolver=guarded_resolver(policy))
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=wire.total, sock_connect=wire.connect, sock_read=wire.read),
        auto_decompress=False,
        trust_env=False,
        max_field_size=MOST_HEADER_BYTES,
        max_line_size=MOST_HEADER_BYTES,
        max_headers=MOST_HEADERS,
        headers={"User-Agent": user_agent(), "Accept-Encoding": "gzip, deflate", "Accept": "*/*"},
    )
    # left to itself, aiohttp sends once more when a reused connection died: with an old signature, outside of limits and accounts
    session._retry_connection = False
    try:
        yield _sender(session, wire, policy, clock)
    finally:
        await session.close()


def _sender(session: Any, wire: Wire, policy: AddressPolicy, clock: Clock) -> Send:
    tls = client_context(wire.certificate) if wire.certificate else None
    from yarl import URL  # comes with aiohttp

    translate = _translator(wire)

    async def send(request: Request) -> Response:
        began = clock.monotonic()
        progress = _Progress()
        try:
            host = URL(request.url).host or ""
            policy.check(host, host)
            call = session.request(
                request.method,
                URL(request.target, encoded=True),
                headers=_headers(request),
                data=request.content,
                allow_redirects=False,
                ssl=tls if tls is not None and wire.certified(request.url) else True,
            )
            async with call as answer:
                progress.status = answer.status
                notice_cut(answer)
                body = await _read(answer, wire, progress, request.method)
                arrived = clock.monotonic()
                return Response(
                    status=answer.status,
                    headers=answer.headers,
                    body=body,
                    url=request.url,
                    elapsed=arrived - began,
                    received_at=arrived,
                )
        except RequestError as error:
            error.status = error.status or progress.status
            raise error.at(request=request.shown) from None
        except Exception as error:
            raise translate(error, request, progress) from None

    return send


class _Progress(msgspec.Struct):
    """How far an exchange came, for its error."""

    status: int | None = None
    received: int = 0


def _headers(request: Request) -> dict[str, str]:
    headers = {}
    typed = False
    for name, value in request.headers.items():
        headers[name] = reveal(value)
        typed = typed or name.lower() == "content-type"
    if not typed:
        if request.form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif request.json is not None:
            headers["Content-Type"] = "application/json"
        elif request.body is not None:
            headers["Content-Type"] = "application/octet-stream"
    return headers


async def _read(answer: Any, wire: Wire, progress: _Progress, method: str) -> bytes:
    coding = answer.headers.get("Content-Encoding", "")
    announced = answer.content_length
    if method == "HEAD" or (announced == 0 and answer.status != 200):
        return b""
    if announced is not None and announced > wire.max_body:
        raise too_large(wire.max_body, announced)
    reader = BodyReader(coding, most=wire.max_body, ratio=wire.max_ratio)
    async for chunk in answer.content.iter_any():
        progress.received += len(chunk)
        reader.feed(chunk)
    return reader.finish()


Translate = Callable[[Exception, Request, _Progress], RequestError]


def _translator(wire: Wire) -> Translate:
    """From what the HTTP library, the sockets and TLS raise to errors of ours. What is no matter of the network stays a bug."""
    import aiohttp
    from aiohttp import http_exceptions

    def translate(error: Exception, request: Request, progress: _Progress) -> RequestError:
        where: dict[str, Any] = {"request": request.shown, "status": progress.status}
        said = _said(error)
        if isinstance(error, TimeoutError):
            return _timed_out(error, wire, request, progress, said)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
            return _untrusted(error, where)
        if isinstance(error, aiohttp.ClientConnectorError):
            return _unreached(error, request, where, said)
        if isinstance(error, aiohttp.ClientPayloadError | http_exceptions.PayloadEncodingError):
            return BrokenBodyError(
                f"the answer broke off after {progress.received} bytes",
                evidence=said,
                hint="if it stays, ask for smaller pages",
                **where,
            )
        if isinstance(error, aiohttp.ClientResponseError):
            return _unreadable(printable(error.message, 160), where)
        if isinstance(error, aiohttp.InvalidURL | UnicodeError | ValueError):
            return OriginError(
                "the request cannot be written as HTTP",
                evidence=type(error).__name__,
                hint="check the stream's path, headers and parameters for control characters",
                **where,
            )
        if isinstance(error, aiohttp.ClientError | OSError):
            if progress.status is not None:
                return BrokenBodyError(
                    f"the connection broke after {progress.received} bytes of the answer", evidence=said, **where
                )
            return TransportError(
                "the server closed the connection without an answer",
                evidence=said,
                hint="try again; if it stays, look at the API's status page",
                **where,
            )
        raise error

    return translate


def _said(error: Exception) -> str:
    """The library's words, without the address, whose query may be secret."""
    text = printable(str(error), 160)
    return type(error).__name__ if "://" in text or not text else f"{type(error).__name__}: {text}"


def _timed_out(error: Exception, wire: Wire, request: Request, progress: _Progress, said: str) -> TransportError:
    import aiohttp

    where: dict[str, Any] = {"request": request.shown, "status": progress.status}
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TransportError(
            f"no connection within {format_duration(wire.connect)}",
            sent=False,
            evidence=f"timeout.connect; host {urlsplit(request.url).hostname}",
            hint="check base_url and the network; or raise timeout.connect",
            phase="connect",
            **where,
        )
    if isinstance(error, aiohttp.SocketTimeoutError):
        return TransportError(
            f"the server was silent for {format_duration(wire.read)}",
            evidence=f"timeout.read; {progress.received} bytes of the body had come",
            hint="ask for smaller pages, or raise timeout.read",
            phase="read",
            **where,
        )
    return TransportError(
        f"not finished within {format_duration(wire.total)} in all",
        evidence=f"timeout.total; {progress.received} bytes of the body had come",
        hint="ask for smaller pages, or raise timeout.total",
        phase="total",
        **where,
    )


def _untrusted(error: Exception, where: dict[str, Any]) -> TransportError:
    inner = getattr(error, "certificate_error", error)
    reason = getattr(inner, "verify_message", None) or printable(str(inner), 160)
    return TransportError(
        f"the server's certificate is not trusted: {reason}",
        sent=False,
        hint="check base_url's host name; for an own authority set SSL_CERT_FILE to its certificate",
        phase="certificate",
        **where,
    )


def _unreached(error: Exception, request: Request, where: dict[str, Any], said: str) -> TransportError:
    import aiohttp

    host = urlsplit(request.url).hostname
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        what, hint = f"the name {host!r} cannot be resolved", "check base_url's host name, and the network's DNS"
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        what, hint = f"no TLS connection to {host!r}", "check that base_url's scheme and port belong together"
    else:
        what, hint = f"no connection to {host!r}", "check base_url's host and port, and that the server is running"
    return TransportError(what, sent=False, evidence=said, hint=hint, phase="connect", **where)


def _unreadable(said: str, where: dict[str, Any]) -> RequestError:
    """The HTTP parser gave up; only its words tell at what."""
    if "Too many headers" in said or "Got more than" in said:
        return BodyError(
            f"the answer's headers are too large (over {MOST_HEADER_BYTES} bytes a line or {MOST_HEADERS} lines)",
            hint="ask the provider; no honest answer needs so many",
            **where,
        )
    if "chunk" in said.lower():
        return BrokenBodyError(
            "the answer's chunks are broken", evidence=said, hint="if it stays, ask the provider", **where
        )
    return TransportError(
        "the server answered something that is not HTTP",
        evidence=said,
        hint="check base_url: its scheme, host and port",
        **where,
    )
