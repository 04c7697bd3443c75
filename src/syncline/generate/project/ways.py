"""Authentication as a block of the file, and text of strangers that may stand there."""

from __future__ import annotations

import re
from typing import Any

from syncline.auth import Auth
from syncline.generate.inference import Api, Guess, plain
from syncline.generate.project.naming import variable_prefix
from syncline.model import Part, Reference, kind_of

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
Block = dict[str, Any] | list[Any]
"""One way, or several that belong together."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "api_key": {"key": "${%s_API_KEY}"},
    "bearer": {"token": "${%s_TOKEN}"},
    "basic": {"username": "${%s_USERNAME}", "password": "${%s_PASSWORD}"},
    "digest": {"username": "${%s_USERNAME}", "password": "${%s_PASSWORD}"},
    "oauth2": {
        "grant": "client_credentials",
        "token_url": "${%s_TOKEN_URL}",
        "client_id": "${%s_CLIENT_ID}",
        "client_secret": "${%s_CLIENT_SECRET}",
    },
    "jwt": {"algorithm": "RS256", "key": "${%s_PRIVATE_KEY}", "claims": {"iss": "${%s_ISSUER}"}},
    "hmac": {"algorithm": "sha256", "key": "${%s_SIGNING_KEY}"},
    "aws_sigv4": {
        "access_key": "${AWS_ACCESS_KEY_ID}",
        "secret_key": "${AWS_SECRET_ACCESS_KEY}",
        "service": "execute-api",
        "region": "${AWS_REGION}",
    },
}


def auth_block(api: Api, wanted: str | dict[str, Any] | None, prefix: str) -> tuple[Block | None, Guess[Any] | None]:
    """The block, or None for none, and the guess it comes from, if it comes from one. A block that was answered stays as it is."""
    if isinstance(wanted, dict):
        alike = (
            guess for guess in api.auth if guess.value is not None and kind_of(type(guess.value)) == wanted["kind"]
        )
        return wanted, next(alike, None)
    if wanted == "none":
        return None, None
    for guess in api.auth:
        if guess.known and (wanted is None or (guess.value is not None and kind_of(type(guess.value)) == wanted)):
            block = _block(guess.value, api.name)
            if block is not None or guess.value is None:
                return block, guess
    if wanted is None:
        return None, next(iter(api.auth), None)
    settings = _DEFAULTS.get(wanted, {})
    return {"kind": wanted, **_filled(settings, prefix)}, None


def safe_text(text: str | None) -> str | None:
    """A stranger's text, unless it would be read as a reference: those run commands and read files and variables (S23)."""
    return text if text and "${" not in text else None


def _block(auth: Auth | None, name: str) -> Block | None:
    """The block, unless the document smuggled a reference into it: all of ours are whole values, and variables of this API."""
    if auth is None:
        return None
    if not _harmless(auth, variable_prefix(name)):
        return None
    data = plain(auth)
    return {"kind": kind_of(type(auth)), **data} if isinstance(data, dict) else list(data)


def _harmless(value: Any, prefix: str) -> bool:
    if isinstance(value, Reference):
        (name, *more) = value.names()
        return not more and value.text == f"${{{name}}}" and bool(_VARIABLE.fullmatch(name)) and name.startswith(prefix)
    if isinstance(value, Part):
        return all(_harmless(getattr(value, field), prefix) for field in type(value).model_fields)
    if isinstance(value, dict):
        return all(_harmless(inner, prefix) and "${" not in str(key) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(_harmless(inner, prefix) for inner in value)
    return not (isinstance(value, str) and "${" in value)


def _filled(value: Any, prefix: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, prefix) for key, inner in value.items()}
    return value.replace("%s", prefix) if isinstance(value, str) else value
