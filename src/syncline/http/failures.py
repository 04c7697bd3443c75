"""From what the HTTP library, the sockets and TLS raise to errors of ours."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.errors import (
    AuthError,
    BodyError,
    BrokenBodyError,
    CertificateError,
    OriginError,
    RequestError,
    TransportError,
)
from syncline.http.snippets import printable
from syncline.http.wire import Wire
from syncline.model import Request, format_duration, format_size

OWN_AUTHORITY = "for an authority of your own write tls: {ca: path/to/ca.pem}"
CERTIFICATE_FAULTS = {
    9: ("is not valid yet", "check this machine's clock, then the server's certificate"),
    10: ("has expired", "ask the provider to renew it; check this machine's clock"),
    18: ("is signed by itself", f"check base_url; {OWN_AUTHORITY}"),
    19: ("is signed by an authority that nobody knows", OWN_AUTHORITY),
    20: ("is signed by an authority that is not known here", f"the server may not send its chain; {OWN_AUTHORITY}"),
    21: ("is signed by an authority that is not known here", f"the server may not send its chain; {OWN_AUTHORITY}"),
    23: ("was revoked", "ask the provider; do not go on"),
    62: ("belongs to another host", "check base_url's host name"),
    64: ("belongs to another address", "write base_url with the host name that the certificate names"),
    66: ("has a key that is too weak", "ask the provider for a longer key"),
    67: ("is signed by an authority whose key is too weak", "ask the provider for another certificate"),
    68: ("is signed with a hash that is too weak", "ask the provider for another certificate"),
}
"""What OpenSSL's verification codes mean (x509_vfy.h), and what to do."""


class Progress(msgspec.Struct):
    """How far an exchange came, for its error."""

    status: int | None = None
    received: int = 0
    proxy: str | None = None
    """The host of the proxy on the way."""


Translate = Callable[[Exception, Request, Progress], RequestError]


def translator(wire: Wire) -> Translate:
    """Names what went wrong; what is no matter of the network is raised as it is, and stays a bug."""
    import aiohttp  # late: the transport has it already
    from aiohttp import http_exceptions

    def translate(error: Exception, request: Request, progress: Progress) -> RequestError:
        where: dict[str, Any] = {"request": request.shown, "status": progress.status}
        said = _said(error)
        if isinstance(error, TimeoutError):
            return _timed_out(error, wire, request, progress, said)
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return proxy_refused(error.status, progress, where)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
            return _untrusted(error, request, where)
        if isinstance(error, aiohttp.ClientConnectorError):
            return _unreached(error, request, progress, where, said)
        if isinstance(error, aiohttp.ClientPayloadError | http_exceptions.PayloadEncodingError):
            return BrokenBodyError(
                f"the answer broke off after {progress.received} bytes",
                evidence=said,
                hint="if it stays, ask for smaller pages",
                **where,
            )
        if isinstance(error, aiohttp.ClientResponseError):
            return _unreadable(printable(error.message, 160), wire, where)
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
            return _unanswered(error, said, where)
        raise error

    return translate


def proxy_refused(status: int, progress: Progress, where: dict[str, Any]) -> RequestError:
    """A proxy's own answer, in the place of the API's."""
    where = {**where, "phase": "proxy", "status": status}
    if status == 407:
        return AuthError(
            f"the proxy {progress.proxy!r} wants credentials",
            hint="write them into proxy by reference: ${PROXY} with http://user:password@host:port",
            **where,
        )
    return TransportError(
        f"the proxy {progress.proxy!r} did not connect: it answered {status}",
        sent=False,
        hint="ask the proxy's operator whether this host is allowed; check the proxy's address",
        **where,
    )


def _said(error: Exception) -> str:
    """The system's or the library's words, without the address, whose query may be secret."""
    error = getattr(
        error, "os_error", error
    )  # of a connection that was not made: the cause says it without aiohttp's wrapping
    text = printable(str(error), 160)
    return type(error).__name__ if "://" in text or not text else f"{type(error).__name__}: {text}"


def _timed_out(error: Exception, wire: Wire, request: Request, progress: Progress, said: str) -> TransportError:
    import aiohttp  # late: the transport has it already

    where: dict[str, Any] = {"request": request.shown, "status": progress.status}
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TransportError(
            f"no connection within {format_duration(wire.connect)}",
            sent=False,
            evidence=f"timeout.connect; host {progress.proxy or urlsplit(request.url).hostname}",
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


def _untrusted(error: Exception, request: Request, where: dict[str, Any]) -> CertificateError:
    inner = getattr(error, "certificate_error", error)
    reason = getattr(inner, "verify_message", None) or printable(str(inner), 160)
    host = getattr(error, "host", None) or urlsplit(request.url).hostname
    fault, hint = CERTIFICATE_FAULTS.get(
        getattr(inner, "verify_code", 0), ("is not trusted", f"check base_url's host name; {OWN_AUTHORITY}")
    )
    return CertificateError(
        f"the certificate of {host!r} {fault}", sent=False, evidence=reason, hint=hint, phase="certificate", **where
    )


def _unreached(
    error: Exception, request: Request, progress: Progress, where: dict[str, Any], said: str
) -> TransportError:
    import aiohttp  # late: the transport has it already

    host = urlsplit(request.url).hostname
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _no_tls(error.os_error, f"no TLS connection to {host!r}", where)
    if isinstance(error, aiohttp.ClientProxyConnectionError) or (progress.proxy and error.host == progress.proxy):  # type: ignore[attr-defined]
        what, hint = f"no connection to the proxy {progress.proxy!r}", "check the proxy's address; is it running?"
    elif isinstance(getattr(error, "os_error", None), ConnectionResetError) and request.url.startswith("https:"):
        what = f"no TLS connection to {host!r}: the server hung up while it was made"
        hint = (
            "check base_url's port; the server may speak no TLS there, only old versions, or want a certificate of ours"
        )
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        what, hint = f"the name {host!r} cannot be resolved", "check base_url's host name, and the network's DNS"
    else:
        what, hint = f"no connection to {host!r}", "check base_url's host and port, and that the server is running"
    return TransportError(what, sent=False, evidence=said, hint=hint, phase="connect", **where)


TLS_FAULTS = {
    "WRONG_VERSION_NUMBER": "the port does not speak TLS: check that base_url's scheme and port belong together",
    "RECORD_LAYER_FAILURE": "the port does not speak TLS: check that base_url's scheme and port belong together",
    "PROTOCOL_VERSION": "the server speaks only old versions of TLS: ask the provider for TLS 1.2 or later",
    "UNSUPPORTED_PROTOCOL": "the server speaks only old versions of TLS: ask the provider for TLS 1.2 or later",
    "CERTIFICATE_REQUIRED": "the server wants a certificate of ours: auth: {kind: mtls, certificate: …, key: …}",
    "HANDSHAKE_FAILURE": "the server may want a certificate of ours: auth: {kind: mtls, certificate: …, key: …}",
    "BAD_CERTIFICATE": "the server does not accept our certificate: check that of auth: {kind: mtls}",
    "UNKNOWN_CA": "the server does not accept our certificate: check that of auth: {kind: mtls}",
}


def _no_tls(error: BaseException, what: str, where: dict[str, Any], *, sent: bool = False) -> TransportError:
    reason = str(getattr(error, "reason", None) or type(error).__name__)
    hint = next((hint for name, hint in TLS_FAULTS.items() if name in reason), "check base_url's scheme, host and port")
    return TransportError(what, sent=sent, evidence=reason.lower().replace("_", " "), hint=hint, phase="tls", **where)


def _unanswered(error: Exception, said: str, where: dict[str, Any]) -> TransportError:
    """In TLS 1.3 the server refuses our certificate, or its absence, after the connection has been made."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "os_error", None)
    if cause is not None:
        return _no_tls(cause, "the server ended the TLS connection", where, sent=True)
    return TransportError(
        "the server closed the connection without an answer",
        evidence=said,
        hint="try again; if it stays, look at the API's status page",
        **where,
    )


def _unreadable(said: str, wire: Wire, where: dict[str, Any]) -> RequestError:
    """The HTTP parser gave up; only its words tell at what."""
    if "Too many headers" in said or "Got more than" in said:
        return BodyError(
            f"the answer's headers are too large (over {format_size(wire.header_size)} a line or {wire.headers} lines)",
            hint="ask the provider; if they are honest, raise caps.header_size or caps.headers",
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
