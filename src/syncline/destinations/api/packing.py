"""Effects put into requests: one each, or many in one where the API takes batches."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec

from syncline.destinations.api.dialects import Dialect
from syncline.model import decode_json
from syncline.state import Effect


class Call(msgspec.Struct, frozen=True):
    """The effects of one request, in their order in it."""

    effects: tuple[Effect, ...]
    many: bool

    @property
    def first(self) -> Effect:
        return self.effects[0]


def calls_of(effects: Iterable[Effect], dialect: Dialect) -> list[Call]:
    """The requests that these effects were put into."""
    by_call: dict[str, list[Effect]] = {}
    for effect in effects:
        by_call.setdefault(effect.call, []).append(effect)
    groups = [tuple(sorted(group, key=lambda effect: effect.place)) for group in by_call.values()]
    return [Call(group, dialect.is_batch(group)) for group in groups]


def addressed(effects: Sequence[Effect], dialect: Dialect, size: int) -> list[Effect]:
    """The effects in new requests, each with its own idempotency key. In a batch no two go by one reference."""
    placed: list[Effect] = []
    for operation in ("delete", "update", "create"):
        alike = [effect for effect in effects if effect.operation == operation]
        if not alike:
            continue
        if dialect.batch_of(operation) is None or (len(alike) == 1 and dialect.call_of(operation) is not None):
            placed += [in_one_request([effect], dialect)[0] for effect in alike]
            continue
        for group in _batches(alike, dialect, size):
            placed += in_one_request(group, dialect)
    return placed


def in_one_request(effects: Sequence[Effect], dialect: Dialect) -> list[Effect]:
    call = uuid.uuid4().hex
    key = str(uuid.uuid4()) if dialect.target.idempotency_header is not None else None
    many = dialect.is_batch(effects)
    return [
        msgspec.structs.replace(
            effect,
            outcome="sent",
            call=call,
            place=place,
            idempotency_key=key,
            request=dialect.batch_line(effect.operation)
            if many
            else dialect.written(effect.operation, decode_json(effect.content), effect.remote_id),
        )
        for place, effect in enumerate(effects)
    ]


def _batches(effects: Sequence[Effect], dialect: Dialect, size: int) -> list[list[Effect]]:
    if dialect.target.reference is None:
        return [list(effects[start : start + size]) for start in range(0, len(effects), size)]
    batches: list[tuple[set[str], list[Effect]]] = []
    for effect in effects:
        name = dialect.reference(effect)
        batch = next((batch for batch in batches if name not in batch[0] and len(batch[1]) < size), None)
        if batch is None:
            batch = (set(), [])
            batches.append(batch)
        batch[0].add(name)
        batch[1].append(effect)
    return [effects for _, effects in batches]
