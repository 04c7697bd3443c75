"""Tokens from an authorisation server (RFC 6749)."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, quote_plus, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth, Steps
from syncline.auth.values import HeaderName, bear, harmless
from syncline.errors import AuthError, RateLimitedError, RequestError, ServerError
from syncline.model import (
    BodyTooDeep,
    Duration,
    MalformedBody,
    Reference,
    Request,
    Response,
    Secret,
    SecretText,
    Text,
    Token,
    decode_json,
    register,
    reveal,
)
from syncline.model.names import did_you_mean

GRANTS = ("client_credentials", "refresh_token")
LATER_GRANTS = ("authorization_code", "device_code", "jwt_bearer", "password")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@register("auth")
class OAuth2(Auth):
    """Asks a token endpoint for an access token, early enough that no request meets an expired one."""

    kind: Literal["oauth2"] = Field(default="oauth2", description="Access tokens from an authorisation server")
    grant: Literal["client_credentials", "refresh_token"] = Field(
        default="client_credentials",
        description="client_credentials (the application's own rights) or refresh_token (rights that somebody granted)",
    )
    token_url: Text = Field(description="The token endpoint; https, loopback excepted")
    client_id: Text = Field(description="The application's name at the server")
    client_secret: SecretText | None = Field(default=None, description="The application's secret, by reference")
    refresh_token: SecretText | None = Field(
        default=None, description="The first refresh token, by reference; each that the server gives later replaces it"
    )
    scopes: tuple[str, ...] = Field(default=(), description="Rights asked for: [orders.read]")
    scope_separator: str = Field(default=" ", description="Text between scopes, where a server wants a comma")
    audience: Text | None = Field(default=None, description="The API that the token is for, where the server asks")
    token_params: dict[str, Text] = Field(default={}, description="Further parameters of the token request")
    client_auth: Literal["basic", "post"] = Field(
        default="basic", description="Client credentials in the Authorization header (basic) or in the form (post)"
    )
    early: Duration = Field(default=60.0, description="How long before its end a token is replaced")
    header: HeaderName = Field(default="Authorization", description="Header that carries the access token")
    prefix: str | None = Field(default="Bearer", description="Text before the access token; a space follows a word")

    @field_validator("grant", mode="before")
    @classmethod
    def _known_grant(cls, value: Any) -> Any:
        if value in GRANTS or not isinstance(value, str):
            return value
        if value in LATER_GRANTS:
            what = "grant {value} is not in this version of Syncline; get a refresh token once by hand, and write refresh_token"
        else:
            what = "there is no grant {value}; {hint}"
        raise PydanticCustomError(
            "grant", what, {"value": repr(value), "hint": did_you_mean(value, GRANTS + LATER_GRANTS)}
        )

    @field_validator("token_url")
    @classmethod
    def _safe_address(cls, value: str | Reference | Secret) -> str | Reference | Secret:
        if isinstance(value, str) and (wrong := _unsafe(value)):
            raise PydanticCustomError("token_url", "token_url {wrong}", {"wrong": wrong})
        return value

    @model_validator(mode="after")
    def _has_what_its_grant_needs(self) -> OAuth2:
        needed = "client_secret" if self.grant == "client_credentials" else "refresh_token"
        if getattr(self, needed) is None:
            raise PydanticCustomError(
                "oauth2", "grant {grant} needs {needed}", {"grant": self.grant, "needed": needed, "loc": [needed]}
            )
        return self

    @property
    def needs_token(self) -> bool:
        return True

    def fresh(self, token: Token, monotonic: float) -> bool:
        """A token that lives for less than twice `early` is used for half of its life."""
        lifetime = token.extra.get("expires_in")
        return token.fresh(monotonic, self.early if lifetime is None else min(self.early, lifetime / 2))

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        return bear(request, token, self.header, self.prefix)

    def refused(self, response: Response) -> bool:
        """401, or any refusal that names the token as its reason (RFC 6750, 3.1)."""
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status == 401 or (400 <= response.status < 500 and "invalid_token" in challenge)

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        refresh_tokens = [None] if self.grant == "client_credentials" else self._refresh_tokens(current)
        for left, refresh in zip(range(len(refresh_tokens) - 1, -1, -1), refresh_tokens, strict=True):
            request = self._token_request(refresh)
            response = yield request
            document = _read_answer(response)
            if left and document.get("error") == "invalid_grant":
                continue
            if response.status >= 300 or "error" in document or "access_token" not in document:
                raise self._error(request, response, document, [one for one in refresh_tokens if one])
            return self._token(document, now, monotonic, refresh)
        raise AssertionError("the last refresh token returns or raises")

    def _refresh_tokens(self, current: Token | None) -> list[Secret | None]:
        """The rotated one first; then the configured one, which somebody may have renewed by hand since."""
        configured = Secret(reveal(self.refresh_token)) if self.refresh_token is not None else None
        return list(dict.fromkeys(one for one in (current.refresh if current else None, configured) if one))

    def _token_request(self, refresh: Secret | None) -> Request:
        url = reveal(self.token_url)
        if wrong := _unsafe(url):
            raise AuthError(f"token_url {wrong}", hint="write the token endpoint's full https address")
        form: list[tuple[str, str | Secret]] = [("grant_type", self.grant)]
        if refresh is not None:
            form.append(("refresh_token", refresh))
        if self.scopes:
            form.append(("scope", self.scope_separator.join(self.scopes)))
        if self.audience is not None:
            form.append(("audience", Secret(reveal(self.audience))))
        form += [(name, Secret(reveal(value))) for name, value in self.token_params.items()]
        headers: dict[str, str | Secret] = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if self.client_auth == "basic" and self.client_secret is not None:
            # RFC 6749, 2.3.1: both halves are form-encoded before they are joined
            pair = f"{quote_plus(reveal(self.client_id))}:{quote_plus(reveal(self.client_secret))}"
            headers["Authorization"] = Secret(f"Basic {base64.b64encode(pair.encode()).decode('ascii')}")
        else:
            form.append(("client_id", Secret(reveal(self.client_id))))
            if self.client_secret is not None:
                form.append(("client_secret", Secret(reveal(self.client_secret))))
        # repeatable: if the answer to a rotation is lost, so is the new token, and asking again is all that is left
        return Request(method="POST", url=url, headers=headers, form=tuple(form), repeatable=True)

    def _token(self, document: dict[str, Any], now: datetime, monotonic: float, refresh: Secret | None) -> Token:
        """The token of a good answer (RFC 6749, 5.1); a refresh token in it replaces the one that was used."""
        access, rotated = document["access_token"], document.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise AuthError("the token endpoint's access_token is not text", hint="ask the API's operator")
        if self.grant == "refresh_token" and isinstance(rotated, str) and rotated:
            refresh = Secret(rotated)
        lifetime = _seconds(document.get("expires_in"))
        return Token(
            access=Secret(access),
            refresh=refresh,
            expires_at=None if lifetime is None else monotonic + lifetime,
            obtained_at=now,
            extra={} if lifetime is None else {"expires_in": lifetime},
        )

    def _error(
        self, request: Request, response: Response, document: dict[str, Any], tried: list[Secret]
    ) -> RequestError:
        """What the token endpoint refused and what to do about it (RFC 6749, 5.2); nothing secret comes along."""
        place = request.shown.partition(" ")[2]
        if response.status == 429:
            return RateLimitedError(f"the token endpoint {place} asks to wait", status=429)
        if response.status >= 500:
            return ServerError(f"the token endpoint {place} answered {response.status}", status=response.status)
        secrets = list(self._secrets(request, tried))
        error = document.get("error")
        if isinstance(error, dict):
            nested: dict[str, Any] = error
            error, description = nested.get("code") or nested.get("type"), nested.get("message")
        else:
            description = document.get("error_description") or document.get("message")
        if error is None:
            found = f"members {', '.join(document)}" if document else f"{len(response.body)} bytes, no JSON object"
            return AuthError(
                f"the token endpoint {place} answered {response.status} without an access token",
                status=response.status,
                evidence=f"the answer has {harmless(found, secrets)}",
                hint="check token_url: it must be the address that hands out tokens, not the page for people",
            )
        return AuthError(
            f"the token endpoint {place} refused the grant {self.grant}",
            status=response.status,
            evidence=harmless(f"{error}: {description}" if description else error, secrets),
            hint=self._hint(str(error)),
        )

    def _hint(self, error: str) -> str:
        other = "post" if self.client_auth == "basic" else "basic"
        renew = "it has expired, was revoked or was used before: authorise again and store the new refresh token"
        hints = {
            "invalid_client": f"check client_id and client_secret; if both are right, try client_auth: {other}",
            "invalid_grant": renew if self.grant == "refresh_token" else "check what the grant carries: token_params",
            "invalid_scope": "check scopes and scope_separator against what the application may ask for",
            "unauthorized_client": f"allow the grant {self.grant} for this application in the vendor's console",
            "unsupported_grant_type": f"this server does not know {self.grant}; see its documents for another grant",
            "invalid_request": "a parameter is missing or wrong: compare audience and token_params with the documents",
        }
        return hints.get(
            error, "look this error up in the vendor's documents; check client_id, client_secret and scopes"
        )

    def _secrets(self, request: Request, tried: list[Secret]) -> Iterator[str]:
        yield from (value.reveal() for _, value in request.form if isinstance(value, Secret))
        yield from (
            value.reveal().rpartition(" ")[2] for value in request.headers.values() if isinstance(value, Secret)
        )
        for value in (self.client_secret, self.refresh_token, *tried):
            if value is not None:
                yield reveal(value)


def _unsafe(url: str) -> str | None:
    """What is wrong with a token endpoint's address, or None."""
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


def _read_answer(response: Response) -> dict[str, Any]:
    """The members of the answer, from JSON or from a form, as some servers still write it; {} where there are none."""
    if "x-www-form-urlencoded" in response.headers.get("Content-Type", ""):
        return dict(parse_qsl(response.body.decode("utf-8", "replace")))
    try:
        document = decode_json(response.body)
    except (MalformedBody, BodyTooDeep):
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(value: Any) -> float | None:
    """A lifetime; None where it is missing, no number, or not positive, which servers write for "never ends"."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 and not isinstance(value, bool) else None
