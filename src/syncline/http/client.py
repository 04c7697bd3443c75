"""What sources and destinations hold: requests below one address, sent the whole way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.errors import OriginError, SynclineError
from syncline.http.caching import Known
from syncline.http.caps import Caps
from syncline.http.origins import Origins, without_secrets
from syncline.http.send import Send
from syncline.http.snippets import conceal
from syncline.http.status import status_error
from syncline.model import Clock, Reference, Request, Response, Secret, origin_of, reveal

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5

SEEN = frozenset(range(400, 600)) - {429}
"""Statuses that are an answer to who only looks; a limit is obeyed all the same."""

Value = str | int | bool | Secret | Reference | None


class Client:
    """An open connection to one API."""

    def __init__(
        self,
        send: Send,
        origins: Origins,
        clock: Clock,
        secrets: Callable[[], Iterable[Secret]],
        *,
        caps: Caps | None = None,
        conditional: bool = False,
    ) -> None:
        self.origins = origins
        self.caps = caps or Caps()
        self.conditional = conditional
        """Whether readers may ask for what changed only."""
        self._send, self._clock, self._secrets = send, clock, secrets

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Value] | None = None,
        json: Any = None,
        body: bytes | None = None,
        repeatable: bool = False,
        retry_on: frozenset[int] = frozenset(),
        final_on: frozenset[int] = frozenset(),
        decode: Callable[[Response], Any] | None = None,
        cost: float = 1.0,
    ) -> Request:
        """A request for a path below base_url, or for an absolute address that is allowed.

        A list among `params` repeats its name, None leaves it out. Raises OriginError for an address that leads elsewhere.
        """
        return Request(
            method=method.upper(),
            url=self.origins.of_path(path),
            params=_pairs(params or {}),
            headers={name: _text(value) for name, value in (headers or {}).items() if value is not None},
            json=json,
            body=body,
            repeatable=repeatable,
            retry_on=retry_on,
            final_on=final_on,
            decode=decode,
            cost=cost,
        )

    async def send(self, request: Request, known: Known | None = None) -> Response:
        """The answer, which is 2xx; or 304 where the page is still the one that is `known`.

        Raises the RequestError family for everything else. Redirects are followed within the allowed origins, five at most
        (RFC 9110, 15.4).
        """
        if known is not None:
            request = request.with_headers(known.headers)
        return await self._sent(request, lambda status: 200 <= status < 300 or (status == 304 and known is not None))

    async def look(self, request: Request) -> Response:
        """The answer, whatever its status says: for finding out what an API is like. Redirects are followed as by `send`.

        Raises the RequestError family where no answer came, and OriginError for a redirect that leads elsewhere.
        """
        request = msgspec.structs.replace(request, final_on=request.final_on | SEEN)
        return await self._sent(request, lambda status: status not in REDIRECTS)

    async def write(self, request: Request) -> Response:
        """The answer to a request that changes something: 2xx or 4xx, whose body says why.

        Raises the RequestError family for what is no answer to it: no answer, 5xx, refused credentials, a limit for longer than the
        file allows, and OriginError for a redirect that would turn it into a GET and so into nothing (RFC 9110, 15.4.2, 15.4.3).
        """
        return await self._sent(request, lambda status: 200 <= status < 300 or 400 <= status < 500, writing=True)

    def conceal(self, text: str) -> str:
        """The text without any secret in use now, should the API have echoed one."""
        return conceal(text, [secret for secret in self._secrets() if secret])

    async def _sent(self, request: Request, final: Callable[[int], bool], *, writing: bool = False) -> Response:
        try:
            for _ in range(MOST_REDIRECTS + 1):
                self.origins.check(request.url)
                response = await self._send(request)
                if final(response.status):
                    return response
                if response.status not in REDIRECTS or "Location" not in response.headers:
                    raise status_error(request, response, now=self._clock.now())
                if writing and response.status in (301, 302) and request.method == "POST":
                    raise OriginError(
                        f"{request.shown} was answered with a redirect, which would turn it into a GET",
                        status=response.status,
                        hint="write the final address into base_url or path: with https, without or with a slash at its end",
                    )
                request = self._redirected(request, response)
            raise OriginError(
                f"more than {MOST_REDIRECTS} redirects in a row",
                evidence=f"the last one led to {request.shown}",
                hint="write the final address into base_url or path",
            )
        except SynclineError as error:
            error.evidence = self.conceal(error.evidence) if error.evidence else None
            error.what = self.conceal(error.what)
            error.args = (error.what,)
            if not isinstance(error, OriginError):  # whose address may not even be readable
                error.at(request=self.conceal(request.shown))
            raise

    def _redirected(self, request: Request, response: Response) -> Request:
        """The request that a redirect asks for: its method by RFC 9110, 15.4, its secrets only where they are trusted."""
        target = self.origins.follow(request.url, response.headers["Location"])
        method = request.method
        if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
            method = "GET"
        changed = msgspec.structs.replace(request, method=method, url=target, attempt=1)
        if method != request.method:
            kept = {name: value for name, value in request.headers.items() if not name.lower().startswith("content-")}
            changed = msgspec.structs.replace(changed, json=None, body=None, form=(), headers=kept)
        if urlsplit(target).query:
            changed = msgspec.structs.replace(changed, params=())
        return changed if origin_of(target) == origin_of(request.url) else without_secrets(changed)


def _pairs(params: Mapping[str, Any]) -> tuple[tuple[str, str | Secret], ...]:
    pairs: list[tuple[str, str | Secret]] = []
    for name, value in params.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None:
                pairs.append((name, _text(one)))
    return tuple(pairs)


def _text(value: Any) -> str | Secret:
    if isinstance(value, str | Secret):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return reveal(value) if isinstance(value, Reference) else str(value)
