"""What every kind of authorisation can do."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import WithJsonSchema

from syncline.auth.certificate import Certificate
from syncline.model import Part, Request, Response, Token, kind_of, part_field

Steps = Generator[Request, Response, Token]
"""Yields requests to be sent, is sent their answers of any status, and returns the token."""


class Auth(Part):
    """Turns a request into an authorised one. Pure: it is told the time, and others send.

    Which address may see credentials is not decided here: the request's way signs for the configured origin only (S1).
    """

    @property
    def needs_token(self) -> bool:
        """Whether `sign` wants a token, which `obtain` gets."""
        return False

    @property
    def signs_time(self) -> bool:
        """Whether what `sign` adds says when, so that an API whose clock is elsewhere refuses it."""
        return False

    @property
    def client_certificate(self) -> Certificate | None:
        """The client certificate that connections to the API and its token endpoint show, if there is one."""
        return None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where credentials go besides the API itself: token endpoints."""
        return ()

    @property
    def renewals(self) -> int:
        """How often a refused token is replaced within one attempt."""
        return 1

    def fresh(self, token: Token, monotonic: float) -> bool:
        """Whether a token still does for a request sent now, at `monotonic` seconds."""
        return token.fresh(monotonic, 0.0)

    def at(self, base_url: str) -> Auth:
        """The same for the API at this address, which a log-in by path needs to know."""
        return self

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        """The request with its credentials; called anew for each attempt, because signatures age.

        Raises AuthError where a credential cannot be sent as it stands.
        """
        raise NotImplementedError

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        """The next token. `current` is the one that ran out, `challenge` the answer that refused it, if there are any.

        `monotonic` is read before the first request leaves, so that a slow answer shortens a token's life and never
        stretches it. Raises AuthError; RateLimitedError and ServerError where the token endpoint is unwell.
        """
        raise TypeError(f"kind {kind_of(type(self))!r} has no token to obtain")

    def refused(self, response: Response) -> bool:
        """Whether this answer says that the credentials were not accepted (RFC 9110, 15.5.2)."""
        return response.status == 401

    def stale(self, response: Response) -> bool:
        """Whether a refusal says that the token is too old and nothing else is wrong, so that it is replaced beyond `renewals`."""
        return False


def _several(value: Any) -> Any:
    return {"kind": "combined", "auths": value} if isinstance(value, list | tuple) else value


_rule: Any = get_args(part_field("auth", _several))[1]
_schema = {
    "x-syncline-family": "auth",
    "x-syncline-also": [{"type": "array", "items": {"x-syncline-family": "auth"}, "minItems": 1}],
}

AuthField = Annotated[Auth, _rule, WithJsonSchema(_schema)] | None
"""A field that holds an auth block, a list of several to be combined, or nothing."""
