"""What a store needs to know besides its address: credentials by reference, and other options in the open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from syncline.model import LITERAL_SECRET, Reference, Secret, reveal
from syncline.model.text import REFERENCE

SECRET_WORDS = ("key", "secret", "password", "passwd", "passphrase", "token", "credential", "connection_string", "sas")
NO_SECRETS = frozenset({"anon", "cloud", "google_default", "browser", "cache"})
"""What gcsfs takes as a token, though it is none."""
NO_SECRET_NAMES = frozenset({"key_filename"})


def _read(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise PydanticCustomError(
            "storage",
            "options are written as a block: {example}",
            {"example": "{key: ${AWS_KEY}, secret: ${AWS_SECRET}}"},
        )
    return {str(name): _option(inner, str(name)) for name, inner in value.items()}


def _option(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return {str(inner): _option(one, str(inner)) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [_option(one, name) for one in value]
    if not isinstance(value, str):
        return value
    if REFERENCE.search(value):
        return Reference(value)
    if _is_secret(name) and value not in NO_SECRETS:
        raise PydanticCustomError(
            LITERAL_SECRET,
            "a secret stands in the file at {name}; move it to the environment and write {example} here",
            {"name": name, "example": "${NAME}"},
        )
    return value


def _is_secret(name: str) -> bool:
    folded = name.casefold()
    return folded not in NO_SECRET_NAMES and any(word in folded for word in SECRET_WORDS)


StorageOptions = Annotated[
    dict[str, Any],
    BeforeValidator(_read),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]


def revealed(options: Any) -> Any:
    """The options as the store's library takes them."""
    if isinstance(options, Mapping):
        return {name: revealed(value) for name, value in options.items()}
    if isinstance(options, list | tuple):
        return [revealed(value) for value in options]
    return reveal(options) if isinstance(options, Reference | Secret) else options
