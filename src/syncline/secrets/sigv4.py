"""AWS Signature Version 4 for one kind of request: a POST of JSON to `/`, as AWS's JSON services take it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from syncline.model import Request, Secret


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    access: str
    secret: Secret
    session: Secret | None = None


def signed(request: Request, keys: Keys, region: str, service: str, now: datetime) -> Request:
    """The request with its signature."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers: dict[str, str | Secret] = {**request.headers, "Host": urlsplit(request.url).netloc, "X-Amz-Date": stamp}
    if keys.session is not None:
        headers["X-Amz-Security-Token"] = keys.session
    named = sorted((name.lower(), v.reveal() if isinstance(v, Secret) else v) for name, v in headers.items())
    names = ";".join(name for name, _ in named)
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in named)
    body = hashlib.sha256(request.content or b"").hexdigest()
    canonical = f"{request.method}\n/\n\n{lines}\n{names}\n{body}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = b"AWS4" + keys.secret.reveal().encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    words = f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return msgspec.structs.replace(request, headers={**headers, "Authorization": words})
