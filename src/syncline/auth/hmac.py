"""A signature over parts of the request, made afresh for each attempt (RFC 2104)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth
from syncline.auth.values import HeaderName, KeyEncoding, decode_key, header_value, prefixed, read_references
from syncline.model import Request, Secret, SecretText, Text, Token, register, reveal
from syncline.model.names import nearest
from syncline.model.part import to_data


class _Attempt(msgspec.Struct, frozen=True):
    """What one attempt can sign."""

    request: Request
    timestamp: str
    nonce: str

    @property
    def query(self) -> str:
        return urlsplit(self.request.target).query

    @property
    def path(self) -> str:
        return urlsplit(self.request.target).path or "/"

    @property
    def body(self) -> bytes:
        return self.request.content or b""


def _sorted_query(query: str) -> str:
    return "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")))


PARTS: dict[str, Callable[[_Attempt], str | bytes]] = {
    "method": lambda attempt: attempt.request.method,
    "host": lambda attempt: urlsplit(attempt.request.url).netloc.rpartition("@")[2],
    "path": lambda attempt: attempt.path,
    "query": lambda attempt: _sorted_query(attempt.query),
    "target": lambda attempt: attempt.path + (f"?{attempt.query}" if attempt.query else ""),
    "timestamp": lambda attempt: attempt.timestamp,
    "nonce": lambda attempt: attempt.nonce,
    "body": lambda attempt: attempt.body,
    "body_sha256": lambda attempt: hashlib.sha256(attempt.body).hexdigest(),
}

MOMENTS: dict[str, Callable[[datetime], str]] = {
    "unix": lambda now: str(int(now.timestamp())),
    "unix_ms": lambda now: str(int(now.timestamp() * 1000)),
    "iso8601": lambda now: now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "http_date": lambda now: format_datetime(now.astimezone(UTC), usegmt=True),
}


def _read_sign(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    for index, item in enumerate(value):
        if isinstance(item, dict) and set(item) == {"text"} and isinstance(item["text"], str):
            continue
        if isinstance(item, dict):
            raise PydanticCustomError("sign", "write the name of a part, text, or {{text: …}}", {"loc": [index]})
        near = nearest(item, PARTS) if isinstance(item, str) and re.fullmatch(r"[A-Za-z_0-9]{3,}", item) else None
        if near is not None and near != item:
            raise PydanticCustomError(
                "sign",
                "did you mean {near}? The text itself is written {{text: {item}}}",
                {"near": near, "item": item, "loc": [index]},
            )
    return read_references(value)


SignedParts = Annotated[tuple[Any, ...], BeforeValidator(_read_sign), PlainSerializer(to_data)]


@register("auth")
class Hmac(Auth):
    """Signs each request with a shared key, and sends the signature in a header."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["hmac"] = Field(default="hmac", description="A signature over parts of the request")
    algorithm: Literal["sha256", "sha512", "sha1"] = Field(default="sha256", description="The hash function")
    key: SecretText = Field(description="The shared key, by reference: ${SHOP_SIGNING_KEY}")
    key_encoding: KeyEncoding = Field(default="text", description="How the key is written down")
    signed: SignedParts = Field(
        alias="sign",
        min_length=1,
        description="What is signed, joined as it stands: method, host, path, query (its parameters sorted), target (path "
        "and query as sent), timestamp, nonce, body, body_sha256; anything else is text between them",
    )
    header: HeaderName = Field(default="X-Signature", description="Header that carries the signature")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How the signature is written")
    prefix: str | None = Field(default=None, description="Text before the signature, such as sha256=")
    timestamp_header: HeaderName | None = Field(default=None, description="Header that carries the time of signing")
    timestamp_format: Literal["unix", "unix_ms", "iso8601", "http_date"] = Field(
        default="unix", description="How the time of signing is written"
    )
    nonce_header: HeaderName | None = Field(default=None, description="Header that carries a value used once")
    key_id: Text | None = Field(default=None, description="Name of the key, sent beside the signature")
    key_id_header: HeaderName | None = Field(default=None, description="Header that carries key_id")

    @field_validator("signed")
    @classmethod
    def _texts(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for index, item in enumerate(value):
            if isinstance(item, bool | int | float) or item is None:
                raise PydanticCustomError("text_type", "text is expected; put it in quotes", {"loc": [index]})
        return value

    @model_validator(mode="after")
    def _sends_what_it_signs(self) -> Hmac:
        for part, header in (("timestamp", self.timestamp_header), ("nonce", self.nonce_header)):
            if part in self.signed and header is None:
                raise PydanticCustomError(
                    "sign",
                    "{part} is signed but sent nowhere, so that nobody could check it; name its {part}_header",
                    {"part": part, "loc": ["sign"]},
                )
        if (self.key_id is None) != (self.key_id_header is None):
            raise PydanticCustomError("key_id", "key_id and key_id_header come together", {})
        return self

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        key = decode_key(self.key, self.key_encoding)
        attempt = _Attempt(request, MOMENTS[self.timestamp_format](now), _nonce(key, request, now))
        message = b"".join(_bytes_of(item, attempt) for item in self.signed)
        digest = hmac.new(key, message, self.algorithm).digest()
        signature = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode("ascii")
        headers: dict[str, str | Secret] = {
            self.header: header_value(prefixed(self.prefix, signature), f"the value for {self.header}")
        }
        if self.timestamp_header:
            headers[self.timestamp_header] = attempt.timestamp
        if self.nonce_header:
            headers[self.nonce_header] = attempt.nonce
        if self.key_id is not None and self.key_id_header:
            headers[self.key_id_header] = header_value(reveal(self.key_id), "key_id")
        return request.with_headers(headers)


def _bytes_of(item: Any, attempt: _Attempt) -> bytes:
    if isinstance(item, dict):
        value: str | bytes = reveal(item["text"])
    elif isinstance(item, str) and item in PARTS:
        value = PARTS[item](attempt)
    else:
        value = reveal(item)
    return value if isinstance(value, bytes) else value.encode()


def _nonce(key: bytes, request: Request, now: datetime) -> str:
    """A value used once: it follows from the instant, the attempt and the address, and only the key's holder can foresee it."""
    seed = f"{now.isoformat()} {request.attempt} {request.method} {request.target}"
    return hmac.new(key, seed.encode(), "sha256").hexdigest()[:32]
