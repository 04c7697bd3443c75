"""AWS Signature Version 4, made afresh for each attempt."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

import msgspec
from pydantic import Field

from syncline.auth.auth import Auth
from syncline.auth.values import header_value
from syncline.model import Request, Secret, SecretText, Text, Token, register, reveal

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = frozenset(
    {"authorization", "connection", "expect", "te", "transfer-encoding", "user-agent", "x-amzn-trace-id"}
)
"""Headers that proxies change on the way."""
STORAGE = frozenset({"s3", "s3-outposts", "s3-object-lambda", "s3express"})
"""Services that sign the path as it is sent, and want the body's hash in a header."""


@register("auth")
class AwsSigV4(Auth):
    """Signs each request as AWS and its look-alikes want it."""

    kind: Literal["aws_sigv4"] = Field(default="aws_sigv4", description="AWS Signature Version 4")
    access_key: Text = Field(description="Access key ID: ${AWS_ACCESS_KEY_ID}")
    secret_key: SecretText = Field(description="Secret access key, by reference: ${AWS_SECRET_ACCESS_KEY}")
    session_token: SecretText | None = Field(default=None, description="Session token of temporary keys, by reference")
    service: str = Field(description="The service's name in signatures: execute-api, s3, es, …")
    region: Text = Field(description="The region: eu-central-1")

    @property
    def signs_time(self) -> bool:
        return True

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        body = hashlib.sha256(request.content or b"").hexdigest()
        request = _without_plus(request).with_headers(self._headers(request, moment, body))
        scope = f"{moment[:8]}/{reveal(self.region)}/{self.service}/aws4_request"
        signed, canonical = canonical_request(request, body, as_sent=self.service in STORAGE)
        text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{reveal(self.secret_key)}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"{reveal(self.access_key)}/{scope}"
        value = f"{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        return request.with_headers({"Authorization": header_value(value, "the access key")})

    def _headers(self, request: Request, moment: str, body: str) -> dict[str, str | Secret]:
        headers: dict[str, str | Secret] = {"X-Amz-Date": moment}
        if self.session_token is not None:
            headers["X-Amz-Security-Token"] = header_value(reveal(self.session_token), "the session token")
        if self.service in STORAGE:
            headers["X-Amz-Content-Sha256"] = body
        if request.json is not None and not any(name.lower() == "content-type" for name in request.headers):
            headers["Content-Type"] = "application/json"  # must be signed where it is sent
        return headers


def canonical_request(request: Request, body: str, *, as_sent: bool) -> tuple[str, str]:
    """The names of the signed headers, and the text whose hash is signed. `body` is the body's SHA-256 in hex."""
    parts = urlsplit(request.target)
    headers = {name.lower(): " ".join(reveal(value).split()) for name, value in request.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in UNSIGNED}
    headers.setdefault("host", _host(request))
    names = sorted(headers)
    signed = ";".join(names)
    path = parts.path or "/"
    lines = [
        request.method,
        path if as_sent else quote(_without_dots(path), safe="/-_.~"),
        _sorted_query(parts.query),
        *(f"{name}:{headers[name]}" for name in names),
        "",
        signed,
        body,
    ]
    return signed, "\n".join(lines)


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.hostname}:{parts.port}" if parts.port not in (None, usual) else str(parts.hostname)


def _without_dots(path: str) -> str:
    """The path without empty steps, `.` and `..` (RFC 3986, 5.2.4)."""
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            steps = steps[:-1]
        elif step not in ("", "."):
            steps.append(step)
    end = "/" if steps and path.endswith(("/", "/.", "/..")) else ""
    return f"/{'/'.join(steps)}{end}"


def _sorted_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = ((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _without_plus(request: Request) -> Request:
    """The same parameters with %20 for a space: a plus is a space to some services, and a plus to others."""
    if not any(" " in name + reveal(value) for name, value in request.params):
        return request
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(reveal(value), safe='-_.~')}" for name, value in request.params
    )
    url = f"{request.url}{'&' if '?' in request.url else '?'}{query}"
    return msgspec.structs.replace(request, url=url, params=())
