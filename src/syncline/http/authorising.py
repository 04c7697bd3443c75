"""Credentials, put on each attempt: signed afresh, for trusted origins only."""

from __future__ import annotations

import msgspec

from syncline.auth import Auth
from syncline.errors import AuthError
from syncline.http.origins import Origins, without_secrets
from syncline.http.send import Send
from syncline.http.snippets import api_message
from syncline.http.tokens.current import Tokens
from syncline.model import Clock, Request, Response, Secret

TOO_MANY = 429


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
        for _ in range(auth.renewals):
            if tokens is None or token is None:
                break
            token = await tokens.renewed(token, response)
            if response.status == TOO_MANY and not auth.fresh(token, clock.monotonic()):
                return response  # every key is used up, and none of them wrong
            response = await send(auth.sign(request, token, clock.now()))
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
