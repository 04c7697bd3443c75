"""How long a certificate holds: read out of it, without an optional package."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

SOON = timedelta(days=14)
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_VERSION, _UTC_TIME = 0xA0, 0x17


class Validity(msgspec.Struct, frozen=True):
    """From when, and until when."""

    starts: datetime
    ends: datetime

    def ends_soon(self, now: datetime) -> bool:
        """Within two weeks, or within the last third of the time where it holds for less than six."""
        return self.ends - now < min(SOON, (self.ends - self.starts) / 3)


def validity_met(certificate: Mapping[str, Any]) -> Validity:
    """Of a certificate as `SSLSocket.getpeercert` gives it."""
    starts, ends = (ssl.cert_time_to_seconds(str(certificate[name])) for name in ("notBefore", "notAfter"))
    return Validity(datetime.fromtimestamp(starts, UTC), datetime.fromtimestamp(ends, UTC))


def validity_of(pem: str) -> Validity:
    """Of the certificate in a PEM text that ends first. Raises ValueError where there is none that can be read."""
    certificates = [one.partition(_END)[0] for one in pem.split(_BEGIN)[1:]]
    if not certificates:
        raise ValueError("it is not PEM")
    try:
        found = [_of_der(ssl.PEM_cert_to_DER_cert(_BEGIN + one + _END)) for one in certificates]
    except (ValueError, IndexError, StopIteration):
        raise ValueError("it is no certificate") from None
    return min(found, key=lambda one: one.ends)


def _of_der(der: bytes) -> Validity:
    """RFC 5280, 4.1: version (perhaps), serial number, algorithm and issuer stand before the two times."""
    ((_, certificate),) = _elements(der)
    _, signed = next(_elements(certificate))
    parts = _elements(signed)
    tag, _ = next(parts)
    for _ in range(3 if tag == _VERSION else 2):
        next(parts)
    _, times = next(parts)
    starts, ends = (_moment(kind, text) for kind, text in _elements(times))
    return Validity(starts, ends)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the content of each element (X.690, 8.1)."""
    place = 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length > 0x80:
            size = length - 0x80
            length, place = int.from_bytes(der[place : place + size]), place + size
        yield tag, der[place : place + length]
        place += length


def _moment(tag: int, text: bytes) -> datetime:
    """A year of two digits is one from 1950 to 2049 (RFC 5280, 4.1.2.5.1)."""
    written = text.decode("ascii")
    if tag == _UTC_TIME:
        written = ("20" if written < "50" else "19") + written
    return datetime.strptime(written, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
