"""What the transport keeps to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from syncline.auth import Certificate
from syncline.http.trust import Tls


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """The network's side of a connection, in seconds and bytes."""

    home_host: str
    connect: float
    read: float
    total: float
    max_body: int
    max_ratio: float
    connections: int
    headers: int = 256
    """Lines that an answer's headers may have."""
    header_size: int = 65_536
    """Bytes that each of them may have."""
    proxy: str | None = None
    """The proxy's address with its credentials, `environment`, or none."""
    tls: Tls | None = None
    certificate: Certificate | None = None
    certified: Callable[[str], bool] = bool
    """Whether the certificate may be shown at an address."""
