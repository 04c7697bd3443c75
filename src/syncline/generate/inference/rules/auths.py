"""How requests are authorised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from syncline.auth import ApiKey, Basic, Bearer, Combined, Digest, OAuth2
from syncline.auth.auth import Auth
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.known import Flow, Known, Scheme
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.words import flat
from syncline.model import Reference

_PREFIX = re.compile(r"\b(Bearer|Token|ApiKey|Api-Key|OAuth|Apikey|Key|JWT)\b\s*:?=?\s*[<{\[\"'`]*\s*(?=[<{\[\"'`\w$])")
_KEY_HEADERS = (
    "authorization", "xapikey", "apikey", "xauthtoken", "xaccesstoken", "accesstoken", "authtoken", "xapitoken", "apitoken",
    "token", "subscriptionkey", "ocpapimsubscriptionkey", "userkey", "xtoken", "appkey", "accesskey", "privatetoken",
    "xmashapekey", "clientkey", "xauthkey", "xkey", "securitytoken", "sessiontoken", "xrapidapikey",
)  # fmt: skip
_KEY_PARAMS = (
    "apikey", "key", "accesstoken", "token", "appkey", "apitoken", "authtoken", "accesskey", "userkey", "licensekey", "appid",
    "wskey", "subscriptionkey", "clientkey", "auth",
)  # fmt: skip
_KEY_SAYS = re.compile(
    r"\b(api|access|auth\w*|security|licen[cs]e|subscription|developer|personal|app\w*)[ _-]?(key|token|code|id)\b|"
    r"\bauthenticat|\bcredential|\bbearer\b|\btoken\b",
    re.I,
)
_GRANTS = ("clientCredentials", "authorizationCode", "deviceAuthorization", "password", "implicit")


def find_auth(known: Known, name: str, operations: Sequence[Operation]) -> tuple[Guess[Auth], ...]:
    """The ways to authorise these operations, the most usual first; at least one guess."""
    prefix = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "API"
    if prefix[0].isdigit():
        prefix = f"API_{prefix}"
    by_name = {scheme.name: scheme for scheme in known.schemes}
    asked: Counter[tuple[str, ...]] = Counter()
    for operation in operations:
        alternatives = operation.security if operation.security is not None else known.security
        for alternative in alternatives or ():
            asked[tuple(sorted(alternative))] += 1
    found = [
        guess
        for names, count in asked.most_common(8)
        if names and (guess := _required(names, count, len(operations), by_name, prefix)) is not None
    ]
    if not found and known.schemes:
        found = [
            Guess(guess.value, min(guess.confidence or 0, 0.75), guess.evidence)
            for scheme in known.schemes
            if (guess := _of_scheme(scheme, prefix)) is not None
        ]
        if asked and all(not names for names in asked):
            open_to_all = Guess[Auth](None, 0.75, ("the document says that no operation needs authentication",))
            return (open_to_all, *found)
    if found:
        return tuple(sorted(found, key=lambda guess: -(guess.confidence or 0)))
    by_parameters = _of_parameters(operations, prefix)
    if by_parameters:
        return tuple(by_parameters)
    if asked and all(not names for names in asked):
        return (Guess(None, 0.85, ("the document says that no authentication is needed",)),)
    return (unknown("no security scheme is described, and no parameter looks like a credential"),)


def _required(
    names: tuple[str, ...], count: int, total: int, by_name: dict[str, Scheme], prefix: str
) -> Guess[Auth] | None:
    parts = [by_name[name] for name in names if name in by_name]
    guesses = [guess for scheme in parts if (guess := _of_scheme(scheme, prefix, several=len(parts) > 1)) is not None]
    if not guesses or len(guesses) < len(names):
        return None
    share = f"{count} of {total} operations ask for it" if count < total else "every operation asks for it"
    # what few ask for, most requests can do without
    weight = 0.0 if count * 2 >= total else -0.1
    if len(guesses) == 1:
        guess = guesses[0]
        return Guess(guess.value, round((guess.confidence or 0) + weight, 2), (*guess.evidence, share))
    auths = tuple(guess.value for guess in guesses if guess.value is not None)
    if len(auths) < len(guesses) or len({type(auth) for auth in auths} & {OAuth2}) > 1:
        return None
    confidence = min(guess.confidence or 0 for guess in guesses) + weight
    evidence = tuple(line for guess in guesses for line in guess.evidence)
    return Guess(Combined(auths=auths), round(confidence, 2), (*evidence, f"both are needed together; {share}"))


def _of_scheme(scheme: Scheme, prefix: str, *, several: bool = False) -> Guess[Auth] | None:
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
        return _of_oauth(scheme, prefix, where)
    if scheme.kind == "openid":
        said = f"{where} is OpenID Connect; its token address stands in {scheme.address}" if scheme.address else where
        return Guess(
            Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), 0.5, (said, "a token from there is sent as bearer")
        )
    return None


def _of_key(scheme: Scheme, prefix: str, where: str) -> Guess[Auth] | None:
    place = scheme.where if scheme.where in ("header", "query", "cookie") else "header"
    told = f"{where} is a key in {place} {scheme.key!r}"
    return _key(scheme.key or scheme.name, place, scheme.description, prefix=prefix, sure=0.95, evidence=told)


def _key(name: str, place: str, said: str, *, prefix: str, sure: float, evidence: str) -> Guess[Auth] | None:
    """A key under this name; in the Authorization header what stands before it is looked for in what is said of it."""
    if place == "header" and name.lower() == "authorization":
        found = _PREFIX.search(said)
        word = found[1] if found else None
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


def _of_oauth(scheme: Scheme, prefix: str, where: str) -> Guess[Auth]:
    for name in _GRANTS:
        flow = scheme.flows.get(name)
        if flow is None:
            continue
        auth = _oauth(name, flow, prefix)
        if auth is not None:
            return Guess(auth, 0.95, (f"{where} is OAuth 2.0, {name}",))
    flows = ", ".join(scheme.flows) or "no flow"
    return Guess(
        Bearer(token=Reference(f"${{{prefix}_TOKEN}}")),
        0.6,
        (
            f"{where} is OAuth 2.0 with {flows}",
            "no address is told that gives tokens to programs; one got elsewhere is sent as bearer",
        ),
    )


def _oauth(name: str, flow: Flow, prefix: str) -> OAuth2 | None:
    """The settings of one flow, or None where it leads to no token."""
    client = {
        "client_id": Reference(f"${{{prefix}_CLIENT_ID}}"),
        "client_secret": Reference(f"${{{prefix}_CLIENT_SECRET}}"),
    }
    settings: dict[str, Any] = {
        **client,
        "token_url": flow.token_url,
        "scopes": flow.scopes if len(flow.scopes) <= 20 else (),
    }
    if name == "clientCredentials":
        settings["grant"] = "client_credentials"
    elif name == "authorizationCode":
        settings |= {
            "grant": "authorization_code",
            "authorize_url": flow.authorize_url,
            "refresh_url": flow.refresh_url,
        }
    elif name == "deviceAuthorization":
        settings |= {"grant": "device_code", "device_url": flow.device_url}
    elif name == "password":
        user = {"username": Reference(f"${{{prefix}_USERNAME}}"), "password": Reference(f"${{{prefix}_PASSWORD}}")}
        settings |= {"grant": "password", **user}
    else:
        return None
    try:
        return OAuth2.model_validate({key: value for key, value in settings.items() if value})
    except ValidationError:
        return None  # an address that is none, or is not safe


def _of_parameters(operations: Sequence[Operation], prefix: str) -> list[Guess[Auth]]:
    """Credentials that are described as ordinary parameters, as documents without security schemes do."""
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Parameter] = {}
    for operation in operations:
        for parameter in operation.parameters:
            if _is_credential(parameter):
                place = (parameter.where, parameter.name)
                counted[place] += 1
                first.setdefault(place, parameter)
    found = []
    for (where, name), count in counted.most_common(3):
        if count * 3 < len(operations):
            continue
        parameter = first[where, name]
        sure = 0.85 if parameter.required or count * 2 >= len(operations) else 0.65
        told = f"{count} of {len(operations)} operations take the {where} parameter {name!r}, which looks like a credential"
        said = " ".join([parameter.description, str(parameter.example or ""), str(parameter.default or "")])
        guess = _key(name, where, said, prefix=prefix, sure=sure, evidence=told)
        if guess is not None:
            found.append(guess)
    return found


def _is_credential(parameter: Parameter) -> bool:
    plain = flat(parameter.name)
    if parameter.where == "header":
        return plain in _KEY_HEADERS
    if parameter.where != "query" or parameter.schema.type not in ("string", "any"):
        return False
    if plain in (
        "apikey",
        "accesstoken",
        "authtoken",
        "apitoken",
        "wskey",
        "licensekey",
        "appkey",
        "accesskey",
        "subscriptionkey",
    ):
        return True
    return plain in _KEY_PARAMS and bool(_KEY_SAYS.search(parameter.description))


def credential_names(operations: Iterable[Operation]) -> frozenset[str]:
    """Parameters that are credentials, and so nothing that a stream would have to say."""
    return frozenset(
        parameter.name for operation in operations for parameter in operation.parameters if _is_credential(parameter)
    )
