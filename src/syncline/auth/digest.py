"""User name and password that are proved, and not sent (RFC 7616)."""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from syncline.auth.auth import Auth, Steps
from syncline.auth.values import harmless, header_value, once
from syncline.errors import AuthError
from syncline.model import Request, Response, Secret, SecretText, Text, Token, register, reveal

HASHES = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""Best first; each also with -sess."""
_PARAM = re.compile(r'\s*,?\s*([A-Za-z0-9*_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s+[A-Za-z0-9*_-]+\s*=|\s*(?:,|$))")


@register("auth")
class Digest(Auth):
    """Answers the server's challenge with a hash of the password; the first request goes out to be challenged."""

    kind: Literal["digest"] = Field(default="digest", description="User name and password, proved by a hash")
    username: Text = Field(description="User name")
    password: SecretText = Field(description="Password, by reference: ${SHOP_PASSWORD}")

    @property
    def needs_token(self) -> bool:
        return True

    def obtain(self, current: Token | None, now: datetime, monotonic: float, challenge: Response | None) -> Steps:
        """The challenge is the token; its count rises with each request that answers it (RFC 7616, 3.4)."""
        yield from ()  # a generator of no requests
        if challenge is None:
            return Token(access=Secret(""), obtained_at=now)
        offers = list(challenges(challenge.headers.getall("WWW-Authenticate", [])))
        known = [
            params
            for scheme, params in offers
            if scheme == "digest" and _rank(params) is not None and "nonce" in params
        ]
        if not known:
            offered = ", ".join(
                dict.fromkeys(f"{scheme} {params.get('algorithm', '')}".strip() for scheme, params in offers)
            )
            raise AuthError(
                "the API does not ask for a digest that can be made",
                status=challenge.status,
                evidence=f"it offers {harmless(offered, ())}" if offered else "it offers nothing",
                hint="see its documents for another kind of auth, such as basic",
            )
        best = min(known, key=lambda params: _rank(params) or 0)
        return Token(access=Secret(best["nonce"]), obtained_at=now, extra={**best, "count": 0})

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        if token is None:
            raise TypeError("a digest is made of a challenge")
        if "nonce" not in token.extra:
            return request
        # the one thing that a token counts: servers refuse a count that they have seen
        token.extra["count"] += 1
        fields = self._answer(request, token.extra, now)
        return request.with_headers({"Authorization": header_value(f"Digest {', '.join(fields)}", "the user name")})

    def stale(self, response: Response) -> bool:
        """The proof was right, its nonce or count is used up (RFC 7616, 3.3), as when others answered with it meanwhile."""
        offers = challenges(response.headers.getall("WWW-Authenticate", []))
        return any(scheme == "digest" and params.get("stale", "").lower() == "true" for scheme, params in offers)

    def _answer(self, request: Request, challenge: dict[str, Any], now: datetime) -> Iterator[str]:
        algorithm = str(challenge.get("algorithm") or "MD5")
        parts = urlsplit(request.target)
        uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        nonce, count = str(challenge["nonce"]), f"{challenge['count']:08x}"
        client = once(reveal(self.password).encode(), nonce, count, uri, now.isoformat())
        username, realm = reveal(self.username), str(challenge.get("realm") or "")
        qop = _qop(challenge)

        def hashed(data: str | bytes) -> str:
            name = HASHES[algorithm.upper().removesuffix("-SESS")]
            return hashlib.new(
                name, data.encode() if isinstance(data, str) else data, usedforsecurity=False
            ).hexdigest()

        secret = hashed(f"{username}:{realm}:{reveal(self.password)}")
        if algorithm.upper().endswith("-SESS"):
            secret = hashed(f"{secret}:{nonce}:{client}")
        body = f":{hashed(request.content or b'')}" if qop == "auth-int" else ""
        what = hashed(f"{request.method}:{uri}{body}")
        proof = hashed(f"{secret}:{nonce}:{count}:{client}:{qop}:{what}" if qop else f"{secret}:{nonce}:{what}")
        userhash = str(challenge.get("userhash") or "").lower() == "true"
        yield f'username="{_quoted(hashed(f"{username}:{realm}") if userhash else username)}"'
        yield f'realm="{_quoted(realm)}"'
        yield f'nonce="{_quoted(nonce)}"'
        yield f'uri="{uri}"'
        yield f'response="{proof}"'
        if "algorithm" in challenge:
            yield f"algorithm={algorithm}"
        if "opaque" in challenge:
            yield f'opaque="{_quoted(str(challenge["opaque"]))}"'
        if qop:
            yield from (f"qop={qop}", f"nc={count}", f'cnonce="{client}"')
        if userhash:
            yield "userhash=true"


def challenges(lines: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each scheme, in lower case, with its parameters (RFC 9110, 11.6.1): several may share a line."""
    for line in lines:
        # what stands in quotes is no scheme
        plain = re.sub(r'"(?:[^"\\]|\\.)*"', lambda match: '"' + "x" * (len(match[0]) - 2) + '"', line)
        starts = list(_SCHEME.finditer(plain))
        for index, start in enumerate(starts):
            end = starts[index + 1].start() if index + 1 < len(starts) else len(line)
            params: dict[str, str] = {}
            for name, quoted, bare in _PARAM.findall(line[start.end() : end]):
                params.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
            yield start[1].lower(), params


def _rank(challenge: dict[str, str]) -> int | None:
    """How good a challenge is, best first; None for one that we cannot answer."""
    name = challenge.get("algorithm", "MD5").upper().removesuffix("-SESS")
    if name not in HASHES or ("qop" in challenge and _qop(challenge) is None):
        return None
    return list(HASHES).index(name)


def _qop(challenge: dict[str, Any]) -> str | None:
    offered = [one.strip().lower() for one in str(challenge.get("qop") or "").split(",")]
    return next((one for one in ("auth", "auth-int") if one in offered), None)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
