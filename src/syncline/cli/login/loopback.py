"""Where the browser comes back (RFC 8252, 7.3): an address on this machine that takes one redirect, and then is gone."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from syncline.cli.login.page import HEADERS, Outcome, page
from syncline.errors import AuthError, UsageError

PATH = "/callback"
HOST = "127.0.0.1"
LONGEST_QUERY = 8_000
ANSWER_SECONDS = 60.0


class Said(NamedTuple):
    """What the browser is to show."""

    outcome: Outcome
    title: str
    text: str
    facts: dict[str, str] = {}  # noqa: RUF012 – never changed


class Loopback:
    """Waits for the redirect that carries `state`. Whatever else knocks is turned away and changes nothing.

    The browser is kept waiting until `tell` says how the log-in ended.
    """

    def __init__(self, redirect_uri: str, state: str) -> None:
        parts = urlsplit(redirect_uri)
        self.redirect_uri = redirect_uri
        self._host, self._path = parts.netloc.lower(), parts.path or "/"
        self._state = state
        loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[dict[str, str]] = loop.create_future()
        self._told: asyncio.Future[Said] = loop.create_future()
        self._shown = asyncio.Event()

    async def redirect(self, seconds: float) -> dict[str, str]:
        """The parameters of the redirect. Raises AuthError when nobody came in time."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._arrived), seconds)
        except TimeoutError:
            raise AuthError(
                f"nobody came back from the log-in page within {seconds / 60:g} minutes",
                hint="start syncline login FILE again; --timeout 15m waits longer",
            ) from None

    async def tell(self, said: Said) -> None:
        """End the log-in in the browser too, and wait until its page is on the way."""
        if not self._told.done():
            self._told.set_result(said)
        if self._arrived.done():
            try:
                await asyncio.wait_for(self._shown.wait(), 2.0)
            except TimeoutError:
                return  # the browser has gone; who started the log-in reads the terminal

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.getall("Host", []) != [self._host]:  # a name that somebody made lead here (DNS rebinding)
            return _page(421, Said("odd", "Not here", "This address answers under its own name alone."))
        if request.path != self._path:
            return _page(404, Said("odd", "Nothing here", "This address waits for one log-in and knows nothing else."))
        if request.method != "GET":
            return _page(405, Said("odd", "Not like this", "A log-in comes back by a plain redirect."))
        params = _single(request)
        if params is None or not hmac.compare_digest(params.get("state", "").encode(), self._state.encode()):
            text = (
                "This is not the log-in that was started on this machine. Nothing was done; you can close this window."
            )
            return _page(400, Said("odd", "Not this log-in", text))
        if self._arrived.done():
            return _page(410, Said("odd", "Already done", "This log-in has come back before. It is used once."))
        self._arrived.set_result(params)
        try:
            said = await asyncio.wait_for(asyncio.shield(self._told), ANSWER_SECONDS)
        except TimeoutError:
            said = Said("odd", "Still at it", "The token takes its time; the terminal will say how it ended.")
        response = _page(200 if said.outcome == "good" else 400, said)
        await response.prepare(request)
        await response.write_eof()
        self._shown.set()
        return response


@asynccontextmanager
async def listening(redirect_uri: str | None, port: int | None, state: str) -> AsyncIterator[Loopback]:
    """A loopback address that is open while the context is: the registered one, or this port, or a free one."""
    host, path = HOST, PATH
    if redirect_uri is not None:
        parts = urlsplit(redirect_uri)
        host, port, path = parts.hostname or HOST, parts.port or 80, parts.path or "/"
    loopbacks: list[Loopback] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        return await loopbacks[0].answer(request)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port or 0).start()
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port or 'any port'}",
                evidence=error.strerror,
                hint="end the program that has this port, or choose another: --port, or redirect_uri where it is registered",
            ) from None
        name = f"[{host}]" if ":" in host else host
        loopbacks.append(Loopback(redirect_uri or f"http://{name}:{runner.addresses[0][1]}{path}", state))
        yield loopbacks[0]
    finally:
        await runner.cleanup()


def _single(request: web.Request) -> dict[str, str] | None:
    """The parameters, each once (RFC 6749, 3.1), or None."""
    if len(request.query_string) > LONGEST_QUERY or len(set(request.query)) != len(request.query):
        return None
    return dict(request.query)


def _page(status: int, said: Said) -> web.Response:
    return web.Response(status=status, body=page(*said).encode(), headers=HEADERS)
