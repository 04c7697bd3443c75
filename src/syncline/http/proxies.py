"""Proxies: which requests go through one, if the file or, where the file says so, the environment names one."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from syncline.errors import PlanError
from syncline.http.origins import LOOPBACK_NAMES, check_url
from syncline.model import LITERAL_SECRET, Secret, Text

ENVIRONMENT = "environment"


def _without_password(value: Any) -> Any:
    if isinstance(value, str) and "${" not in value and "@" in value:
        what = "a password may stand in the file; move the whole address to the environment and write {example} here"
        raise PydanticCustomError(LITERAL_SECRET, what, {"example": "${PROXY}"})
    return value


ProxyText = Annotated[Text, BeforeValidator(_without_password)]


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP proxy, its credentials apart from its address."""

    url: str
    user: str | None = None
    password: Secret | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def authorization(self) -> str | None:
        """What the proxy wants to see (RFC 7617), in the clear."""
        if self.user is None:
            return None
        pair = f"{self.user}:{self.password.reveal() if self.password else ''}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


class Proxies:
    """The proxy for each address, or none. Raises PlanError for settings that cannot be meant."""

    def __init__(self, setting: str | None, environment: Mapping[str, str] = os.environ) -> None:
        self._of_scheme: dict[str, Proxy] = {}
        self._direct: tuple[str, ...] = ()
        if setting == ENVIRONMENT:
            for scheme in ("http", "https"):
                # HTTP_PROXY in capitals may come from a request's header where a web server runs us: the old "httpoxy"
                names = [f"{scheme}_proxy", "all_proxy", "ALL_PROXY"]
                if scheme == "https" or "REQUEST_METHOD" not in environment:
                    names.insert(1, f"{scheme.upper()}_PROXY")
                named = next((environment[name] for name in names if environment.get(name)), None)
                if named:
                    self._of_scheme[scheme] = read_proxy(named)
            rule = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
            self._direct = ("localhost", *(part.strip().lower() for part in rule.split(",") if part.strip()))
        elif setting:
            self._of_scheme = dict.fromkeys(("http", "https"), read_proxy(setting))

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(proxy.host for proxy in self._of_scheme.values())

    def of(self, url: SplitResult) -> Proxy | None:
        """The proxy for an address."""
        proxy = self._of_scheme.get(url.scheme)
        return None if proxy is None or (self._direct and goes_direct(url, self._direct)) else proxy


def goes_direct(url: SplitResult, rules: tuple[str, ...]) -> bool:
    """Whether a rule of NO_PROXY fits: `*`, a domain (those below it too), an address, a network, each with or without a port.

    This machine itself is never asked through a proxy.
    """
    host = (url.hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host in LOOPBACK_NAMES or (address is not None and address.is_loopback):
        return True
    port = url.port or (443 if url.scheme == "https" else 80)
    return any(_fits(rule, host, address, port) for rule in rules)


def _fits(rule: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    if rule == "*":
        return True
    with suppress(ValueError):
        if address is not None and address in ip_network(rule.strip("[]"), strict=False):
            return True
    name, colon, number = rule.rpartition(":")
    if colon and number.isdecimal():
        if int(number) != port:
            return False
        rule = name.strip("[]")
    domain = rule.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def read_proxy(text: str) -> Proxy:
    """`http://user:password@host:port`, whose user and password may be escaped with %; or `host:port`. Raises PlanError."""
    text = text if "://" in text else f"http://{text}"
    scheme, _, rest = text.partition("://")
    credentials, at, place = rest.rpartition("@")
    if scheme.lower() not in ("http", "https"):
        raise PlanError(
            f"a proxy of kind {scheme[:20]!r} is not spoken to",
            hint="write an HTTP proxy, http://host:port; SOCKS is not supported",
        )
    url = f"{scheme.lower()}://{place.rstrip('/')}"
    parts = check_url(url, "the proxy's address")
    if parts.path or parts.query or parts.fragment:
        raise PlanError("the proxy's address has a path", hint="write it as http://host:port")
    user, _, password = credentials.partition(":")
    return Proxy(url=url, user=unquote(user) if at else None, password=Secret(unquote(password)) if password else None)
