"""Credentials as command lines spell them: by reference, because shells and logs keep what stands there."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from syncline.errors import SpecError, UsageError
from syncline.generate.inference import Credentials
from syncline.spec.yaml_text import read as read_yaml

SENSITIVE = ("authorization", "cookie", "key", "token", "secret", "password")


def credentials_of(auth: str | None, headers: list[str]) -> Credentials:
    """The credentials that the words of a command line mean. Raises UsageError, for literal secrets too."""
    pairs: dict[str, str] = {}
    for header in headers:
        name, colon, value = (part.strip() for part in header.partition(":"))
        if not colon or not name:
            raise UsageError(f"--header {header!r} is no header", hint="write NAME:VALUE")
        if any(word in name.lower() for word in SENSITIVE) and "${" not in value:
            raise UsageError(
                f"the header {name} holds a secret as it stands, which shells and logs keep",
                hint=f"put it into the environment and write --header '{name}: ${{NAME}}'",
            )
        pairs[name] = value
    try:
        return Credentials.model_validate({"auth": _auth(auth) if auth else None, "headers": pairs})
    except ValidationError as error:
        first = error.errors()[0]
        inner = first.get("ctx", {}).get("errors") or [first]
        raise UsageError(
            f"--auth cannot be used: {inner[0]['msg']}", hint="syncline probe URL --auth bearer='${TOKEN}'"
        ) from None


def _auth(text: str) -> Any:
    kind, sign, value = text.partition("=")
    if sign and kind == "bearer":
        return {"kind": "bearer", "token": value}
    if sign and kind == "basic":
        user, _, password = value.replace("${env:", "${").partition(":")
        return {"kind": "basic", "username": user, "password": password}
    if sign and kind == "api_key":
        name, colon, key = value.partition(":")
        if not colon or name.startswith("${"):
            return {"kind": "api_key", "key": value}
        return {"kind": "api_key", "name": name, "key": key}
    try:
        return read_yaml(text, "--auth").data
    except SpecError as error:
        raise UsageError(f"--auth {text!r} is no block and no kind=…", evidence=str(error.what)) from None


def auth_answer(text: str) -> str | dict[str, Any]:
    """A kind alone, or the block that the words mean. Raises UsageError, for literal secrets too."""
    if "=" not in text and not text.lstrip().startswith("{"):
        return text
    auth = credentials_of(text, []).auth
    assert auth is not None
    return dict(auth.to_data())
