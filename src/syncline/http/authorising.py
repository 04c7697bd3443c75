"""Credentials, put on each attempt: signed afresh, for trusted origins only, with one token for everybody."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from syncline.auth import Auth
from syncline.errors import AuthError
from syncline.events import TokenObtained, emit
from syncline.http.origins import Origins, is_loopback, without_secrets
from syncline.http.send import Send
from syncline.http.snippets import api_message
from syncline.model import Clock, Request, Response, Secret, Token


class TokenStore(Protocol):
    """Where tokens outlive a process. `alone` keeps every other process of this host out while it is held."""

    def alone(self) -> AbstractAsyncContextManager[None]: ...

    async def load(self) -> Token | None: ...

    async def save(self, token: Token) -> None: ...


class Tokens:
    """The current token. However many requests find it run out or refused, one of them gets the next, for all.

    `send` is the way to the token endpoint: the transport with retries, without credentials of the API.
    """

    def __init__(self, auth: Auth, send: Send, clock: Clock, store: TokenStore | None = None) -> None:
        self.current: Token | None = None
        self._auth, self._send, self._clock, self._store = auth, send, clock, store
        self._obtaining: asyncio.Task[Token] | None = None

    async def fresh(self) -> Token:
        """A token that holds. Raises AuthError, or what the way to the token endpoint raises."""
        token = self.current
        if token is not None and self._auth.fresh(token, self._clock.monotonic()):
            return token
        return await self._together(token, None)

    async def renewed(self, refused: Token, challenge: Response) -> Token:
        """The token after `refused`, which `challenge` did not accept; somebody may have got it already."""
        if self.current is not None and self.current is not refused:
            return self.current
        return await self._together(refused, challenge)

    async def close(self) -> None:
        if self._obtaining is not None:
            self._obtaining.cancel()
            await asyncio.gather(self._obtaining, return_exceptions=True)

    async def _together(self, stale: Token | None, challenge: Response | None) -> Token:
        if self._obtaining is None:
            self._obtaining = asyncio.create_task(self._replace(stale, challenge))
            self._obtaining.add_done_callback(self._finished)
        # shielded: one caller that gives up must not take the token from the others
        return await asyncio.shield(self._obtaining)

    def _finished(self, task: asyncio.Task[Token]) -> None:
        self._obtaining = None
        if not task.cancelled():
            task.exception()  # seen, even where every caller gave up

    async def _replace(self, stale: Token | None, challenge: Response | None) -> Token:
        reason = "the API refused it" if challenge else "it ran out" if stale else "first use"
        if self._store is None:
            self.current = await self._obtain(stale, challenge)
        else:
            async with self._store.alone():
                kept = await self._store.load()
                usable = kept is not None and self._auth.fresh(kept, self._clock.monotonic())
                if kept is not None and usable and (stale is None or kept.access != stale.access):
                    self.current = kept
                    return kept
                token = await self._obtain(kept or stale, challenge)
                await self._store.save(token)  # before its first use: a rotated refresh token is lost otherwise
                self.current = token
        emit(TokenObtained(reason=reason))
        return self.current

    async def _obtain(self, stale: Token | None, challenge: Response | None) -> Token:
        steps = self._auth.obtain(stale, self._clock.now(), self._clock.monotonic(), challenge)
        try:
            request = next(steps)
            while True:
                if not (request.url.startswith("https://") or is_loopback(request.url)):
                    raise AuthError(
                        "the token endpoint is not https, so everybody could read the credentials",
                        hint="write token_url with https://",
                    )
                request = steps.send(await self._send(request))
        except StopIteration as done:
            return done.value if isinstance(done.value, Token) else self._nothing()
        finally:
            steps.close()

    def _nothing(self) -> Token:
        raise TypeError(f"{type(self._auth).__name__}.obtain returned no token")


class Authorising(msgspec.Struct, frozen=True, kw_only=True):
    """What the layer needs: whom to trust, the connection's own headers and parameters, and how to sign."""

    origins: Origins
    headers: dict[str, str | Secret]
    params: dict[str, str | Secret]
    auth: Auth | None
    tokens: Tokens | None


def authorised(send: Send, rule: Authorising, clock: Clock) -> Send:
    """Add credentials to what goes to a trusted origin; a refused token is replaced and the request sent once more."""
    auth, tokens = rule.auth, rule.tokens

    async def sending(request: Request) -> Response:
        if not rule.origins.trusts(request.url):
            return await send(without_secrets(request))
        request = _configured(request, rule)
        if auth is None:
            return await send(request)
        token = await tokens.fresh() if tokens else None
        response = await send(auth.sign(request, token, clock.now()))
        if not auth.refused(response):
            return response
        if tokens is not None and token is not None:
            token = await tokens.renewed(token, response)
            response = await send(auth.sign(request, token, clock.now()))
            if not auth.refused(response):
                return response
        raise AuthError(
            f"{request.shown} refused the credentials{', the renewed ones too' if tokens else ''}",
            status=response.status,
            evidence=api_message(response),
            hint="check that the credentials are right, belong to this account and are not revoked",
            request_id=response.request_id,
        )

    return sending


def _configured(request: Request, rule: Authorising) -> Request:
    """The connection's headers and parameters, under those of the request itself."""
    if rule.headers:
        own = {name.lower() for name in request.headers}
        added = {name: value for name, value in rule.headers.items() if name.lower() not in own}
        request = msgspec.structs.replace(request, headers={**added, **request.headers})
    if rule.params:
        query = request.url.partition("?")[2]
        taken = {pair[0] for pair in request.params} | {pair.partition("=")[0] for pair in query.split("&")}
        extra = tuple((name, value) for name, value in rule.params.items() if name not in taken)
        request = msgspec.structs.replace(request, params=extra + request.params)
    return request
