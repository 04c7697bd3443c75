"""Postman collections (format 2.0 and 2.1): requests with their example answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from syncline.generate.inference.known import Flow, Known, Scheme
from syncline.generate.inference.traffic.exchanges import Exchange, known_of, schemes_of

MAX_DEPTH = 20
MAX_REQUESTS = 5_000
_VARIABLE = re.compile(r"\{\{([^{}]+)\}\}")
_KINDS = {"bearer": "bearer", "basic": "basic", "digest": "digest"}


def is_postman(data: Any) -> bool:
    info = data.get("info") if isinstance(data, dict) else None
    told = isinstance(info, dict) and ("_postman_id" in info or "getpostman.com" in str(info.get("schema")))
    return told and isinstance(data.get("item"), list)


def read_postman(data: dict[str, Any], source: str) -> Known:
    """What a collection says. Values of its variables fill addresses; those of credentials are not kept (S9)."""
    variables = _values(data.get("variable"))
    exchanges = list(_exchanges(data["item"], variables, _scheme(data.get("auth")), 0))[:MAX_REQUESTS]
    title = str(_object(data.get("info")).get("name") or "")
    open_ones = {
        name for one in exchanges for name in _VARIABLE.findall(one.url.partition("?")[0][:300]) if "://" not in one.url
    }
    notes = tuple(f"the variable {{{{{name}}}}} has no value in the collection" for name in sorted(open_ones)[:5])
    return known_of(exchanges, title=title, source=source, notes=notes)


def _exchanges(items: list[Any], variables: dict[str, str], inherited: Scheme | None, depth: int) -> Iterator[Exchange]:
    for item in map(_object, items):
        scheme = _scheme(item.get("auth")) or inherited
        if isinstance(item.get("item"), list) and depth < MAX_DEPTH:
            yield from _exchanges(item["item"], variables, scheme, depth + 1)
        elif "request" in item:
            yield from _of_item(item, variables, scheme)


def _of_item(item: dict[str, Any], variables: dict[str, str], inherited: Scheme | None) -> Iterator[Exchange]:
    request = item["request"] if isinstance(item["request"], dict) else {"url": item["request"]}
    headers = [(key, value) for key, value in _rows(request.get("header"))]
    url = _address(request.get("url"), variables)
    schemes = schemes_of(headers, _rows(_object(request.get("url")).get("query")))
    own = _scheme(request.get("auth")) or inherited
    told: dict[str, Any] = {
        "method": str(request.get("method") or "GET").upper(),
        "url": url,
        "schemes": (*((own,) if own is not None else ()), *schemes),
        "name": str(item.get("name") or "")[:200],
        "description": str(request.get("description") or "")[:2_000],
    }
    answers = [_object(one) for one in item["response"]] if isinstance(item.get("response"), list) else []
    for answer in answers[:10]:
        code = answer.get("code")
        body = answer.get("body")
        yield Exchange(
            **told,
            status=code if isinstance(code, int) else 200,
            headers={name.lower(): value for name, value in _rows(answer.get("header"))},
            body=body if isinstance(body, str) else None,
        )
    if not answers:
        yield Exchange(**told)


def _address(url: Any, variables: dict[str, str]) -> str:
    if isinstance(url, str):
        text = url
    else:
        parts = _object(url)
        raw = str(parts.get("raw") or "")
        text = raw.partition("?")[0] or "/".join(
            [".".join(map(str, parts.get("host") or [])), *map(str, parts.get("path") or [])]
        )
        query = [(key, _filled(value, variables)) for key, value in _rows(parts.get("query"))]
        text += f"?{urlencode(query)}" if query else ""
    text = _filled(text, variables)
    return text if "://" in text or text.startswith("{{") or not text else f"https://{text}"


def _filled(text: str, variables: dict[str, str]) -> str:
    for _ in range(3):  # a variable's value may name another
        text = _VARIABLE.sub(lambda match: variables.get(match[1].strip()) or match[0], text)
    return text


def _scheme(auth: Any) -> Scheme | None:
    told = _object(auth)
    kind = str(told.get("type") or "")
    if kind in _KINDS:
        return Scheme(name=f"Postman's {kind}", kind=_KINDS[kind])
    settings = _values(told.get(kind))
    if kind == "apikey":
        where = settings.get("in") or "header"
        return Scheme(name="Postman's apikey", kind="apikey", where=where, key=settings.get("key") or "X-API-Key")
    if kind == "oauth2":
        grants = {
            "client_credentials": "clientCredentials",
            "password_credentials": "password",
            "authorization_code": "authorizationCode",
            "authorization_code_with_pkce": "authorizationCode",
        }
        flow = Flow(
            authorize_url=settings.get("authUrl"),
            token_url=settings.get("accessTokenUrl"),
            scopes=tuple((settings.get("scope") or "").split()),
        )
        name = grants.get(settings.get("grant_type") or "", "authorizationCode")
        return Scheme(name="Postman's oauth2", kind="oauth2", flows={name: flow})
    return None


def _rows(listed: Any) -> list[tuple[str, str]]:
    found = [_object(one) for one in listed] if isinstance(listed, list) else []
    return [(str(one.get("key") or ""), str(one.get("value") or "")) for one in found if one.get("key")]


def _values(listed: Any) -> dict[str, str]:
    """Settings and variables: a list of key and value in 2.1, an object in 2.0."""
    if isinstance(listed, dict):
        return {str(key): str(value) for key, value in listed.items() if value is not None}
    return dict(_rows(listed))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
