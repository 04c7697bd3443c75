"""Doors that check signatures: each is worked out anew from the call as it arrived, by plain code of the API's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from syncline.auth.values import decode_key
from syncline.model import reveal
from syncline.rehearsal.simulator.door import Door, unauthorised
from syncline.rehearsal.simulator.wire import Answer, Call

SKEW = 300.0
"""Seconds that a signature's time may differ from the API's own."""
REALM = "rehearsal"
FOREVER = 10**9
_PARAM = re.compile(r'([A-Za-z_]+)=(?:"([^"]*)"|([^\s,"]+))')


def _late(moment: datetime | None, now: datetime) -> Answer | None:
    if moment is None:
        return unauthorised("the time of signing is missing", "Signature")
    off = abs((now - moment).total_seconds())
    return unauthorised(f"the signature is {off:.0f} s off the time here", "Signature") if off > SKEW else None


def _equal(found: str, wanted: str) -> bool:
    return hmac.compare_digest(found.encode(), wanted.encode())


class JwtDoor(Door):
    """A token that the client signed: its signature, its time, and the claims that the file names."""

    def __init__(self, auth: Any, seed: int) -> None:
        self._auth = auth
        self._lost = False
        """Whether the next call is refused; a token of the same second that is made anew is the same, so one is all."""

    def check(self, call: Call, now: datetime) -> Answer | None:
        auth = self._auth
        key = (
            decode_key(auth.key, auth.key_encoding) if auth.algorithm.startswith("HS") else public_key(reveal(auth.key))
        )
        fault = jwt_fault(call.headers.get(auth.header, "").rpartition(" ")[2], auth.algorithm, key, now)
        if self._lost:
            self._lost, fault = False, "the token was taken back"
        return None if fault is None else unauthorised(fault, 'Bearer error="invalid_token"')

    def expire(self) -> None:
        self._lost = True

    def revoke(self) -> None:
        self._lost = True


def jwt_fault(token: str, algorithm: str, key: Any, now: datetime) -> str | None:
    """Why a JSON Web Token does not hold here and now, or None."""
    import jwt  # late: few files have one

    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            options={"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError as error:
        return f"the token does not hold: {type(error).__name__}"
    return None if claims["iat"] - SKEW <= now.timestamp() < claims["exp"] else "the token has run out"


def public_key(pem: str) -> Any:
    """What the API was given of a private key."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # late: an optional extra

    return load_pem_private_key(pem.replace("\\n", "\n").encode(), None).public_key()


class HmacDoor(Door):
    """A signature over parts of the call."""

    def __init__(self, auth: Any, seed: int) -> None:
        self._auth = auth

    def check(self, call: Call, now: datetime) -> Answer | None:
        auth = self._auth
        shown = self._sent(call, auth.header)
        named = self._named(shown) if auth.template is not None else {}
        facts = {
            "timestamp": named.get("timestamp") or self._sent(call, auth.timestamp_header),
            "nonce": named.get("nonce") or self._sent(call, auth.nonce_header),
        }
        if facts["timestamp"] and (late := _late(_moment(facts["timestamp"], auth.timestamp_format), now)):
            return late
        message = b"".join(self._part(item, call, facts) for item in auth.signed)
        digest = hmac.digest(decode_key(auth.key, auth.key_encoding), message, auth.algorithm)
        written = {
            "hex": digest.hex(),
            "base64": base64.b64encode(digest).decode(),
            "base64url": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }[auth.encoding]
        found = named.get("signature", shown)
        if auth.prefix is not None:
            found = found.removeprefix(auth.prefix).lstrip()
        return None if _equal(found, written) else unauthorised("the signature is wrong", "Signature")

    def _sent(self, call: Call, name: str | None) -> str:
        if name is None:
            return ""
        return call.params.get(name, "") if self._auth.in_ == "query" else call.headers.get(name, "")

    def _named(self, shown: str) -> dict[str, str]:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(self._auth.template))
        found = re.fullmatch(pattern, shown)
        return found.groupdict() if found else {}

    def _part(self, item: Any, call: Call, facts: dict[str, str]) -> bytes:
        if isinstance(item, dict):
            text = call.headers.get(item["header"], "") if "header" in item else reveal(item["text"])
            return text.encode()
        known = PARTS.get(item) if isinstance(item, str) else None
        if known is not None:
            return known(call, self._unsigned(call))
        return (facts[item] if item in facts else reveal(item)).encode()

    def _unsigned(self, call: Call) -> str:
        """The query as it was when it was signed: without the signature."""
        query = urlsplit(call.url).query
        if self._auth.in_ != "query":
            return query
        return "&".join(pair for pair in query.split("&") if unquote(pair.partition("=")[0]) != self._auth.header)


Part = Callable[[Call, str], bytes]
PARTS: dict[str, Part] = {
    "method": lambda call, query: call.method.encode(),
    "host": lambda call, query: urlsplit(call.url).netloc.encode(),
    "path": lambda call, query: (call.path or "/").encode(),
    "query": lambda call, query: "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("="))).encode(),
    "query_as_sent": lambda call, query: query.encode(),
    "target": lambda call, query: ((call.path or "/") + (f"?{query}" if query else "")).encode(),
    "url": lambda call, query: (call.url.partition("?")[0] + (f"?{query}" if query else "")).encode(),
    "body": lambda call, query: call.body,
    "body_sha256": lambda call, query: hashlib.sha256(call.body).hexdigest().encode(),
    "body_sha256_base64": lambda call, query: base64.b64encode(hashlib.sha256(call.body).digest()),
    "body_md5": lambda call, query: hashlib.md5(call.body, usedforsecurity=False).hexdigest().encode(),
    "body_md5_base64": lambda call, query: base64.b64encode(hashlib.md5(call.body, usedforsecurity=False).digest()),
}


def _moment(text: str, form: str) -> datetime | None:
    try:
        if form in ("unix", "unix_ms"):
            return datetime.fromtimestamp(int(text) / (1000 if form == "unix_ms" else 1), UTC)
        if form == "http_date":
            return parsedate_to_datetime(text)
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


class SigV4Door(Door):
    """AWS Signature Version 4."""

    def __init__(self, auth: Any, seed: int) -> None:
        self._auth = auth

    def check(self, call: Call, now: datetime) -> Answer | None:
        shown = dict(re.findall(r"(\w+)=([^,\s]+)", call.headers.get("Authorization", "")))
        moment = call.headers.get("X-Amz-Date", "")
        scope = f"{moment[:8]}/{reveal(self._auth.region)}/{self._auth.service}/aws4_request"
        if shown.get("Credential") != f"{reveal(self._auth.access_key)}/{scope}":
            return unauthorised("the credential is not known", "AWS4-HMAC-SHA256")
        if late := _late(_compact_moment(moment), now):
            return late
        names = shown.get("SignedHeaders", "").split(";")
        headers = [f"{name}:{' '.join(call.headers.get(name, '').split())}" for name in names]
        body = hashlib.sha256(call.body).hexdigest()
        stored = self._auth.service.startswith("s3")
        path = call.path or "/"
        lines = [
            call.method,
            path if stored else quote(path, safe="/-_.~"),
            _canonical(call),
            *headers,
            "",
            ";".join(names),
        ]
        canonical = "\n".join([*lines, body])
        text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{reveal(self._auth.secret_key)}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        right = _equal(shown.get("Signature", ""), hmac.digest(key, text.encode(), "sha256").hex())
        return None if right else unauthorised("the signature is wrong", "AWS4-HMAC-SHA256")


def _compact_moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _canonical(call: Call) -> str:
    pairs = (pair.partition("=") for pair in urlsplit(call.url).query.split("&") if pair)
    encoded = ((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


class OAuth1Door(Door):
    """OAuth 1.0a (RFC 5849): the signature, its time, and that its nonce is new."""

    def __init__(self, auth: Any, seed: int) -> None:
        self._auth = auth
        self._nonces: set[str] = set()

    def check(self, call: Call, now: datetime) -> Answer | None:
        scheme, _, rest = call.headers.get("Authorization", "").partition(" ")
        own = {name: unquote(value) for name, value, _ in _PARAM.findall(rest)} if scheme == "OAuth" else {}
        stamp = own.get("oauth_timestamp", "")
        if own.get("oauth_consumer_key") != reveal(self._auth.consumer_key):
            return unauthorised("the application is not known", "OAuth")
        if late := _late(_moment(stamp, "unix") if stamp else None, now):
            return late
        nonce = own.get("oauth_nonce", "")
        if nonce in self._nonces:
            return unauthorised("the nonce was used before", 'OAuth oauth_problem="nonce_used"')
        self._nonces.add(nonce)
        text = self._base(
            call, {name: value for name, value in own.items() if name not in ("oauth_signature", "realm")}
        )
        return (
            None
            if self._fits(own.get("oauth_signature", ""), text)
            else unauthorised("the signature is wrong", "OAuth")
        )

    def _base(self, call: Call, own: dict[str, str]) -> str:
        parts = urlsplit(call.url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in (None, usual) else ""
        place = f"{parts.scheme}://{parts.hostname}{port}{parts.path or '/'}"
        form = call.form if "form-urlencoded" in call.headers.get("Content-Type", "") else {}
        pairs = [*parse_qsl(parts.query, keep_blank_values=True), *form.items(), *own.items()]
        params = "&".join(f"{name}={value}" for name, value in sorted((_escaped(n), _escaped(v)) for n, v in pairs))
        return "&".join((call.method, _escaped(place), _escaped(params)))

    def _fits(self, shown: str, text: str) -> bool:
        auth = self._auth
        if auth.method.startswith("RSA"):
            return bool(shown)  # made by a library both here and there: nothing would be proved
        halves = (auth.consumer_secret, auth.token_secret)
        secret = "&".join(_escaped(reveal(half)) if half is not None else "" for half in halves)
        if auth.method == "PLAINTEXT":
            return _equal(shown, secret)
        name = auth.method.partition("-")[2].lower()
        return _equal(shown, base64.b64encode(hmac.digest(secret.encode(), text.encode(), name)).decode())


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")


class DigestDoor(Door):
    """Digest (RFC 7616), SHA-256: the proof, and that the count rises."""

    def __init__(self, auth: Any, seed: int) -> None:
        self._auth, self._seed = auth, seed
        self._given = 0
        self._counts: dict[str, int] = {}
        """The nonces that hold, each with the highest count seen."""
        self._lost = False
        """Whether they hold for one more call alone; the first of a run has to be challenged."""

    def check(self, call: Call, now: datetime) -> Answer | None:
        scheme, _, rest = call.headers.get("Authorization", "").partition(" ")
        shown = {name: quoted or bare for name, quoted, bare in _PARAM.findall(rest)} if scheme == "Digest" else {}
        nonce, count = shown.get("nonce", ""), int(shown.get("nc", "0"), 16)
        if count <= self._counts.get(nonce, FOREVER):
            return self._challenge(stale=bool(shown))
        self._counts[nonce] = count
        user, secret = reveal(self._auth.username), reveal(self._auth.password)
        first, second = _sha(f"{user}:{REALM}:{secret}"), _sha(f"{call.method}:{shown.get('uri', '')}")
        proof = _sha(f"{first}:{nonce}:{shown.get('nc')}:{shown.get('cnonce')}:auth:{second}")
        target = urlsplit(call.url)._replace(scheme="", netloc="").geturl()
        right = _equal(shown.get("response", ""), proof) and shown.get("uri") == target
        if self._lost:
            self._lost = False
            self._counts.clear()
        return None if right else self._challenge(stale=False)

    def _challenge(self, *, stale: bool) -> Answer:
        self._given += 1
        nonce = f"rehearsed-{self._seed}-{self._given}"
        self._counts[nonce] = 0
        old = ", stale=true" if stale else ""
        return unauthorised(
            "a digest is wanted", f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm=SHA-256{old}'
        )

    def expire(self) -> None:
        self._lost = True

    def revoke(self) -> None:
        self._lost = True


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
