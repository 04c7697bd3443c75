"""The way to the API, without its credentials: name, certificate, clock."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from syncline.cli.doctor.finding import Finding, broken, ok, skipped, warned
from syncline.errors import SynclineError
from syncline.http.origins import is_loopback
from syncline.http.transport import open_transport
from syncline.http.trust import INSECURE, Tls, Trust
from syncline.model import Clock, Request, reveal
from syncline.model.units import span
from syncline.sources import HttpSource

PATIENCE = 5.0
MOST_SKEW = 30.0
SOON = timedelta(days=21)


async def all_checks(source: HttpSource, clock: Clock, *, offline: bool) -> list[Finding]:
    """DNS, TLS and clock of a source whose address is resolved."""
    url = reveal(source.base_url)
    if offline:
        return [skipped(check, "not looked at (--offline)") for check in ("dns", "tls", "clock")]
    if getattr(source, "proxy", None) is not None:
        by_proxy = [skipped(check, "the proxy's matter") for check in ("dns", "tls")]
        return [*by_proxy, await skew(source, clock)]
    return [await dns(url), await tls(url, getattr(source, "tls", Tls()), clock.now()), await skew(source, clock)]


async def dns(url: str) -> Finding:
    host, port = _place(url)
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or f"no answer within {PATIENCE:g} s"
        return broken(
            "dns", f"{host} cannot be resolved: {reason}", "check base_url's host name, and the network's DNS"
        )
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return ok("dns", f"{host} is {addresses[0]}{more}")


async def tls(url: str, settings: Tls, now: datetime) -> Finding:
    """The certificate of the API, met in a handshake."""
    host, port = _place(url)
    if urlsplit(url).scheme == "http":
        if is_loopback(url):
            return skipped("tls", "plain http, on this machine")
        return warned(
            "tls", f"plain http to {host}: everybody on the way can read and change it", "write https://… in base_url"
        )
    if host in {name.strip().lower() for name in os.environ.get(INSECURE, "").split(",")}:
        return warned(
            "tls", f"{INSECURE} names {host}: its certificate is not verified", "give its authority in tls: {ca: …}"
        )
    try:
        context = Trust(settings, None).context(certified=False)
        async with asyncio.timeout(PATIENCE):
            certificate = await _certificate(host, port, context)
    except ssl.SSLCertVerificationError as error:
        what = f"the certificate of {host} is not trusted: {error.verify_message}"
        return broken("tls", what, "ask the provider to renew it; for an own authority write tls: {ca: path}")
    except ssl.SSLError as error:
        return broken("tls", f"no TLS with {host}: {error.reason}", "check base_url's scheme and port")
    except SynclineError as error:
        return broken("tls", error.what, error.hint or "check tls")
    except (OSError, TimeoutError):
        fix = "check base_url's host and port, the firewall, and that the server is running"
        return broken("tls", f"{host}:{port} does not answer", fix)
    return ending(
        "tls", f"the certificate of {host}", _moment(certificate["notAfter"]), now, "ask the provider to renew it"
    )


async def _certificate(host: str, port: int, context: ssl.SSLContext) -> dict[str, Any]:
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        return dict(writer.get_extra_info("peercert"))
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            await writer.wait_closed()


def ending(check: str, what: str, end: datetime, now: datetime, fix: str) -> Finding:
    """Something that holds until `end`."""
    if end <= now:
        return broken(check, f"{what} ran out {span((now - end).total_seconds())} ago", fix)
    left = span((end - now).total_seconds())
    return (
        (warned(check, f"{what} runs out in {left}", fix))
        if end - now < SOON
        else ok(check, f"{what} holds for {left}")
    )


async def skew(source: HttpSource, clock: Clock) -> Finding:
    """The API's clock beside ours: signatures, JWTs and windows of time depend on both saying the same (R11)."""
    url = reveal(source.base_url)
    try:
        wire = source._wire(url)
        async with asyncio.timeout(2 * PATIENCE), open_transport(wire, clock) as send:
            answer = await send(Request(method="HEAD", url=url))
            arrived = clock.now()
    except (SynclineError, TimeoutError) as error:
        what = error.what if isinstance(error, SynclineError) else f"no answer within {2 * PATIENCE:g} s"
        fix = error.hint if isinstance(error, SynclineError) else None
        return broken("clock", f"the API cannot be asked: {what}", fix or "check base_url and the network")
    if answer.date is None:
        return skipped("clock", "the API does not say what time it is")
    return judged_skew((arrived - answer.date).total_seconds() - answer.elapsed / 2)


def judged_skew(seconds: float) -> Finding:
    """`seconds` that our clock is ahead; the Date header counts whole ones."""
    if abs(seconds) <= MOST_SKEW:
        return ok("clock", "agrees with the API's" if abs(seconds) < 2 else f"{abs(seconds):.0f} s from the API's")
    way = "ahead of" if seconds > 0 else "behind"
    what = f"this machine's clock is {span(abs(seconds))} {way} the API's: signatures and tokens may be refused"
    return warned("clock", what, "timedatectl set-ntp true, or whatever keeps this machine's time")


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
