"""One security scheme, or one key, as the part of a file that authorises requests."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError

from syncline.auth import ApiKey, AwsSigV4, Basic, Bearer, Digest, OAuth2
from syncline.auth.auth import Auth
from syncline.generate.inference.addresses import safe_address
from syncline.generate.inference.guess import Guess
from syncline.generate.inference.known import Flow, Scheme
from syncline.model import Reference

_PREFIX = re.compile(
    r"\b(Token|ApiKey|Api-Key|OAuth|Apikey)\b\W{0,4}?[\s=:]+[<{\[\"'`$]*\w|[`'\"“](OAuth|Token|Key)[`'\"”]"
)
_BEARER_NAMED = re.compile(r"bearer|jwt|oauth", re.I)
_GRANTS = ("clientCredentials", "authorizationCode", "deviceAuthorization", "password", "implicit")


def of_scheme(scheme: Scheme, prefix: str, base_url: str | None = None, *, several: bool = False) -> Guess[Auth] | None:
    """The guess for one scheme; None for a kind that is not understood.

    Names of variables begin with `prefix`; with `several`, each has a name of its own. Relative addresses start at `base_url`.
    """
    where = f"the security scheme {scheme.name!r}"
    own = (
        f"{prefix}_{re.sub(r'[^A-Z0-9]+', '_', (scheme.key or scheme.name).upper()).strip('_')}" if several else prefix
    )
    if scheme.kind == "basic":
        auth: Auth = Basic(username=Reference(f"${{{prefix}_USERNAME}}"), password=Reference(f"${{{prefix}_PASSWORD}}"))
        return Guess(auth, 0.95, (f"{where} is HTTP Basic",))
    if scheme.kind == "bearer":
        return Guess(Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), 0.95, (f"{where} is a bearer token",))
    if scheme.kind == "digest":
        digest = Digest(username=Reference(f"${{{prefix}_USERNAME}}"), password=Reference(f"${{{prefix}_PASSWORD}}"))
        return Guess(digest, 0.95, (f"{where} is HTTP Digest",))
    if scheme.kind == "apikey":
        return _of_key(scheme, own, where)
    if scheme.kind == "oauth2":
        return _of_oauth(scheme, prefix, where, base_url)
    if scheme.kind == "sigv4":
        return _of_aws(where, base_url)
    if scheme.kind == "openid":
        said = f"{where} is OpenID Connect; its token address stands in {scheme.address}" if scheme.address else where
        return Guess(
            Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), 0.5, (said, "a token from there is sent as bearer")
        )
    return None


def _of_key(scheme: Scheme, prefix: str, where: str) -> Guess[Auth] | None:
    place = scheme.where if scheme.where in ("header", "query", "cookie") else "header"
    told = f"{where} is a key in {place} {scheme.key!r}"
    said = scheme.description
    if _BEARER_NAMED.search(scheme.name) and "bearer" not in said.lower():
        said, told = f"{said} bearer", f"{told}, named like a bearer token"
    return of_key(
        scheme.key or scheme.name,
        place,
        said,
        prefix=prefix,
        sure=0.95 if said == scheme.description else 0.8,
        evidence=told,
    )


def _of_aws(where: str, base_url: str | None) -> Guess[Auth] | None:
    """AWS Signature Version 4, for a service and region that the address names: apigateway.eu-central-1.amazonaws.com."""
    found = re.fullmatch(
        r"([a-z0-9-]+)(?:\.([a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?", urlsplit(base_url or "").hostname or ""
    )
    if found is None:
        return None
    auth = AwsSigV4(
        access_key=Reference("${AWS_ACCESS_KEY_ID}"),
        secret_key=Reference("${AWS_SECRET_ACCESS_KEY}"),
        service=found[1],
        region=found[2] or Reference("${AWS_REGION}"),
    )
    return Guess(auth, 0.85, (f"{where} is AWS Signature Version 4", f"the address names the service {found[1]!r}"))


def of_key(name: str, place: str, said: str, *, prefix: str, sure: float, evidence: str) -> Guess[Auth] | None:
    """A key under this name; in the Authorization header what stands before it is looked for in what is said of it."""
    if place == "header" and name.lower() == "authorization":
        found = _PREFIX.search(said)
        word = "Bearer" if re.search(r"\bbearer\b", said, re.I) else (found[1] or found[2]) if found else None
        if re.search(r"\bbasic\b", said, re.I) and word is None:
            basic = Basic(username=Reference(f"${{{prefix}_USERNAME}}"), password=Reference(f"${{{prefix}_PASSWORD}}"))
            return Guess(basic, 0.7, (evidence, "its description tells of Basic"))
        if word is not None and word.lower() == "bearer":
            return Guess(
                Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), sure, (evidence, "its description tells of Bearer")
            )
        if word is None and re.search(r"\b(bearer|jwt|oauth)\b", said, re.I):
            return Guess(
                Bearer(token=Reference(f"${{{prefix}_TOKEN}}")),
                sure - 0.1,
                (evidence, "its description tells of bearer tokens"),
            )
        settings: dict[str, Any] = {"prefix": word} if word else {}
        key = _built_key(
            {"key": Reference(f"${{{prefix}_TOKEN}}"), "in": "header", "name": "Authorization", **settings}
        )
        note = (
            f"its description puts {word!r} before the key"
            if word
            else "what stands before the key, if anything, is not said"
        )
        return None if key is None else Guess(key, sure - 0.05 if word else 0.75, (evidence, note))
    key = _built_key({"key": Reference(f"${{{prefix}_API_KEY}}"), "in": place, "name": name})
    return None if key is None else Guess(key, sure, (evidence,))


def _built_key(settings: dict[str, Any]) -> ApiKey | None:
    try:
        return ApiKey.model_validate(settings)
    except ValidationError:
        return None  # a name that no header can have


def _of_oauth(scheme: Scheme, prefix: str, where: str, base_url: str | None) -> Guess[Auth]:
    for name in _GRANTS:
        flow = scheme.flows.get(name)
        auth = None if flow is None else _oauth(name, flow, prefix, base_url)
        if auth is not None:
            return Guess(auth, 0.95, (f"{where} is OAuth 2.0, {name}",))
    name = next((name for name in _GRANTS if name in scheme.flows), "clientCredentials")
    flow = scheme.flows.get(name, Flow())
    told = f"{where} is OAuth 2.0, {name if scheme.flows else 'without a flow'}"
    asked = Reference(f"${{{prefix}_TOKEN_URL}}")
    grant = "authorizationCode" if name == "implicit" else name
    auth = _oauth(grant, msgspec.structs.replace(flow, token_url=None), prefix, base_url, token_url=asked)
    if auth is None:
        auth = _oauth("clientCredentials", Flow(), prefix, base_url, token_url=asked)
    return Guess(
        auth, 0.65, (told, f"no whole https address is told that gives tokens: it is asked for as {asked.text}")
    )


def _oauth(
    name: str, flow: Flow, prefix: str, base_url: str | None, *, token_url: Reference | None = None
) -> OAuth2 | None:
    """The settings of one flow, or None where it leads to no token."""
    client = {
        "client_id": Reference(f"${{{prefix}_CLIENT_ID}}"),
        "client_secret": Reference(f"${{{prefix}_CLIENT_SECRET}}"),
    }
    settings: dict[str, Any] = {**client, "scopes": flow.scopes if len(flow.scopes) <= 20 else ()}
    settings["token_url"] = token_url or _whole(flow.token_url, base_url)
    if name == "clientCredentials":
        settings["grant"] = "client_credentials"
    elif name == "authorizationCode":
        addresses = {"authorize_url": flow.authorize_url, "refresh_url": flow.refresh_url}
        settings |= {"grant": "authorization_code", **{key: _whole(url, base_url) for key, url in addresses.items()}}
    elif name == "deviceAuthorization":
        settings |= {"grant": "device_code", "device_url": _whole(flow.device_url, base_url)}
    elif name == "password":
        user = {"username": Reference(f"${{{prefix}_USERNAME}}"), "password": Reference(f"${{{prefix}_PASSWORD}}")}
        settings |= {"grant": "password", **user}
    else:
        return None
    try:
        return OAuth2.model_validate({key: value for key, value in settings.items() if value})
    except ValidationError:
        return None  # an address that is none, or is not safe


def _whole(address: str | None, base_url: str | None) -> str | None:
    """An address of a flow; one without a host starts at the server (OpenAPI 3.1, 4.6)."""
    return safe_address(address, f"{base_url}/" if base_url else None)
