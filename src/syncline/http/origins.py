"""Where requests may go, and where credentials may go with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import msgspec

from syncline.errors import OriginError
from syncline.model import Request, Secret, origin_of

SENSITIVE = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})
LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_KEPT = "/?#[]@!$&'()*+,;=%:~-._"
_BAD = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]*)?")
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\.?")


def is_loopback(url: str) -> bool:
    """Whether an address names this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES


@lru_cache(maxsize=256)  # the pages of a stream are asked for at one address
def check_url(url: str, what: str = "the address") -> SplitResult:
    """The parts of an absolute http(s) address that means the same to everybody who reads it.

    Raises OriginError for user information, backslashes, spaces and control characters, international names, numbers in the
    place of a host (`2130706433`, `0x7f.1`, `127.1`), and odd ports: WHATWG URL, RFC 3986 and the system's resolver differ on
    them, which is how credentials go astray.
    """
    if _BAD.search(url):
        raise OriginError(
            f"{what} holds a space, control character or backslash", hint="correct it, or escape it with %"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OriginError(f"{what} cannot be read", hint="write it as https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OriginError(f"{what} is not an http or https address", hint="write it as https://host/path")
    if "@" in parts.netloc:
        raise OriginError(
            f"{what} holds a user name or password before its host", hint="move them into auth: {kind: basic, …}"
        )
    # lower case, as in `hostname`, turns some other letters into ASCII ones
    if not _PLACE.fullmatch(parts.netloc) or not _is_plain_host(parts.hostname, parts.netloc) or port == 0:
        raise OriginError(
            f"{what} has a host that cannot be read safely",
            hint="write an international name as xn--…, an IPv4 address as four decimal numbers, IPv6 as [2001:db8::1]",
        )
    return parts


@lru_cache(maxsize=256)
def _is_plain_host(host: str, place: str) -> bool:
    """Whether every parser and resolver takes the same from it: a name (RFC 952, 1123), or an address without a zone."""
    bracketed = place.startswith("[")
    if bracketed or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return ip_address(host).version == (6 if bracketed else 4)
        except ValueError:
            return False
    return len(host) <= 253 and _HOST.fullmatch(host) is not None


class Origins:
    """The configured origin, and the others that the file lists.

    `allowed` are hosts (`cdn.shop.example`, with `:port` where it is not the scheme's own) that may be asked without
    credentials; `trusted` ones get them too. An https base never leads to plain http.
    """

    def __init__(self, base_url: str, allowed: Iterable[str] = (), trusted: Iterable[str] = ()) -> None:
        parts = check_url(base_url, "base_url")
        if parts.query or parts.fragment:
            raise OriginError("base_url ends with a query or fragment", hint="move its parameters into params")
        self.base = base_url.rstrip("/")
        self.home = origin_of(base_url)
        self._secure = parts.scheme == "https"
        self._trusted = {self.home, *self._origins(trusted)}
        self._allowed = self._trusted | self._origins(allowed)

    def _origins(self, hosts: Iterable[str]) -> set[str]:
        schemes = ("https",) if self._secure else ("https", "http")
        named = list(hosts)
        for host in named:
            check_url(host if "://" in host else f"https://{host}", f"the listed host {host!r}")
        return {
            origin_of(f"{scheme}://{host}") if "://" not in host else origin_of(host)
            for host in named
            for scheme in schemes
        }

    def of_path(self, path: str) -> str:
        """The address of a path below the base, whose own path is kept; an absolute address is checked and kept.

        Raises OriginError for `//host`, for steps upwards, and for anywhere else.
        """
        if "://" in path.partition("?")[0]:
            self.check(path)
            return _escaped(path)
        if path.startswith("//") or _BAD.search(path.replace(" ", "")):
            raise OriginError(f"the path {path!r} would lead to another host", hint="write it as /resource")
        pure = path.partition("?")[0]
        if any(step in (".", "..") for step in pure.split("/")):
            raise OriginError(f"the path {path!r} leaves base_url", hint="write the path below base_url without dots")
        if not pure:
            return self.base + _escaped(path)
        return f"{self.base}/{_escaped(path.removeprefix('/'))}"

    def follow(self, url: str, link: str) -> str:
        """The address that a link or redirect found at `url` leads to (RFC 3986, 5.2), checked. Raises OriginError."""
        link = link.strip()
        if link.startswith("//") or _BAD.search(link):
            raise self._elsewhere(link)
        # with a scheme it must be whole: parsers differ on what https:host and https:///host mean
        target = (link if _SCHEME.match(link) else urljoin(url, link)).partition("#")[0]
        self.check(target)
        return _escaped(target)

    def check(self, url: str) -> None:
        """Raises OriginError where a request must not go."""
        parts = check_url(url)
        if self._secure and parts.scheme == "http":
            raise OriginError(
                "an https API led to plain http, where everybody can listen",
                evidence=f"http://{parts.hostname}",
                hint="ask the provider for https links; nothing was sent",
            )
        if origin_of(url) not in self._allowed:
            raise self._elsewhere(url)

    def trusts(self, url: str) -> bool:
        """Whether credentials may go there."""
        return origin_of(url) in self._trusted

    def _elsewhere(self, url: str) -> OriginError:
        try:
            host = urlsplit(url).netloc.rpartition("@")[2] or "nowhere"
        except ValueError:
            host = "an unreadable host"
        return OriginError(
            f"the API led to {host[:100]!r}, outside of the configured {self.home}",
            evidence="a link, redirect or address in an answer; nothing was sent there",
            hint=f"if that host is meant, list it: allow_hosts: [{host[:100]}]; it gets no credentials",
        )


def without_secrets(request: Request) -> Request:
    """The request for a listed host that gets no credentials. Raises OriginError where its body holds some."""
    if any(isinstance(value, Secret) for _, value in request.form) or _holds_secret(request.json):
        raise OriginError(
            "the request's body holds a secret, and would leave for a host that gets no credentials",
            evidence=f"{origin_of(request.url)}; nothing was sent there",
            hint="if that host may have it, list it: send_credentials_to",
        )
    headers = {
        name: value
        for name, value in request.headers.items()
        if not isinstance(value, Secret) and name.lower() not in SENSITIVE
    }
    params = tuple(pair for pair in request.params if not isinstance(pair[1], Secret))
    return msgspec.structs.replace(request, headers=headers, params=params)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_secret, value.values()))
    return any(map(_holds_secret, value)) if isinstance(value, list | tuple) else isinstance(value, Secret)


def _escaped(url: str) -> str:
    """Characters that an address cannot hold are escaped; what is escaped already stays."""
    return url if url.isascii() and " " not in url and '"' not in url else quote(url, safe=_KEPT)


def segment(value: str) -> str:
    """A value as one segment of a path: escaped so that it neither ends the segment nor is a step upwards."""
    text = quote(value, safe="")
    return text.replace(".", "%2E") if text in (".", "..") else text
