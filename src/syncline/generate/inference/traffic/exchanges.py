"""Requests and their answers, as operations: what stands in several of them alike becomes one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from syncline.generate.inference.addresses import safe_address
from syncline.generate.inference.known import Known, Scheme
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.credentials import is_credential
from syncline.generate.inference.rules.words import singular, words
from syncline.generate.inference.schema import Schema, of_samples
from syncline.model import BodyTooDeep, MalformedBody, decode_json

MAX_EXCHANGES = 5_000
MAX_BODY = 5_000_000
_ROOT = re.compile(r"(api|rest|public|json|v?\d+(\.\d+)*)", re.I)
_VALUE = re.compile(
    r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64}|[A-Za-z]{2,6}_[A-Za-z0-9]{8,}|:\w+|\{\{?[\w.-]+\}?\}"
)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and its answer where there is one. Credentials are no part of it: only of what kind they were."""

    method: str
    url: str
    schemes: tuple[Scheme, ...] = ()
    status: int = 0
    headers: dict[str, str] = {}
    """Of the answer, in lower case."""
    body: str | None = None
    name: str = ""
    description: str = ""


def known_of(exchanges: Sequence[Exchange], *, title: str, source: str, notes: tuple[str, ...] = ()) -> Known:
    """The facts in these exchanges: of the host that most of them went to."""
    some = [exchange for exchange in exchanges[:MAX_EXCHANGES] if safe_address(exchange.url)]
    origins = Counter(_origin(exchange.url) for exchange in some)
    if not origins:
        return Known(title=title, source=source, notes=(*notes, "no request has a whole address"), seen=True)
    origin = origins.most_common(1)[0][0]
    others = sorted(set(origins) - {origin})
    own = [exchange for exchange in some if _origin(exchange.url) == origin]
    root = _root([exchange.url for exchange in own])
    groups: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in own:
        path = _template(urlsplit(exchange.url).path[len(root) :])
        groups.setdefault((exchange.method, path), []).append(exchange)
    schemes = {scheme.name: scheme for exchange in own for scheme in exchange.schemes}
    return Known(
        title=title,
        base_url=origin + root,
        operations=tuple(_operation(method, path, group) for (method, path), group in groups.items()),
        schemes=tuple(schemes.values()),
        notes=(*notes, *(f"requests to {other} were left out" for other in others[:5])),
        source=source,
        seen=any(exchange.body is not None for exchange in own),
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _root(urls: Sequence[str]) -> str:
    """The beginning that all paths have and that looks like an API's root: /api/v2."""
    paths = [urlsplit(url).path.strip("/").split("/") for url in urls]
    root: list[str] = []
    for steps in zip(*paths, strict=False):
        if len(set(steps)) > 1 or not _ROOT.fullmatch(steps[0]):
            break
        root.append(steps[0])
    return "".join(f"/{step}" for step in root)


def _template(path: str) -> str:
    """A path with placeholders where values stand: /orders/{order_id}/refunds for /orders/17/refunds."""
    steps = path.split("/")
    made: list[str] = []
    for number, step in enumerate(steps):
        if not _VALUE.fullmatch(step) or (number == 1 and _ROOT.fullmatch(step)):
            made.append(step)
            continue
        named = step.strip(":{}")
        owner = "_".join(singular(word) for word in words(steps[number - 1])) if number > 1 else "item"
        name = named if step[0] in ":{" else f"{owner}_id"
        made.append("{" + re.sub(r"\W+", "_", name) + "}")
    return "/".join(made) or "/"


def _operation(method: str, path: str, group: Sequence[Exchange]) -> Operation:
    bodies = [body for exchange in group if (body := _document(exchange)) is not None]
    headers: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for exchange in group:
        if 200 <= exchange.status < 300:
            headers.update(exchange.headers)
        for name, value in parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
    return Operation(
        path=path,
        method=method,
        name=group[0].name,
        summary=group[0].name,
        description=group[0].description,
        parameters=tuple(_parameters(values)),
        answer=of_samples(bodies) if bodies else None,
        headers={name: value[:500] for name, value in headers.items()},
        security=(tuple(scheme.name for scheme in group[0].schemes),) if group[0].schemes else None,
        statuses=frozenset(str(exchange.status) for exchange in group if exchange.status),
    )


def _parameters(values: dict[str, list[str]]) -> Iterable[Parameter]:
    for name, seen in values.items():
        numbers = all(re.fullmatch(r"-?\d{1,9}", value) for value in seen)
        parameter = Parameter(name=name, schema=Schema(type="integer" if numbers else "string"))
        if not is_credential(parameter):
            parameter = msgspec.structs.replace(parameter, example=seen[0][:200])
        yield parameter


def _document(exchange: Exchange) -> Any:
    if exchange.body is None or not 200 <= (exchange.status or 200) < 300 or len(exchange.body) > MAX_BODY:
        return None
    try:
        found = decode_json(exchange.body)
    except (MalformedBody, BodyTooDeep):
        return None
    return found if isinstance(found, dict | list) else None


def schemes_of(headers: Iterable[tuple[str, str]], query: Iterable[tuple[str, str]]) -> tuple[Scheme, ...]:
    """What kind of credentials a request carried; the credentials themselves are forgotten here (S9)."""
    found: list[Scheme] = []
    for name, value in headers:
        word = value.strip().partition(" ")[0]
        if name.lower() == "authorization":
            kind = {"bearer": "bearer", "basic": "basic", "digest": "digest"}.get(word.lower())
            if kind is not None:
                found.append(Scheme(name=f"Authorization: {word.title()}", kind=kind))
            else:
                prefix = f"{word} <key>" if " " in value.strip() and word.isalpha() else ""
                found.append(Scheme(name="Authorization", kind="apikey", key="Authorization", description=prefix))
        elif is_credential(Parameter(name=name, where="header", required=True)):
            found.append(Scheme(name=name, kind="apikey", key=name))
    for name, _ in query:
        if is_credential(Parameter(name=name, description="api key")):
            found.append(Scheme(name=name, kind="apikey", where="query", key=name))
    return tuple(found)
