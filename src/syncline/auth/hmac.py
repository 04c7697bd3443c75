"""A signature over parts of the request, made afresh for each attempt (RFC 2104)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import msgspec
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth
from syncline.auth.values import HeaderName, KeyEncoding, decode_key, header_value, once, prefixed, read_references
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


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base64": _base64,
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
}


def _sorted_query(query: str) -> str:
    return "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")))


PARTS: dict[str, Callable[[_Attempt], str | bytes]] = {
    "method": lambda attempt: attempt.request.method,
    "host": lambda attempt: urlsplit(attempt.request.url).netloc.rpartition("@")[2],
    "path": lambda attempt: attempt.path,
    "query": lambda attempt: _sorted_query(attempt.query),
    "query_as_sent": lambda attempt: attempt.query,
    "target": lambda attempt: attempt.path + (f"?{attempt.query}" if attempt.query else ""),
    "url": lambda attempt: attempt.request.target,
    "timestamp": lambda attempt: attempt.timestamp,
    "nonce": lambda attempt: attempt.nonce,
    "body": lambda attempt: attempt.body,
    "body_sha256": lambda attempt: hashlib.sha256(attempt.body).hexdigest(),
    "body_sha256_base64": lambda attempt: _base64(hashlib.sha256(attempt.body).digest()),
    "body_md5": lambda attempt: hashlib.md5(attempt.body, usedforsecurity=False).hexdigest(),
    "body_md5_base64": lambda attempt: _base64(hashlib.md5(attempt.body, usedforsecurity=False).digest()),
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
        plain = isinstance(item, dict) and all(isinstance(text, str) for text in item.values())
        if plain and set(item) in ({"text"}, {"header"}):
            continue
        if isinstance(item, dict):
            what = "write the name of a part, text, {text: …} or {header: …}"
            raise PydanticCustomError("sign", what, {"loc": [index]})
        near = nearest(item, PARTS) if isinstance(item, str) and re.fullmatch(r"[A-Za-z_0-9]{3,}", item) else None
        if near is not None and near != item:
            raise PydanticCustomError(
                "sign",
                "did you mean {near}? The text itself is written {text: {item}}",
                {"near": near, "item": item, "loc": [index]},
            )
    return read_references(value)


SignedParts = Annotated[tuple[Any, ...], BeforeValidator(_read_sign), PlainSerializer(to_data)]


@register("auth")
class Hmac(Auth):
    """Signs each request with a shared key, and sends the signature in a header."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["hmac"] = Field(default="hmac", description="A signature over parts of the request")
    algorithm: Literal["sha256", "sha384", "sha512", "sha1", "md5"] = Field(
        default="sha256", description="The hash function"
    )
    key: SecretText = Field(description="The shared key, by reference: ${SHOP_SIGNING_KEY}")
    key_encoding: KeyEncoding = Field(default="text", description="How the key is written down")
    signed: SignedParts = Field(
        alias="sign",
        min_length=1,
        description="What is signed, joined as it stands: method, host, path, query (its parameters sorted), target (path "
        "and query as sent), url, query_as_sent, timestamp, nonce, body, body_sha256, body_md5 (both also with _base64), "
        "{header: Name}; anything else is text between them",
    )
    in_: Literal["header", "query"] = Field(
        default="header",
        alias="in",
        description="Where the signature and what goes with it is sent; in: query, the names below are those of parameters",
    )
    header: HeaderName = Field(default="X-Signature", description="Header that carries the signature")
    encoding: Literal["hex", "base64", "base64url"] = Field(default="hex", description="How the signature is written")
    prefix: str | None = Field(default=None, description="Text before the signature, such as sha256=")
    template: str | None = Field(
        default=None,
        description="The header's value instead: 'HMAC {key_id}:{nonce}:{signature}', with {timestamp} as well",
    )
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
    def _sends_what_it_signs(self) -> Self:
        template = self.template or ""
        if self.template is not None and "{signature}" not in template:
            raise PydanticCustomError("sign", "template has no {signature} in it", {"loc": ["template"]})
        if self.template is not None and self.prefix is not None:
            raise PydanticCustomError("sign", "template says what prefix would; remove prefix", {"loc": ["prefix"]})
        for part, header in (("timestamp", self.timestamp_header), ("nonce", self.nonce_header)):
            if part in self.signed and header is None and f"{{{part}}}" not in template:
                raise PydanticCustomError(
                    "sign",
                    "{part} is signed but sent nowhere, so that nobody could check it; name its {part}_header",
                    {"part": part, "loc": ["sign"]},
                )
        sent = self.key_id_header is not None or "{key_id}" in template
        if (self.key_id is not None) != sent:
            raise PydanticCustomError("key_id", "key_id and key_id_header come together", {})
        return self

    @property
    def signs_time(self) -> bool:
        return "timestamp" in self.signed

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        key = decode_key(self.key, self.key_encoding)
        facts = {
            "timestamp": MOMENTS[self.timestamp_format](now),
            "nonce": once(key, now.isoformat(), str(request.attempt), request.method, request.target),
            "key_id": reveal(self.key_id) if self.key_id is not None else "",
        }
        places = (("timestamp", self.timestamp_header), ("nonce", self.nonce_header), ("key_id", self.key_id_header))
        beside = {place: facts[name] for name, place in places if place is not None}
        # first, because what is sent beside the signature may be signed
        request = self._send(request, beside)
        attempt = _Attempt(request, facts["timestamp"], facts["nonce"])
        message = b"".join(_bytes_of(item, attempt) for item in self.signed)
        signature = ENCODINGS[self.encoding](hmac.digest(key, message, self.algorithm))
        return self._send(request, {self.header: self._written(signature, facts)})

    def _written(self, signature: str, facts: dict[str, str]) -> str:
        if self.template is None:
            return prefixed(self.prefix, signature)
        known = {**facts, "signature": signature}
        return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], match[0]), self.template)

    def _send(self, request: Request, values: dict[str, str]) -> Request:
        if self.in_ == "query":
            return request.with_params({name: Secret(value) for name, value in values.items()})
        return request.with_headers(
            {name: header_value(value, f"the value for {name}") for name, value in values.items()}
        )


def _bytes_of(item: Any, attempt: _Attempt) -> bytes:
    if isinstance(item, dict) and "header" in item:
        named = (text for name, text in attempt.request.headers.items() if name.lower() == item["header"].lower())
        value: str | bytes = reveal(next(named, ""))
    elif isinstance(item, dict):
        value = reveal(item["text"])
    elif isinstance(item, str) and item in PARTS:
        value = PARTS[item](attempt)
    else:
        value = reveal(item)
    return value if isinstance(value, bytes) else value.encode()
