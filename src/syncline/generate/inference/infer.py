"""From what is known of an API to guesses about all that an integration has to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.generate.inference.addresses import safe_address
from syncline.generate.inference.api import Api, Entity
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.known import Known
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.auths import find_auth
from syncline.generate.inference.rules.credentials import credential_names
from syncline.generate.inference.rules.cursors import find_cursor_field, find_incremental
from syncline.generate.inference.rules.keys import Names, find_key
from syncline.generate.inference.rules.naming import (
    Lists,
    find_parents,
    host_name,
    placeholders,
    safe_path,
    slug,
    stream_names,
)
from syncline.generate.inference.rules.paging import find_pagination
from syncline.generate.inference.rules.rates import find_rate
from syncline.generate.inference.rules.records import find_records
from syncline.generate.inference.rules.words import fixed, flat, plural
from syncline.generate.inference.rules.worth import find_worth
from syncline.generate.inference.schema import Schema, fields_of
from syncline.pagination import Pagination

RATE_HEADERS = (
    "x-ratelimit-limit",
    "ratelimit-limit",
    "ratelimit",
    "x-rate-limit-limit",
    "x-ratelimit-remaining",
    "ratelimit-policy",
)


class _List(msgspec.Struct, frozen=True):
    """An operation whose answer is a list: where its records stand, what form they have, what identifies them."""

    operation: Operation
    records: Guess[str]
    record: Schema | None
    key: Guess[tuple[str, ...]]


class _Context(msgspec.Struct, frozen=True):
    """What all lists of a document share: parameters that are credentials, and what is said of the whole API."""

    credentials: frozenset[str]
    prose: str


def infer(known: Known) -> Api:
    """Every guess that can be made from one source of knowledge."""
    base = safe_address(known.base_url)
    name = slug(known.title) if known.title else host_name(urlsplit(base or "").hostname)
    reading = [operation for operation in known.operations if operation.method == "GET"]
    return Api(
        name=name,
        title=known.title,
        description=" ".join(known.description.split())[:500],
        base_url=_base(base, known),
        auth=find_auth(known, name, reading or known.operations),
        rate_limit=_rate(known, reading),
        entities=entities_of(reading, known.description),
        sources=(known.source,) if known.source else (),
        documents=known.documents,
        notes=known.notes,
    )


def _base(base: str | None, known: Known) -> Guess[str]:
    if base is None:
        return unknown("no server with a whole address is told")
    return Guess(
        base, 0.99 if known.seen else 0.9, ("requests went there" if known.seen else "the document's first server",)
    )


def _rate(known: Known, reading: Sequence[Operation]) -> Guess[Any]:
    headers = sorted({name for operation in reading for name in operation.headers if name in RATE_HEADERS})
    refuses = any("429" in operation.statuses for operation in reading)
    return find_rate(known.description, headers=tuple(headers), refuses=refuses)


def entities_of(operations: Sequence[Operation], prose: str = "") -> tuple[Entity, ...]:
    """The lists among these operations."""
    items = _item_keys(operations)
    addressed = frozenset(flat(name) for names in items.values() for name in names)
    context = _Context(credential_names(operations), prose)
    lists: list[_List] = []
    for operation in operations:
        records, record = find_records(operation)
        if records.known or _may_list(operation, alone=len(operations) == 1):
            own = Names.of(operation.path, records.value or ".", items.get(_plain(operation.path), ()), addressed)
            key = find_key(record, own)
            lists.append(_List(operation, records, record, key))
    names = stream_names([one.operation.path for one in lists])
    streams = {one.operation.path.rstrip("/"): (name, one.key) for one, name in zip(lists, names, strict=True)}
    return tuple(_entity(name, one, streams, context) for one, name in zip(lists, names, strict=True))


def _entity(name: str, one: _List, streams: Lists, context: _Context) -> Entity:
    operation, key, record = one.operation, one.key, one.record
    parent, missing = find_parents(operation.path, streams)
    pagination = find_pagination(operation, key.value[0] if key.value else None, context.prose)
    cursor = find_cursor_field(record)
    params, asks = _needed(operation, context.credentials, _sent(pagination.value))
    return Entity(
        name=name,
        path=safe_path(operation.path),
        description=" ".join((operation.summary or operation.description).split())[:200],
        params=params,
        asks=(*asks, *missing),
        records=one.records,
        primary_key=key,
        pagination=pagination,
        cursor_field=cursor,
        incremental=find_incremental(operation, cursor),
        parent=parent,
        worth=find_worth(operation, record, key, asks, bool(missing)),
        fields=() if record is None else fields_of(record),
    )


def _may_list(operation: Operation, *, alone: bool) -> bool:
    """Whether an answer that nobody describes may well be a list: it is named like several, or all that there is."""
    steps = fixed(operation.path)
    ends_open = operation.path.rstrip("/").endswith("}")
    return operation.answer is None and not ends_open and bool(steps) and (alone or plural(steps[-1].lower()))


def _item_keys(operations: Sequence[Operation]) -> dict[str, tuple[str, ...]]:
    """For each list's path the placeholders that follow it directly, as in /orders/{orderNumber}."""
    found: dict[str, tuple[str, ...]] = {}
    for operation in operations:
        before, _, last = operation.path.rstrip("/").rpartition("/")
        names = placeholders(last)
        if len(names) == 1 and last == "{" + names[0] + "}":
            found[_plain(before)] = (*found.get(_plain(before), ()), names[0])
    return found


def _plain(path: str) -> str:
    return flat(path.rstrip("/").removesuffix(".json"))


def _sent(pagination: Pagination | None) -> frozenset[str]:
    """The parameters that pagination sets by itself."""
    if pagination is None:
        return frozenset()
    names = ("offset_param", "limit_param", "page_param", "size_param", "param")
    return frozenset(str(getattr(pagination, name)) for name in names if getattr(pagination, name, None))


def _needed(
    operation: Operation, secret: frozenset[str], sent: frozenset[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Query parameters without which there is no answer: those with a value that is sure, and those to be asked for."""
    params: dict[str, Any] = {}
    asks: list[str] = []
    for parameter in operation.query().values():
        if not parameter.required or parameter.name in secret or parameter.name in sent:
            continue
        value = _value(parameter)
        if value is None:
            asks.append(parameter.name)
        else:
            params[parameter.name] = value
    return params, tuple(asks)


def _value(parameter: Parameter) -> Any:
    value = parameter.default
    if value is None and len(parameter.choices) == 1:
        value = parameter.choices[0]
    return value if isinstance(value, str | int | bool) else None
