"""What an integration file says about an authorisation server (RFC 6749)."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.assertion import Assertion
from syncline.auth.auth import Auth
from syncline.auth.certificate import Certificate, CertificateFields
from syncline.auth.client import HEADER, ClientAuth
from syncline.auth.redirect import astray
from syncline.auth.token_endpoint import unsafe
from syncline.auth.values import HeaderName
from syncline.model import Duration, PathError, SecretText, Text, parse_path, reveal
from syncline.model.names import did_you_mean

Grant = Literal[
    "client_credentials", "refresh_token", "authorization_code", "device_code", "jwt_bearer", "password", "token_exchange"
]  # fmt: skip
URN = "urn:ietf:params:oauth:"
NEEDS: dict[str, tuple[str, ...]] = {
    "client_credentials": ("client_id",),
    "refresh_token": ("client_id", "refresh_token"),
    "authorization_code": ("client_id", "authorize_url"),
    "device_code": ("client_id", "device_url"),
    "jwt_bearer": (),
    "password": ("username", "password"),
    "token_exchange": ("subject_token",),
}


class OAuth2Fields(Auth):
    """The settings of `oauth2`, each checked by itself and against the grant that is asked for."""

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
    def _has_what_it_needs(self) -> Self:
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
