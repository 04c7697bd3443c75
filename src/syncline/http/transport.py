"""The end of the way: bytes to the server and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import SplitResult

import msgspec
from multidict import istr

from syncline import __version__
from syncline.errors import OriginError, RequestError
from syncline.events import emit
from syncline.http.cuts import notice_cut
from syncline.http.deadlines import Deadline, Deadlines
from syncline.http.failures import Progress, proxy_refused, translator
from syncline.http.inflate import BodyReader, too_large
from syncline.http.origins import check_url
from syncline.http.proxies import Proxies
from syncline.http.resolver import AddressPolicy, guarded_resolver
from syncline.http.send import Send
from syncline.http.trust import Trust, import_aiohttp
from syncline.http.wire import Wire
from syncline.model import Clock, Request, Response, origin_of, reveal
from syncline.model.exchange import SAFE_METHODS

DNS_CACHE = 60
"""Seconds for which the addresses of a name are kept."""
CONTENT_ENCODING = istr("Content-Encoding")
PLACES = 256
"""Addresses of which is remembered how to get there; the pages of a stream share theirs."""


@asynccontextmanager
async def open_transport(wire: Wire, clock: Clock, policy: AddressPolicy | None = None) -> AsyncIterator[Send]:
    """The way over a pool of connections of its own, closed at the end.

    `policy` says which addresses may be asked, where that is not what suits an API at `home_host`. Raises PlanError and
    AuthError for certificates and proxies that cannot be used.
    """
    pool = Pool(wire, policy)
    try:
        yield pool.way(wire, clock)
    finally:
        await pool.close()


class Pool:
    """Connections, and what was found out on them. Nothing is taken from the environment that the file does not ask for."""

    def __init__(self, wire: Wire, policy: AddressPolicy | None = None) -> None:
        aiohttp = import_aiohttp()
        self.proxies, self.trust = Proxies(wire.proxy), Trust(wire.tls, wire.certificate)
        self.policy = policy or AddressPolicy(wire.home_host, self.proxies.hosts)
        connector = aiohttp.TCPConnector(
            limit=wire.connections,
            ttl_dns_cache=DNS_CACHE,
            resolver=guarded_resolver(self.policy),
            ssl=self.trust.context(certified=False),  # for proxies behind TLS; each request says its own
        )
        from syncline.http.protocol import speak_thriftily  # late: it is a class of aiohttp's

        speak_thriftily(connector)
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=wire.connect, sock_read=wire.read),
            auto_decompress=False,
            trust_env=False,
            max_field_size=wire.header_size,
            max_line_size=wire.header_size,
            max_headers=wire.headers,
            headers={"User-Agent": f"syncline/{__version__}", "Accept-Encoding": "gzip, deflate", "Accept": "*/*"},
        )
        # left to itself, aiohttp sends once more when a reused connection died: with an old signature, outside of limits
        self.session._retry_connection = False
        self.deadlines = Deadlines(wire.total)

    def way(self, wire: Wire, clock: Clock) -> Send:
        """Sends over these connections, for a client whose wire is alike; each is told itself what is to be said of them."""
        return _Sender(self, wire, clock).send

    async def close(self) -> None:
        self.deadlines.close()
        await self.session.close()


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every request to one address.

    `proxy` is the host of the proxy on the way, `headers` are for it; `options` are aiohttp's.
    """

    address: SplitResult
    proxy: str | None
    headers: dict[str, str]
    options: dict[str, Any]


class _Sender:
    """Sends one request after the other over the pool's connections."""

    def __init__(self, pool: Pool, wire: Wire, clock: Clock) -> None:
        from yarl import URL  # late: it comes with aiohttp

        self._session, self._policy, self._trust, self._proxies = pool.session, pool.policy, pool.trust, pool.proxies
        self._deadlines = pool.deadlines
        self._wire, self._clock, self._url = wire, clock, URL
        self._translate = translator(wire)
        self._told: set[str] = set()
        self._places: dict[str, _Place] = {}

    async def send(self, request: Request) -> Response:
        progress = Progress()
        try:
            place = self._places.get(request.url) or self._find_place(request.url)
            try:
                with Deadline(self._deadlines):
                    return await self._answer(request, place, progress)
            finally:  # of a certificate that has run out the server says no more than that it refuses us
                for notice in self._trust.notices(place.address, self._clock.now, self._told):
                    emit(notice)
        except RequestError as error:
            error.status = error.status or progress.status
            raise error.at(request=request.shown) from None
        except Exception as error:
            raise self._translate(error, request, progress) from None

    async def _answer(self, request: Request, place: _Place, progress: Progress) -> Response:
        began = self._clock.monotonic()
        progress.proxy = place.proxy
        answer = await self._call(request, place)
        try:
            progress.status = answer.status
            notice_cut(answer)
            if answer.status == 407 and place.proxy is not None:
                raise proxy_refused(answer.status, progress, {})
            body = await _read(answer, self._wire, progress, request.method)
            arrived = self._clock.monotonic()
            return Response(
                status=answer.status,
                headers=answer.headers,
                body=body,
                url=request.url,
                elapsed=arrived - began,
                received_at=arrived,
            )
        finally:
            if not answer.closed or request.method not in SAFE_METHODS:  # else all of it was sent and read
                answer.release()
                await answer.wait_for_close()

    def _find_place(self, url: str) -> _Place:
        """What holds for every request to this address.

        Raises OriginError for one that must not be asked, or that aiohttp would read otherwise than we do.
        """
        address = check_url(url)
        host = address.hostname or ""
        self._policy.check(host, host)
        theirs = self._url(address, encoded=True)
        if f"{theirs.scheme}://{(theirs.raw_host or '').lower()}:{theirs.port}" != origin_of(url):
            raise OriginError(
                "the address means different hosts to different readers", hint="write it as https://host/path"
            )
        proxy, options, headers = self._proxies.of(address), dict[str, Any](), dict[str, str]()
        if proxy is not None:
            options["proxy"] = self._url(proxy.url)
            if proxy.authorization and address.scheme == "https":
                options["proxy_headers"] = {
                    "Proxy-Authorization": proxy.authorization
                }  # to the proxy, before the tunnel
            elif proxy.authorization:
                headers["Proxy-Authorization"] = proxy.authorization
        if address.scheme == "https":
            certified = self._wire.certificate is not None and self._wire.certified(url)
            options["ssl"] = self._trust.context(certified=certified, blind=self._trust.exempts(address))
        through = proxy.host if proxy else None
        place = _Place(address=address, proxy=through, headers=headers, options=options)
        if len(self._places) >= PLACES:
            self._places.clear()
        self._places[url] = place
        return place

    def _call(self, request: Request, place: _Place) -> Any:
        """What aiohttp is to do."""
        address = place.address
        query = request.target.partition("#")[0].partition("?")[2]
        return self._session.request(
            request.method,
            # from its parts, as they were checked: to read them again would cost more than the rest of this
            self._url(SplitResult(address.scheme, address.netloc, address.path, query, ""), encoded=True),
            headers=headers_of(request) | place.headers,
            data=request.content,
            allow_redirects=False,
            **place.options,
        )


def headers_of(request: Request) -> dict[str, str]:
    """The headers as they are sent, secrets included, with the type of the body."""
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


async def _read(answer: Any, wire: Wire, progress: Progress, method: str) -> bytes:
    coding = answer.headers.get(CONTENT_ENCODING, "")
    announced = answer.content_length
    if method == "HEAD" or (announced == 0 and answer.status != 200):
        return b""
    if announced is not None and announced > wire.max_body:
        raise too_large(wire.max_body, announced)
    content = answer.content
    chunk: bytes = await content.readany()
    progress.received = len(chunk)
    if not coding and content.at_eof() and len(chunk) <= wire.max_body:  # most answers come in one piece
        return chunk
    reader = BodyReader(coding, most=wire.max_body, ratio=wire.max_ratio)
    while chunk:
        reader.feed(chunk)
        chunk = await content.readany()
        progress.received += len(chunk)
    return reader.finish()
