"""Names to addresses, with the addresses that no API has refused: the address that is checked is the one that is used."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from syncline.errors import OriginError

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int, socket.AddressFamily], Awaitable[list[Any]]]
"""A name, a port and a family to what `socket.getaddrinfo` gives."""

METADATA = frozenset(
    map(
        ip_address,
        (
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle
            "fd00:ec2::23",  # Amazon: credentials of containers
            "fd00:ec2::254",  # Amazon
            "fd20:ce::254",  # Google
        ),
    )
)
"""Addresses outside the link-local networks from which cloud machines read their own credentials."""
METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.oraclecloud.com",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
TRANSLATED = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""IPv6 networks whose last four bytes are an IPv4 address (RFC 6052, 8215, 4291)."""


class AddressPolicy:
    """Which addresses may be asked: never link-local or cloud metadata, private ones only where the configured host is private.

    The first answer for the configured host decides what it is: a name that was public does not become private later (DNS
    rebinding), nor does one that is both. Where it is private, so may the other listed hosts be. `proxies` were chosen by the
    machine's operator and may be private, whatever the API is.
    """

    def __init__(self, home_host: str, proxies: Iterable[str] = ()) -> None:
        self.home_host = _plain(home_host)
        self._proxies = frozenset(map(_plain, proxies))
        self._home_private = _private_literal(self.home_host)

    def check(self, host: str, *addresses: str) -> None:
        """Whether these addresses, all that a host has, may be used for it; a literal is its own. Raises OriginError."""
        host = _plain(host)
        if host in METADATA_NAMES:
            raise _refused(host, "a cloud's metadata service")
        found = [address for text in addresses if (address := _read(text)) is not None]
        if not found:
            return
        for address in found:
            if any(each.is_link_local or each in METADATA or each.is_multicast for each in _meant(address)):
                raise _refused(host, "a link-local, metadata or multicast address")
        if host == self.home_host:
            self._settle(found)
        if any(map(_leads_inside, found)) and not self._home_private and host not in self._proxies:
            raise _refused(host, "a private address, while the configured API is public")

    async def admit(self, host: str, addresses: list[str], lookup: Lookup) -> None:
        """The same, after finding out about the configured host where that matters first: its token endpoint is elsewhere."""
        if self._home_private is None and _plain(host) != self.home_host:
            inside = [address for text in addresses if (address := _read(text)) is not None and _leads_inside(address)]
            if inside:
                with suppress(OSError):
                    answers = await lookup(self.home_host, 0, socket.AF_UNSPEC)
                    self._settle([address for *_, (text, *_) in answers if (address := _read(str(text))) is not None])
        self.check(host, *addresses)

    def _settle(self, found: list[Address]) -> None:
        if found and self._home_private is None:
            self._home_private = all(map(_leads_inside, found))


class AnyAddress(AddressPolicy):
    """For addresses that the machine's operator chose and no API can change: its secrets manager, its metadata server."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")

    def check(self, host: str, *addresses: str) -> None:
        """Nothing is refused."""


def _refused(host: str, what: str) -> OriginError:
    return OriginError(f"{host!r} leads to {what}", hint="nothing was sent; check the host's name and its DNS")


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


@lru_cache(maxsize=256)
def _read(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _meant(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses within it that the network or the system would take it for."""
    yield address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if any(address in network for network in TRANSLATED):
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def _leads_inside(address: Address) -> bool:
    return any(map(_is_private, _meant(address)))


def _is_private(address: Address) -> bool:
    """Whether an address belongs to no public network: this machine, a private network, a provider's (RFC 6598), reserved."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False  # its IPv4 address is looked at instead
    return not address.is_global or (isinstance(address, IPv6Address) and address.is_site_local)


def _private_literal(host: str) -> bool | None:
    """None for a name, which its first answer decides."""
    address = _read(host)
    if address is None:
        return True if host == "localhost" or host.endswith(".localhost") else None
    return _leads_inside(address)


async def looked_up(host: str, port: int, family: socket.AddressFamily) -> list[Any]:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)


def guarded_resolver(policy: AddressPolicy, lookup: Lookup = looked_up) -> Any:
    """An aiohttp resolver that checks every address it gives; the connection is made to these and not looked up again."""
    from aiohttp.abc import AbstractResolver, ResolveResult  # late: only an open connection needs it

    class Guarded(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            found = await lookup(host, port, family)
            await policy.admit(host, [str(address[0]) for *_, address in found], lookup)
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=int(address[1]),
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for kind, _, proto, _, address in found
            ]

        async def close(self) -> None:
            """Nothing is held open."""

    return Guarded()
