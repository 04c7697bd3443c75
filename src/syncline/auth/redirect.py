"""The way through a browser: out with a challenge, and back with a code (RFC 6749, 4.1; RFC 7636; RFC 9207)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from syncline.auth.token_endpoint import LOOPBACK, error_of
from syncline.auth.values import harmless
from syncline.errors import AuthError


def astray(redirect_uri: str) -> str | None:
    """What is wrong with the address of a redirect that this machine shall receive (RFC 8252, 7.3), or None."""
    try:
        parts = urlsplit(redirect_uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme != "http" or host not in LOOPBACK or parts.username is not None or parts.fragment or port == 0:
        return "must lead to this machine: http://127.0.0.1:8765/callback"
    return None


def challenge_of(verifier: str) -> str:
    """The S256 challenge (RFC 7636, 4.2). Raises ValueError for what is no verifier."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier):
        raise ValueError("a verifier has 43 to 128 unreserved characters (RFC 7636, 4.1)")
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")


def read_callback(
    params: Mapping[str, str], state: str, issuer: str | None, hints: Mapping[str, str], secrets: Iterable[str]
) -> str:
    """The code of a redirect. Raises AuthError."""
    if not hmac.compare_digest(params.get("state", "").encode(), state.encode()):
        raise AuthError(
            "the redirect does not carry the state of this log-in, so that somebody else may have made it",
            hint="start syncline login FILE again, and use only the page that it opens",
        )
    if issuer is not None and params.get("iss") != issuer:
        raise AuthError(
            "the redirect does not come from the configured issuer",
            evidence=f"iss is {harmless(params.get('iss', 'missing'), ())}",
            hint="check issuer against the server's metadata; nothing was sent to the token endpoint",
        )
    error, description = error_of(dict(params))
    if error is not None:
        raise AuthError(
            "nobody agreed" if error == "access_denied" else "the authorisation server refused",
            evidence=harmless(f"{error}: {description}" if description else error, secrets),
            hint=hints.get(str(error), "look this error up in the vendor's documents, and log in again"),
        )
    if not params.get("code"):
        raise AuthError("the redirect carries no code", hint="start syncline login FILE again")
    return params["code"]
