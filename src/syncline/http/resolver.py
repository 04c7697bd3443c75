"""Names to addresses, with the addresses that no API has refused: the address that is checked is the one that is used."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from syncline.errors import OriginError

METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200"), ip_address("192.0.0.192")})


class AddressPolicy:
    """Which addresses may be asked: never link-local or cloud metadata, private ones only for the configured host.

    Where the configured host itself is private, so may the other listed hosts be.
    """

    def __init__(self, home_host: str) -> None:
        self.home_host = home_host.lower()
        self._home_private = _private_literal(home_host)

    def check(self, host: str, address: str) -> None:
        """Raises OriginError."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if found.is_link_local or found in METADATA or found.is_multicast:
            raise self._refused(host, "a link-local or metadata address")
        if host.lower() == self.home_host:
            self._home_private = self._home_private or _is_private(found)
        elif _is_private(found) and not self._home_private:
            raise self._refused(host, "a private address, while the configured API is public")

    @staticmethod
    def _refused(host: str, what: str) -> OriginError:
        return OriginError(f"{host!r} leads to {what}", hint="nothing was sent; check the host's name and its DNS")


class AnyAddress(AddressPolicy):
    """For addresses that the machine's operator chose and no API can change: its secrets manager, its metadata server."""

    def __init__(self) -> None:
        super().__init__("")

    def check(self, host: str, address: str) -> None:
        """Nothing is refused."""


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return address.is_private or address.is_loopback or address.is_unspecified


def _private_literal(host: str) -> bool:
    try:
        return _is_private(ip_address(host))
    except ValueError:
        return host.lower() == "localhost"


def guarded_resolver(policy: AddressPolicy) -> Any:
    """An aiohttp resolver that checks every address it gives."""
    from aiohttp.abc import AbstractResolver, ResolveResult  # late: only an open connection needs it

    class Guarded(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
            results: list[ResolveResult] = []
            for kind, _, proto, _, address in found:
                policy.check(host, str(address[0]))
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=str(address[0]),
                        port=int(address[1]),
                        family=kind,
                        proto=proto,
                        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                    )
                )
            return results

        async def close(self) -> None:
            """Nothing is held open."""

    return Guarded()
