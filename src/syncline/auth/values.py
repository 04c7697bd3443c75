"""Credentials on their way into a request: how they are joined, decoded, and kept out of what people read."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from syncline.errors import AuthError
from syncline.model import Reference, Request, Secret, Token, reveal
from syncline.model.part import to_data
from syncline.model.text import REFERENCE

KeyEncoding = Literal["text", "hex", "base64"]
MAX_SHOWN = 200
_NAME = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def _read_header_name(name: str) -> str:
    if not name or not _NAME.issuperset(name):
        raise PydanticCustomError("header_name", "{name} cannot name a header", {"name": repr(name)})
    return name


HeaderName = Annotated[str, AfterValidator(_read_header_name)]
"""A token of RFC 9110, 5.6.2."""


def prefixed(prefix: str | None, value: str) -> str:
    """Prefix and value; a prefix that ends in a letter or digit is a word of its own, others (`sha256=`) join on."""
    if not prefix:
        return value
    return f"{prefix} {value}" if prefix[-1].isalnum() else f"{prefix}{value}"


def header_value(value: str, what: str) -> Secret:
    """A value that may stand in a header. Raises AuthError for one that would break out of it, or would arrive changed."""
    if not value.isprintable() or value != value.strip():
        raise AuthError(
            f"{what} has line breaks, control characters or spaces at its ends, and cannot be sent",
            hint="look at the value where it is kept: most often a line break was saved with it",
        )
    return Secret(value)


def bear(request: Request, token: Token | None, header: str, prefix: str | None) -> Request:
    """The request with a token in a header (RFC 6750, 2.1)."""
    if token is None:
        raise TypeError("a request that bears a token is signed with one")
    return request.with_headers({header: header_value(prefixed(prefix, token.access.reveal()), "the token")})


def ask_with(request: Request, token: Token | None, name: str) -> Request:
    """The request with a token in its query (RFC 6750, 2.3), for APIs that read it nowhere else."""
    if token is None:
        raise TypeError("a request that bears a token is signed with one")
    return request.with_params({name: token.access})


def decode_key(key: Secret | Reference, encoding: KeyEncoding) -> bytes:
    """The bytes to sign with. Raises AuthError."""
    text = reveal(key)
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        if encoding == "base64":
            standard = text.replace("-", "+").replace("_", "/")
            return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise AuthError(f"the key is not {encoding}", hint="correct key_encoding, or the key itself") from None
    return text.encode()


def once(key: bytes, *seed: str) -> str:
    """A value used once: it follows from what was never the same before, and only the key's holder can foresee it."""
    return hmac.new(key, "\n".join(seed).encode(), "sha256").hexdigest()[:32]


def read_references(value: Any) -> Any:
    """Configuration in which any text, however deep, may be a reference."""
    if isinstance(value, str):
        return Reference(value) if REFERENCE.search(value) else value
    if isinstance(value, dict):
        return {name: read_references(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [read_references(inner) for inner in value]
    return value


Referring = Annotated[dict[str, Any], BeforeValidator(read_references), PlainSerializer(to_data)]
"""A field that holds such configuration."""


def reveal_all(value: Any) -> Any:
    """The same, with everything in clear."""
    if isinstance(value, Reference | Secret):
        return reveal(value)
    if isinstance(value, dict):
        return {name: reveal_all(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [reveal_all(inner) for inner in value]
    return value


def harmless(text: object, secrets: Iterable[str], most: int = MAX_SHOWN) -> str:
    """A stranger's text for people: secrets masked in every spelling they were sent in, nothing unprintable, bounded.

    Masked before it is cut, so that no half of a secret stays.
    """
    shown = str(text)
    spellings = {form for secret in secrets if secret for form in (secret, quote_plus(secret))}
    for spelling in sorted(spellings, key=len, reverse=True):
        shown = shown.replace(spelling, "***")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown[: most * 2])
    return shown if len(shown) <= most else shown[: most - 1] + "…"
