"""Credentials that are described as ordinary parameters, or in sentences, as documents without security schemes do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from syncline.auth import ApiKey, Bearer, Combined
from syncline.auth.auth import Auth
from syncline.generate.inference.guess import Guess
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.schemes import of_key
from syncline.generate.inference.rules.words import flat
from syncline.model import Reference

_KEY_HEADERS = (
    "authorization", "xapikey", "apikey", "xauthtoken", "xaccesstoken", "accesstoken", "authtoken", "xapitoken", "apitoken",
    "token", "subscriptionkey", "ocpapimsubscriptionkey", "userkey", "xtoken", "appkey", "accesskey", "privatetoken",
    "xmashapekey", "clientkey", "xauthkey", "xkey", "securitytoken", "sessiontoken", "xrapidapikey",
)  # fmt: skip
_KEY_PARAMS = (
    "apikey", "key", "accesstoken", "token", "appkey", "apitoken", "authtoken", "accesskey", "userkey", "licensekey", "appid",
    "wskey", "subscriptionkey", "clientkey", "auth",
)  # fmt: skip
_IDENTITIES = (
    "appid", "xappid", "applicationid", "clientid", "xclientid", "xauthsecret", "secret", "apisecret", "xapisecret",
    "xauthuser",
)  # fmt: skip
_KEY_SAYS = re.compile(
    r"\b(api|access|auth\w*|security|licen[cs]e|subscription|developer|personal|app\w*)[ _-]?(key|token|code|id)\b|"
    r"\bauthenticat|\bcredential|\bbearer\b|\btoken\b",
    re.I,
)


_NO_NEED = re.compile(
    r"\b(no|not|without)\b[^.\n]{0,30}\b(authenticat\w+|authori[sz]ation|api key)\b[^.\n]{0,20}(need|requir|necessary)|"
    r"\b(does not|doesn't|not) (require|need)\b[^.\n]{0,20}\b(authenticat\w+|authori[sz]ation|an? api key)|"
    r"\bno\b[^.\n]{0,12}\bneed(ed)?\b[^.\n]{0,12}\b(authenticat\w+|authori[sz]ation)",
    re.I,
)
_BEARER_SAID = re.compile(r"\bauthorization\b\W{1,6}bearer\b|\bbearer\b[^.\n]{0,20}\btoken\b", re.I)
_HEADER_SAID = re.compile(
    r"\bheaders?\b[^.\n]{0,30}?[`'\"*]+([A-Za-z][A-Za-z0-9-]{2,40})[`'\"*]+|[`'\"*]+([A-Za-z][A-Za-z0-9-]{2,40})[`'\"*]+[^.\n]{0,12}\bheader\b",
    re.I,
)


def of_parameters(operations: Sequence[Operation], prefix: str) -> list[Guess[Auth]]:
    """Credentials among the parameters; several that most operations take belong together."""
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Parameter] = {}
    for operation in operations:
        for parameter in operation.parameters:
            if is_credential(parameter):
                place = (parameter.where, parameter.name)
                counted[place] += 1
                first.setdefault(place, parameter)
    usual = [place for place, count in counted.most_common(6) if count * 3 >= len(operations)]
    always = [place for place in usual if first[place].required and counted[place] * 5 >= len(operations) * 4]
    if len(always) in (2, 3):
        guesses = [
            _of_parameter(first[place], counted[place], len(operations), _own(prefix, place[1])) for place in always
        ]
        auths = tuple(guess.value for guess in guesses if guess is not None and guess.value is not None)
        if len(auths) == len(always):
            told = (
                f"most operations require {' and '.join(repr(name) for _, name in always)}, which look like credentials"
            )
            return [Guess(Combined(auths=auths), 0.8, (told,))]
    found = (_of_parameter(first[place], counted[place], len(operations), prefix) for place in usual[:3])
    return [guess for guess in found if guess is not None]


def _own(prefix: str, name: str) -> str:
    return f"{prefix}_{re.sub(r'[^A-Z0-9]+', '_', name.upper()).strip('_')}"


def _of_parameter(parameter: Parameter, count: int, total: int, prefix: str) -> Guess[Auth] | None:
    sure = 0.85 if parameter.required or count * 2 >= total else 0.65
    told = f"{count} of {total} operations take the {parameter.where} parameter {parameter.name!r}, which looks like a credential"
    said = " ".join([parameter.description, str(parameter.example or ""), str(parameter.default or "")])
    return of_key(parameter.name, parameter.where, said, prefix=prefix, sure=sure, evidence=told)


def of_prose(text: str, prefix: str) -> list[Guess[Auth]]:
    """What the description of an API says of credentials, in the few ways that are plain enough to be believed."""
    found = _BEARER_SAID.search(text)
    if found:
        return [
            Guess(Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), 0.75, (f"the document says “{_short(found[0])}”",))
        ]
    for match in _HEADER_SAID.finditer(text):
        name = match[1] or match[2]
        if flat(name) in _KEY_HEADERS and flat(name) != "authorization":
            key = ApiKey.model_validate({"key": Reference(f"${{{prefix}_API_KEY}}"), "in": "header", "name": name})
            return [Guess(key, 0.75, (f"the document says “{_short(match[0])}”",))]
    found = _NO_NEED.search(text)
    return [] if found is None else [Guess(None, 0.7, (f"the document says “{_short(found[0])}”",))]


def _short(text: str) -> str:
    return " ".join(text.split())[:90]


def is_credential(parameter: Parameter) -> bool:
    """Whether a parameter is named and described like a credential."""
    plain = flat(parameter.name)
    if parameter.where == "header":
        return plain in _KEY_HEADERS or (plain in _IDENTITIES and parameter.required)
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
    if plain in _IDENTITIES:
        return parameter.required and bool(_KEY_SAYS.search(parameter.description))
    return plain in _KEY_PARAMS and bool(_KEY_SAYS.search(parameter.description))


def credential_names(operations: Iterable[Operation]) -> frozenset[str]:
    """Parameters that are credentials, and so nothing that a stream would have to say."""
    return frozenset(
        parameter.name for operation in operations for parameter in operation.parameters if is_credential(parameter)
    )
