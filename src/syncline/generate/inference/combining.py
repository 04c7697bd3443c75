"""Several sources of knowledge about one API, brought together."""

from __future__ import annotations

from functools import reduce
from typing import Any, TypeVar

import msgspec

from syncline.generate.inference.api import Api, Entity
from syncline.generate.inference.guess import Guess
from syncline.model.part import to_data

T = TypeVar("T")


def combine(first: Api, *others: Api) -> Api:
    """All that is known, the later source outweighing the earlier: put documents first and what was answered last.

    Where both agree, the surer one's confidence rises; where they differ, the later counts and its evidence names the difference.
    """
    return reduce(_two, others, first)


def _two(told: Api, seen: Api) -> Api:
    entities = {_place(entity): entity for entity in told.entities}
    for entity in seen.entities:
        before = entities.get(_place(entity))
        entities[_place(entity)] = entity if before is None else _entity(before, entity)
    return Api(
        name=told.name,
        title=told.title or seen.title,
        kind=told.kind,
        description=told.description or seen.description,
        base_url=_guess(told.base_url, seen.base_url),
        auth=_auth(told.auth, seen.auth),
        rate_limit=_guess(told.rate_limit, seen.rate_limit),
        headers={**told.headers, **seen.headers},
        entities=tuple(entities.values()),
        sources=tuple(dict.fromkeys([*told.sources, *seen.sources])),
        documents=tuple(dict.fromkeys([*told.documents, *seen.documents])),
        notes=tuple(dict.fromkeys([*told.notes, *seen.notes])),
    )


def _place(entity: Entity) -> str:
    return f"{entity.method} {entity.path.strip('/').removesuffix('.json')}" if entity.query is None else entity.name


def _entity(told: Entity, seen: Entity) -> Entity:
    names = [name for name in told.guesses if name not in ("parent", "worth")]
    merged = {name: _guess(getattr(told, name), getattr(seen, name)) for name in names}
    fields = {field.path: field for field in told.fields}
    for field in seen.fields:
        before = fields.get(field.path)
        if before is None:
            fields[field.path] = field
        elif field.type in ("any", "null"):
            continue
        else:
            described = {
                "description": before.description or field.description,
                "format": field.format or before.format,
            }
            fields[field.path] = msgspec.structs.replace(field, **described)
    return msgspec.structs.replace(
        told,
        params={**told.params, **seen.params},
        fields=tuple(fields.values()),
        total=seen.total if seen.total is not None else told.total,
        **merged,
    )


def _guess(told: Guess[T], seen: Guess[T]) -> Guess[T]:
    if not seen.known:
        return told if told.known else Guess(None, None, (*seen.evidence, *told.evidence))
    if not told.known:
        return seen
    if _same(told.value, seen.value):
        sure = 1 - (1 - (told.confidence or 0)) * (1 - (seen.confidence or 0))
        return Guess(seen.value, round(min(sure, 0.99), 2), tuple(dict.fromkeys([*seen.evidence, *told.evidence])))
    if (seen.confidence or 0) < 0.6 <= (told.confidence or 0):
        return told  # what was seen is too weak to contradict
    difference = f"a document says otherwise: {_shown(told.value)}"
    return Guess(seen.value, seen.confidence, (*seen.evidence, difference))


def _auth(told: tuple[Guess[Any], ...], seen: tuple[Guess[Any], ...]) -> tuple[Guess[Any], ...]:
    """What was seen first; an answer that asks for credentials of a kind that a document names confirms it."""
    known = [guess for guess in told if guess.known]
    live = [guess for guess in seen if guess.known]
    if not live:
        return (
            tuple(guess.seen(*(line for one in seen for line in one.evidence)) for guess in known) or (*told, *seen)[:1]
        )
    first = next((guess for guess in known if type(guess.value) is type(live[0].value)), None)
    if first is None:
        return (*live, *known)
    # a document knows names and addresses, of which a refusal only tells the kind
    best = _guess(live[0], first) if _same(first.value, live[0].value) else first.seen(*live[0].evidence, at_least=0.9)
    return (best, *live[1:], *(guess for guess in known if guess is not first))


def _same(first: Any, second: Any) -> bool:
    return bool(first == second) or (type(first) is type(second) and to_data(first) == to_data(second))


def _shown(value: Any) -> str:
    return str(to_data(value))[:80]
