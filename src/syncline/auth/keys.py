"""Credentials that are sent as they are: keys, tokens, user name and password."""

import base64
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth
from syncline.auth.values import HeaderName, header_value, prefixed
from syncline.errors import AuthError
from syncline.model import LITERAL_SECRET, Request, Secret, SecretText, Text, Token, register, reveal


@register("auth")
class ApiKey(Auth):
    """A key in a header, a query parameter or a cookie."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["api_key"] = Field(default="api_key", description="A key in a header, query parameter or cookie")
    key: SecretText = Field(description="The key, by reference: ${SHOP_API_KEY}")
    in_: Literal["header", "query", "cookie"] = Field(default="header", alias="in", description="Where the key is sent")
    name: HeaderName = Field(default="X-API-Key", description="Name of the header, parameter or cookie")
    prefix: str | None = Field(default=None, description="Text before the key; a space follows a word such as Token")

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        value = prefixed(self.prefix, reveal(self.key))
        if self.in_ == "query":
            return request.with_params({self.name: Secret(value)})
        if self.in_ == "header":
            return request.with_headers({self.name: header_value(value, f"the key for {self.name}")})
        if ";" in value:
            raise AuthError("the key has a semicolon, which ends a cookie", hint="look at the key where it is kept")
        others = [reveal(text) for name, text in request.headers.items() if name.lower() == "cookie" and text]
        cookie = header_value(f"{self.name}={value}", f"the key for {self.name}").reveal()
        return request.with_headers({"Cookie": Secret("; ".join([*others, cookie]))})


@register("auth")
class Bearer(Auth):
    """A token that somebody obtained already, in the Authorization header, or in the query (RFC 6750, 2.1, 2.3)."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["bearer"] = Field(default="bearer", description="A fixed token in the Authorization header")
    token: SecretText = Field(description="The token, by reference: ${SHOP_TOKEN}")
    in_: Literal["header", "query"] = Field(
        default="header", alias="in", description="Where the token is sent; query for APIs that read it nowhere else"
    )
    name: HeaderName = Field(default="access_token", description="The query parameter's name, with in: query")

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if self.in_ == "query":
            return request.with_params({self.name: Secret(reveal(self.token))})
        return request.with_headers({"Authorization": header_value(f"Bearer {reveal(self.token)}", "the token")})


@register("auth")
class Basic(Auth):
    """User name and password (RFC 7617), sent as UTF-8."""

    kind: Literal["basic"] = Field(default="basic", description="User name and password")
    username: Text = Field(description="User name; by reference if it is the key itself, as some APIs have it")
    password: SecretText | None = Field(default=None, description="Password, by reference; left out if there is none")

    @field_validator("password", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.password is None and isinstance(self.username, str):
            raise PydanticCustomError(
                LITERAL_SECRET,
                "without a password the user name is the secret; move it to the environment and write ${NAME} here",
                {"loc": ["username"]},
            )
        if isinstance(self.username, str) and ":" in self.username:
            raise PydanticCustomError("username", "a user name has no colon (RFC 7617)", {"loc": ["username"]})
        return self

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        username = reveal(self.username)
        if ":" in username:
            raise AuthError(
                "the user name has a colon, which basic authentication cannot send",
                hint="look whether username holds user name and password together, and split them",
            )
        password = reveal(self.password) if self.password is not None else ""
        pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        return request.with_headers({"Authorization": Secret(f"Basic {pair}")})
