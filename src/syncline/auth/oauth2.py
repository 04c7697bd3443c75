"""Tokens from an authorisation server (RFC 6749), got in any of the ways that servers offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.assertion import Assertion, read_service_account
from syncline.auth.auth import Auth, Steps
from syncline.auth.certificate import Certificate, CertificateFields
from syncline.auth.client import HEADER, Application, ClientAuth, Pairs
from syncline.auth.device import SLOW_DOWN, DeviceCode, Poll, Polling, read_device_code
from syncline.auth.redirect import astray, challenge_of, read_callback
from syncline.auth.token_endpoint import (
    Places,
    error_of,
    hints,
    read_answer,
    refusal,
    secrets_of,
    unsafe,
)
from syncline.auth.values import HeaderName, ask_with, bear
from syncline.errors import AuthError, RequestError
from syncline.model import (
    Duration,
    PathError,
    Reference,
    Request,
    Response,
    Secret,
    SecretText,
    Text,
    Token,
    parse_path,
    register,
    reveal,
)
from syncline.model.names import did_you_mean

Grant = Literal[
    "client_credentials", "refresh_token", "authorization_code", "device_code", "jwt_bearer", "password", "token_exchange"
]  # fmt: skip
INTERACTIVE = ("authorization_code", "device_code")
URN = "urn:ietf:params:oauth:"
GRANT_TYPES = {
    "device_code": f"{URN}grant-type:device_code",
    "jwt_bearer": f"{URN}grant-type:jwt-bearer",
    "token_exchange": f"{URN}grant-type:token-exchange",
}
NEEDS: dict[str, tuple[str, ...]] = {
    "client_credentials": ("client_id",),
    "refresh_token": ("client_id", "refresh_token"),
    "authorization_code": ("client_id", "authorize_url"),
    "device_code": ("client_id", "device_url"),
    "jwt_bearer": (),
    "password": ("username", "password"),
    "token_exchange": ("subject_token",),
}
UNREFRESHED = ("client_credentials", "jwt_bearer")
SECRET_FIELDS = ("client_secret", "refresh_token", "password", "subject_token", "actor_token")


class _Try(msgspec.Struct, frozen=True, kw_only=True):
    """One way to ask for a token; `refresh` is the refresh token it uses up."""

    grant_type: str
    pairs: Pairs
    refresh: Secret | None = None


@register("auth")
class OAuth2(Auth):
    """Asks a token endpoint for an access token, early enough that no request meets an expired one."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["oauth2"] = Field(default="oauth2", description="Access tokens from an authorisation server")
    grant: Grant = Field(
        default="client_credentials",
        description="How the first token is got: client_credentials (the application's own rights), authorization_code or "
        "device_code (somebody agrees once: syncline login), refresh_token (one that you have), jwt_bearer (an assertion, "
        "such as a service account's), password, token_exchange (another token)",
    )
    token_url: Text | None = Field(default=None, description="The token endpoint; https, loopback excepted")
    authorize_url: Text | None = Field(default=None, description="The page where somebody agrees: authorization_code")
    device_url: Text | None = Field(default=None, description="The device authorisation endpoint: device_code")
    refresh_url: Text | None = Field(default=None, description="The endpoint for refreshing, where it is not token_url")
    redirect_uri: str | None = Field(
        default=None,
        description="The registered redirect, where the server wants it to the port: http://127.0.0.1:8765/callback",
    )
    issuer: Text | None = Field(
        default=None, description="The server's name; a redirect must then come from it (RFC 9207)"
    )
    client_id: Text | None = Field(default=None, description="The application's name at the server")
    client_secret: SecretText | None = Field(default=None, description="The application's secret, by reference")
    client_auth: ClientAuth = Field(
        default="basic",
        description="How the application proves itself: its secret in the Authorization header (basic; basic_plain where the "
        "server does not decode what RFC 6749 has encoded) or in the body (post), "
        "client_assertion, mtls, or not at all",
    )
    client_assertion: Assertion | None = Field(default=None, description="What signs for client_auth: private_key_jwt")
    mtls: CertificateFields | None = Field(
        default=None, description="Client certificate for client_auth: tls_client_auth"
    )
    refresh_token: SecretText | None = Field(
        default=None, description="The first refresh token, by reference; each that the server gives later replaces it"
    )
    username: Text | None = Field(default=None, description="For grant: password")
    password: SecretText | None = Field(default=None, description="For grant: password, by reference")
    assertion: Assertion | None = Field(default=None, description="What signs for grant: jwt_bearer")
    service_account: SecretText | None = Field(
        default=None,
        description="A service account's whole JSON key file, by reference: grant jwt_bearer as Google has it",
    )
    subject: Text | None = Field(default=None, description="The user that service_account acts for")
    subject_token: SecretText | None = Field(default=None, description="The token to exchange, by reference (RFC 8693)")
    subject_token_type: str = Field(default=f"{URN}token-type:access_token", description="What subject_token is")
    actor_token: SecretText | None = Field(default=None, description="Who acts for the subject: token_exchange")
    actor_token_type: str = Field(default=f"{URN}token-type:access_token", description="What actor_token is")
    scopes: tuple[str, ...] = Field(default=(), description="Rights asked for: [orders.read]")
    scope_separator: str = Field(default=" ", description="Text between scopes, where a server wants a comma")
    audience: Text | None = Field(default=None, description="The API that the token is for, where the server asks")
    authorize_params: dict[str, Text] = Field(
        default={}, description="Further parameters where somebody agrees, such as access_type: offline"
    )
    token_params: dict[str, Text] = Field(default={}, description="Further parameters of the token request")
    refresh_params: dict[str, Text] | None = Field(
        default=None, description="Further parameters of refreshing; token_params where it is left out"
    )
    param_names: dict[str, str] = Field(
        default={}, description="Parameters that the server spells otherwise, such as client_id: client_key"
    )
    token_body: Literal["form", "json"] = Field(default="form", description="How token requests are written")
    token_path: str = Field(
        default="access_token", description="Where the token stands in the answer: data.access_token"
    )
    refresh_path: str | None = Field(default=None, description="Where the refresh token stands; else beside the token")
    expires_path: str | None = Field(
        default=None,
        description="Where the lifetime, or the moment of its end, stands; else expires_in or expires_at beside it",
    )
    lifetime: Duration | None = Field(default=None, description="How long a token holds where the answer does not say")
    early: Duration = Field(default=60.0, description="How long before its end a token is replaced")
    in_: Literal["header", "query"] = Field(
        default="header",
        alias="in",
        description="Where the access token is sent; query for APIs that read it nowhere else",
    )
    name: HeaderName = Field(default="access_token", description="The query parameter's name, with in: query")
    header: HeaderName = Field(default="Authorization", description="Header that carries the access token")
    prefix: str | None = Field(default="Bearer", description="Text before the access token; a space follows a word")

    @field_validator("grant", mode="before")
    @classmethod
    def _known_grant(cls, value: Any) -> Any:
        if value in NEEDS or not isinstance(value, str):
            return value
        hint = did_you_mean(value, tuple(NEEDS))
        raise PydanticCustomError("grant", "there is no grant {value}; {hint}", {"value": repr(value), "hint": hint})

    @field_validator("token_url", "authorize_url", "device_url", "refresh_url")
    @classmethod
    def _safe_address(cls, value: Any, info: Any) -> Any:
        if isinstance(value, str) and (wrong := unsafe(value)):
            raise PydanticCustomError("token_url", "{name} {wrong}", {"name": info.field_name, "wrong": wrong})
        return value

    @field_validator("redirect_uri")
    @classmethod
    def _comes_back_here(cls, value: str | None) -> str | None:
        if value is not None and (wrong := astray(value)):
            raise PydanticCustomError("redirect_uri", "redirect_uri {wrong}", {"wrong": wrong})
        return value

    @field_validator("token_path", "refresh_path", "expires_path")
    @classmethod
    def _is_path(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                parse_path(value)
        except PathError as error:
            raise PydanticCustomError("path", "{said}", {"said": str(error)}) from None
        return value

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> OAuth2:
        for needed in self._needed():
            if not any(getattr(self, name) is not None for name in needed.split(" or ")):
                raise PydanticCustomError(
                    "oauth2",
                    "grant {grant} needs {needed}",
                    {"grant": self.grant, "needed": needed, "loc": [needed.partition(" ")[0]]},
                )
        return self

    def _needed(self) -> Iterator[str]:
        yield from ("token_url or service_account", *NEEDS[self.grant])
        if self.grant == "jwt_bearer":
            yield "assertion or service_account"
        if self.client_auth == "private_key_jwt":
            yield from ("client_assertion", "client_id")
        elif self.client_auth == "tls_client_auth":
            yield from ("mtls", "client_id")
        elif self.client_auth == "post" or (self.client_auth in HEADER and self.grant == "client_credentials"):
            yield "client_secret"

    @property
    def needs_token(self) -> bool:
        return True

    @property
    def client_certificate(self) -> Certificate | None:
        return self.mtls.described() if self.mtls else None

    @property
    def addresses(self) -> tuple[str, ...]:
        urls = (self.token_url, self.refresh_url, self.device_url)
        return tuple(url for url in (reveal(url) for url in urls if url is not None) if not unsafe(url))

    def fresh(self, token: Token, monotonic: float) -> bool:
        """A token that lives for less than twice `early` is used for half of its life."""
        seconds = token.extra.get("expires_in")
        return token.fresh(monotonic, self.early if seconds is None else min(self.early, seconds / 2))

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if self.in_ == "query":
            return ask_with(request, token, self.name)
        return bear(request, token, self.header, self.prefix)

    def refused(self, response: Response) -> bool:
        """401, or any refusal that names the token as its reason (RFC 6750, 3.1)."""
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status == 401 or (400 <= response.status < 500 and "invalid_token" in challenge)

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        tries = [self._refreshing(one) for one in self._refresh_tokens(current)]
        if self.grant not in (*INTERACTIVE, "refresh_token"):
            tries.append(self._granting(now, f"{monotonic}"))
        if not tries:
            raise AuthError(
                "nobody has agreed yet that this integration may use the account"
                if current is None
                else "the log-in has run out, and the server gave no refresh token",
                hint="syncline login FILE",
            )
        return (yield from self._ask(tries, now, monotonic))

    def authorization(self, state: str, verifier: str, redirect_uri: str) -> str:
        """The address where somebody agrees (RFC 6749, 4.1.1), with the S256 challenge of `verifier` (RFC 7636, 4).

        `state` and `verifier` are random and used once. Raises AuthError where an address cannot be used.
        """
        url = self._address("authorize_url")
        if wrong := astray(redirect_uri):
            raise AuthError(
                f"redirect_uri {wrong}", hint="leave redirect_uri out, or write http://127.0.0.1:8765/callback"
            )
        pairs: Pairs = [
            ("response_type", "code"),
            ("client_id", reveal(self.client_id or "")),
            ("redirect_uri", redirect_uri),
            ("state", state),
            ("code_challenge", challenge_of(verifier)),
            ("code_challenge_method", "S256"),
            *self._wishes(),
            *_clear(self.authorize_params),
        ]
        query = urlencode([(self.param_names.get(name, name), reveal(value)) for name, value in pairs])
        return f"{url}{'&' if urlsplit(url).query else '?'}{query}"

    def check_callback(self, params: Mapping[str, str], state: str) -> str:
        """The code that a redirect brought. Raises AuthError for one that we did not ask for, or that says no.

        `state` must come back as it was sent, and `iss` be the issuer, where one is configured (RFC 9207, 2.4).
        """
        issuer = reveal(self.issuer) if self.issuer is not None else None
        return read_callback(params, state, issuer, hints(self.grant, self._other_client_auth()), list(self._secrets()))

    def exchange(self, code: str, verifier: str, redirect_uri: str, now: datetime, monotonic: float) -> Steps:
        """The token for a code (RFC 6749, 4.1.3); `redirect_uri` as it was in the authorisation."""
        pairs: Pairs = [
            ("code", Secret(code)),
            ("redirect_uri", redirect_uri),
            ("code_verifier", Secret(verifier)),
        ]
        return (yield from self._ask([_Try(grant_type="authorization_code", pairs=pairs)], now, monotonic))

    def device_start(self, now: datetime) -> Request:
        """Asks for a code to be typed in elsewhere (RFC 8628, 3.1). Raises AuthError."""
        pairs = [*self._wishes(), *_clear(self.authorize_params)]
        return self._request(self._address("device_url"), pairs, now, "device")

    def device_code(self, answer: Response) -> DeviceCode:
        """What the answer says to show and to poll with (RFC 8628, 3.2). Raises AuthError."""
        document = read_answer(answer)
        code = None if answer.status >= 300 or error_of(document)[0] else read_device_code(document)
        if code is None:
            sent = [Request(method="POST", url=answer.url)]
            raise self._refusal(sent, answer, "to start a log-in", "a device_code")
        return code

    def device_poll(self, code: DeviceCode, now: datetime, monotonic: float) -> Polling:
        """Asks until somebody has agreed (RFC 8628, 3.4 and 3.5), no quicker than told. Raises AuthError."""
        interval, waited = code.interval, 0.0
        one = _Try(grant_type=GRANT_TYPES["device_code"], pairs=[("device_code", code.device_code)])
        while waited + interval <= code.expires_in:
            waited += interval
            request = self._token_request(one, now, f"{monotonic} {waited}")
            response = yield Poll(wait=interval, request=request)
            error = error_of(read_answer(response))[0]
            if error == "slow_down":
                interval += SLOW_DOWN
            elif error != "authorization_pending":
                began = response.received_at - response.elapsed if response.received_at else monotonic
                return self._token(one, [request], response, now, began)
        raise AuthError("nobody agreed before the code ran out", hint="start syncline login FILE again")

    def _ask(self, tries: list[_Try], now: datetime, monotonic: float) -> Steps:
        sent: list[Request] = []
        for one in tries:
            sent.append(self._token_request(one, now, f"{monotonic} {len(sent)}"))
            response = yield sent[-1]
            if one is tries[-1] or error_of(read_answer(response))[0] != "invalid_grant":
                return self._token(one, sent, response, now, monotonic)
        raise AssertionError("the last try returns or raises")

    def _refresh_tokens(self, current: Token | None) -> list[Secret]:
        """The rotated one first; then the configured one, which somebody may have renewed by hand since."""
        if self.grant in UNREFRESHED:
            return []
        configured = Secret(reveal(self.refresh_token)) if self.refresh_token is not None else None
        return list(dict.fromkeys(one for one in (current.refresh if current else None, configured) if one))

    def _refreshing(self, refresh: Secret) -> _Try:
        wishes = self._wishes() if self.grant == "refresh_token" else []
        return _Try(grant_type="refresh_token", pairs=[("refresh_token", refresh), *wishes], refresh=refresh)

    def _granting(self, now: datetime, seed: str) -> _Try:
        """What a grant that needs nobody asks with."""
        pairs: Pairs = []
        if self.grant == "password" and self.username is not None and self.password is not None:
            pairs = [("username", Secret(reveal(self.username))), ("password", Secret(reveal(self.password)))]
        elif self.grant == "jwt_bearer":
            return _Try(grant_type=GRANT_TYPES["jwt_bearer"], pairs=[("assertion", self._assertion(now, seed))])
        elif self.grant == "token_exchange":
            for name in ("subject_token", "actor_token"):
                if (token := getattr(self, name)) is not None:
                    pairs += [(name, Secret(reveal(token))), (f"{name}_type", getattr(self, f"{name}_type"))]
        return _Try(grant_type=GRANT_TYPES.get(self.grant, self.grant), pairs=[*pairs, *self._wishes()])

    def _assertion(self, now: datetime, seed: str) -> Secret:
        """Scopes go into it, as Google and DocuSign have it; token_params may say them again beside it."""
        assertion = self.assertion
        if assertion is None:
            assert self.service_account is not None
            assertion = read_service_account(self.service_account, self.subject).assertion
        defaults = {"aud": self._address("token_url")}
        if self.client_id is not None:
            defaults["iss"] = reveal(self.client_id)
        if self.scopes:
            defaults["scope"] = self.scope_separator.join(self.scopes)
        return assertion.signed(defaults, now, seed)

    def _wishes(self) -> Pairs:
        """What the token shall be good for."""
        pairs: Pairs = []
        if self.scopes:
            pairs.append(("scope", self.scope_separator.join(self.scopes)))
        if self.audience is not None:
            pairs.append(("audience", Secret(reveal(self.audience))))
        return pairs

    def _address(self, field: str) -> str:
        """An endpoint's address, checked: a reference may have turned into anything. Raises AuthError."""
        value = getattr(self, field)
        if field == "token_url" and value is None and self.service_account is not None:
            value = read_service_account(self.service_account, None).token_url
        url = reveal(value or "")
        if wrong := unsafe(url):
            raise AuthError(f"{field} {wrong}", hint=f"write the endpoint's full https address into {field}")
        return url

    def _request(self, url: str, pairs: Pairs, now: datetime, seed: str) -> Request:
        application = Application(
            name=reveal(self.client_id) if self.client_id is not None else None,
            secret=reveal(self.client_secret) if self.client_secret is not None else None,
            auth=self.client_auth,
            assertion=self.client_assertion,
            audience=self._address("token_url"),
        )
        said = [*pairs, *application.identity(now, seed)]
        named = tuple((self.param_names.get(name, name), value) for name, value in said)
        headers = {"Accept": "application/json", **application.headers()}
        # repeatable: if the answer to a rotation is lost, so is the new token, and asking again is all that is left
        request = Request(method="POST", url=url, headers=headers, repeatable=True)
        if self.token_body == "json":  # noqa: S105 – the name of a format
            return msgspec.structs.replace(request, json=dict(named))
        return msgspec.structs.replace(request, form=named).with_headers(
            {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def _token_request(self, one: _Try, now: datetime, seed: str) -> Request:
        refreshing = one.refresh is not None
        url = self._address("refresh_url" if refreshing and self.refresh_url is not None else "token_url")
        params = self.refresh_params if refreshing and self.refresh_params is not None else self.token_params
        return self._request(url, [("grant_type", one.grant_type), *one.pairs, *_clear(params)], now, seed)

    def _token(self, one: _Try, sent: list[Request], response: Response, now: datetime, began: float) -> Token:
        """The token of a good answer; a refresh token in it replaces the one that was used (RFC 6749, 6)."""
        document, token = read_answer(response), None
        if response.status < 300 and error_of(document)[0] is None:
            places = Places(
                token=self.token_path, refresh=self.refresh_path, expires=self.expires_path, lifetime=self.lifetime
            )
            token = places.read(document, response, now, began)
        if token is None:
            raise self._refusal(sent, response, f"the grant {_plain(one.grant_type)}", "an access token")
        kept = None if self.grant in UNREFRESHED else token.refresh or one.refresh
        return msgspec.structs.replace(token, refresh=kept)

    def _refusal(self, sent: list[Request], response: Response, asked: str, lacking: str) -> RequestError:
        secrets = [*self._secrets(), *(secret for request in sent for secret in secrets_of(request))]
        known = hints(self.grant, self._other_client_auth())
        return refusal(sent[-1], response, asked=asked, lacking=lacking, hints=known, secrets=secrets)

    def _other_client_auth(self) -> str:
        """What else a server may want that does not accept ours."""
        secret = reveal(self.client_secret) if self.client_secret is not None else ""
        if self.client_auth == "basic":
            return "post" if quote_plus(secret) == secret else "basic_plain, or post"
        return "basic"

    def _secrets(self) -> Iterator[str]:
        for name in SECRET_FIELDS:
            if (value := getattr(self, name)) is not None:
                yield reveal(value)


def _clear(params: Mapping[str, str | Reference | Secret]) -> Pairs:
    return [(name, Secret(reveal(value))) for name, value in params.items()]


def _plain(grant_type: str) -> str:
    return next((name for name, urn in GRANT_TYPES.items() if urn == grant_type), grant_type)
