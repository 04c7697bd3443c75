"""What token endpoints answer, and what their refusals mean (RFC 6749, 5)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from syncline.auth.values import harmless
from syncline.errors import AuthError, RateLimitedError, RequestError, ServerError
from syncline.model import (
    MISSING,
    BodyTooDeep,
    MalformedBody,
    Request,
    Response,
    Secret,
    Token,
    decode_json,
    parse_path,
    read_path,
    reveal,
)
from syncline.model.paths import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EPOCH = 1_000_000_000.0
"""What is larger is no lifetime but a moment: 31 years, or September 2001."""
EPOCH_MS = 100_000_000_000.0


def unsafe(url: str) -> str | None:
    """What is wrong with the address of an authorisation server, or None."""
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        return "is not an address; write https://…"
    if parts.username is not None or parts.password is not None:
        return "has a user name or password in it; remove it"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return "must begin with https://, because a secret is sent there"
    return None


def read_answer(response: Response) -> dict[str, Any]:
    """The members of the answer, from JSON or from a form, as some servers still write it; {} where there are none."""
    if "x-www-form-urlencoded" in response.headers.get("Content-Type", ""):
        return dict(parse_qsl(response.body.decode("utf-8", "replace")))
    try:
        document = decode_json(response.body)
    except (MalformedBody, BodyTooDeep):
        return {}
    return document if isinstance(document, dict) else {}


def lifetime(value: Any, received: datetime) -> float | None:
    """Seconds that a token holds, from a lifetime or from the moment of its end (epoch in s or ms, or ISO 8601).

    `received` is the server's own clock where it tells, so that a wrong clock of ours does no harm. None where the value is
    missing, unreadable, or not positive, which servers write for "never ends".
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return _until(value, received)
    if not math.isfinite(seconds):
        return None
    if seconds >= EPOCH:
        end = seconds / 1000 if seconds >= EPOCH_MS else seconds
        # a moment that has passed is an end, and not the absence of one
        return max(1.0, end - received.timestamp())
    return seconds if seconds > 0 else None


def _until(value: Any, received: datetime) -> float | None:
    try:
        end = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    end = end.replace(tzinfo=UTC) if end.tzinfo is None else end
    return max(1.0, (end - received).total_seconds())


REFRESH_LIVES = ("refresh_expires_in", "refresh_token_expires_in", "x_refresh_token_expires_in")
"""How Keycloak, GitHub and Intuit call a refresh token's lifetime; no RFC has a name for it."""


def _ends(document: dict[str, Any], seconds: float | None, now: datetime) -> dict[str, Any]:
    """The lifetime that was given, and when the refresh token ends (seconds since 1970), where the answer says so."""
    ends = {} if seconds is None else {"expires_in": seconds}
    refresh = next((life for name in REFRESH_LIVES if (life := lifetime(document.get(name), now))), None)
    return ends if refresh is None else {**ends, "refresh_expires_at": now.timestamp() + refresh}


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer keeps what we want; what is None is looked for beside the token. `lifetime` is for silent servers."""

    token: str = "access_token"  # noqa: S105 – a path
    refresh: str | None = None
    expires: str | None = None
    lifetime: float | None = None

    def read(self, document: dict[str, Any], response: Response, now: datetime, monotonic: float) -> Token | None:
        """The token of a good answer (RFC 6749, 5.1), or None where there is none."""
        path = parse_path(self.token)
        access = read_path(path, document)
        if access is MISSING or access is None:
            return None
        if not isinstance(access, str) or not access:
            raise AuthError("the token endpoint's access_token is not text", hint="ask the API's operator")
        refresh = read_path(parse_path(self.refresh) if self.refresh else (*path[:-1], "refresh_token"), document)
        seconds = self._lifetime(document, path, response.date or now)
        return Token(
            access=Secret(access),
            refresh=Secret(refresh) if isinstance(refresh, str) and refresh else None,
            expires_at=None if seconds is None else monotonic + seconds,
            obtained_at=now,
            extra=_ends(document, seconds, now),
        )

    def _lifetime(self, document: dict[str, Any], path: Path, received: datetime) -> float | None:
        if self.expires:
            paths = [parse_path(self.expires)]
        else:
            paths = [(*path[:-1], name) for name in ("expires_in", "expires_at")]
        for place in paths:
            seconds = lifetime(read_path(place, document), received)
            if seconds is not None:
                return seconds
        return self.lifetime


def refusal(
    request: Request, response: Response, *, asked: str, lacking: str, hints: dict[str, str], secrets: Iterable[str]
) -> RequestError:
    """What the endpoint refused and what to do about it (RFC 6749, 5.2); nothing secret comes along."""
    place = request.shown.partition(" ")[2]
    if response.status == 429:
        return RateLimitedError(f"the token endpoint {place} asks to wait", status=429)
    if response.status >= 500:
        return ServerError(f"the token endpoint {place} answered {response.status}", status=response.status)
    document = read_answer(response)
    known = list(secrets)
    error, description = error_of(document)
    if error is None:
        found = f"members {', '.join(document)}" if document else f"{len(response.body)} bytes, no JSON object"
        return AuthError(
            f"the token endpoint {place} answered {response.status} without {lacking}",
            status=response.status,
            evidence=f"the answer has {harmless(found, known)}",
            hint="check token_url: it must be the address that hands out tokens, not the page for people",
        )
    return AuthError(
        f"the token endpoint {place} refused {asked}",
        status=response.status,
        evidence=harmless(f"{error}: {description}" if description else error, known),
        hint=hints.get(
            str(error), "look this error up in the vendor's documents; check client_id, client_secret and scopes"
        ),
    )


def hints(grant: str, other: str) -> dict[str, str]:
    """What to do about each error of RFC 6749, 4.1.2.1 and 5.2, and RFC 8628, 3.5; `other` is another client_auth."""
    return {
        "access_denied": "log in again and agree; or ask who may agree for this account",
        "expired_token": "syncline login FILE, and type the code in sooner",
        "invalid_client": f"check client_id and client_secret; if both are right, try client_auth: {other}",
        "invalid_grant": _RENEW.get(grant, "check what the grant carries: token_params"),
        "invalid_scope": "check scopes and scope_separator against what the application may ask for",
        "unauthorized_client": f"allow the grant {grant} for this application in the vendor's console",
        "unsupported_grant_type": f"this server does not know {grant}; see its documents for another grant",
        "invalid_request": "a parameter is missing or wrong: compare audience and token_params with the documents",
    }


_LOG_IN = "it has expired, was revoked or was used before: syncline login FILE"
_RENEW = {
    "authorization_code": _LOG_IN,
    "device_code": _LOG_IN,
    "refresh_token": "it has expired, was revoked or was used before: authorise again and store the new refresh token",
    "password": "check username and password, and whether the account wants a second factor",
    "jwt_bearer": "check issuer, subject, audience, key and key_id; and whether this machine's clock is right",
    "token_exchange": "subject_token or actor_token has expired, or is not of the type that is named",
}


def error_of(document: dict[str, Any]) -> tuple[Any, Any]:
    """The error's code and its description; an empty or zero error is none."""
    error = document.get("error") or None
    if isinstance(error, dict):
        return error.get("code") or error.get("type"), error.get("message")
    return error, document.get("error_description") or document.get("message")


def secrets_of(request: Request) -> Iterable[str]:
    """What a server could send back to us of what it was sent."""
    yield from (value.reveal() for _, value in request.form if isinstance(value, Secret))
    if isinstance(request.json, dict):
        yield from (value.reveal() for value in request.json.values() if isinstance(value, Secret))
    yield from (reveal(value).rpartition(" ")[2] for value in request.headers.values() if isinstance(value, Secret))
