"""Credentials, put on each attempt: signed afresh, for trusted origins only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from syncline.auth import Auth
from syncline.errors import AuthError
from syncline.events import Noticed, emit
from syncline.http.origins import Origins, without_secrets
from syncline.http.send import Send
from syncline.http.snippets import api_message
from syncline.http.tokens.current import Tokens
from syncline.model import Clock, Request, Response, Secret

TOO_MANY = 429
STALE = 8
"""How often a token that is refused for its age alone is replaced besides: requests under way together may outdo each other."""
APART = timedelta(seconds=30)
"""How far two clocks may be apart before a signature is made anew for it; answers take some of it."""


class Authorising(msgspec.Struct, frozen=True, kw_only=True):
    """What the layer needs: whom to trust, the connection's own headers and parameters, and how to sign.

    `ready` waits for the limiter's leave to send, so that nothing stands in line with a time or a count in its signature.
    """

    origins: Origins
    headers: dict[str, str | Secret]
    params: dict[str, str | Secret]
    auth: Auth | None
    tokens: Tokens | None
    ready: Callable[[Request], Awaitable[object]]


class TheirClock:
    """The API's clock, by which signatures are made; ours, until it refused one for that."""

    def __init__(self, ours: Clock) -> None:
        self._ours = ours
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self._ours.now() + self.ahead

    def refused(self, response: Response, signed_by: timedelta) -> bool:
        """Whether this may be why the answer is a refusal, of a request that was signed so far `ahead` of our clock."""
        if response.status not in (401, 403) or response.date is None:
            return False
        found = response.date - self._ours.now()
        if abs(found - signed_by) <= APART:
            return False
        if self.ahead == signed_by:  # nobody else has found out meanwhile
            self.ahead = found
            emit(
                Noticed(
                    what=f"the API's clock is {found.total_seconds():+.0f} s off ours: requests are signed by its time",
                    hint="set this machine's clock (NTP); or tell the API's owner, if it is the other one that is wrong",
                )
            )
        return True


def authorised(send: Send, rule: Authorising, clock: Clock) -> Send:
    """Add credentials to what goes to a trusted origin; a refused token is replaced and the request sent once more.

    So it is with a signature that was refused by an API whose clock is elsewhere: from then on the API's time is signed (R11).
    """
    auth, tokens, theirs = rule.auth, rule.tokens, TheirClock(clock)
    configured = bool(rule.headers or rule.params)

    async def sending(request: Request) -> Response:
        if not rule.origins.trusts(request.url):
            return await send(without_secrets(request))
        if configured:
            request = _configured(request, rule)
        if auth is None:
            return await send(request)
        token = await tokens.fresh() if tokens else None
        await rule.ready(request)
        signed_by = theirs.ahead
        response = await send(auth.sign(request, token, theirs.now()))
        if auth.signs_time and theirs.refused(response, signed_by):
            await rule.ready(request)
            response = await send(auth.sign(request, token, theirs.now()))
        if not auth.refused(response):
            return response
        for count in range(auth.renewals + STALE):
            if tokens is None or token is None or (count >= auth.renewals and not auth.stale(response)):
                break
            token = await tokens.renewed(token, response)
            if response.status == TOO_MANY and not auth.fresh(token, clock.monotonic()):
                return response  # every key is used up, and none of them wrong
            await rule.ready(request)
            response = await send(auth.sign(request, token, theirs.now()))
            if not auth.refused(response):
                return response
        if response.status == TOO_MANY:  # every key is used up, and none of them wrong
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
