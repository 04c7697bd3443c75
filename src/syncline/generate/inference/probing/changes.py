"""Finding out how to ask for what changed: by asking for what will have changed in a far future, which is nothing."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.probing.asking import Asker, Look
from syncline.sources import Incremental

FUTURE = "2199-01-01T00:00:00Z"
FUTURE_EPOCH = "7226582400"
PAST, PAST_EPOCH = "1971-01-01T00:00:00Z", "31536000"
_PATTERNS = ("{}_since", "{}_after", "{}[gte]", "{}__gte", "{}_min", "{}_from", "{}[gt]")


async def find_incremental(
    asker: Asker, path: str, first: Look, *, records: str, cursor: Guess[str]
) -> Guess[Incremental]:
    """The parameter that filters by the cursor, tried out."""
    if not cursor.known or cursor.value is None or not first.records(records):
        return unknown(*cursor.evidence)
    field = cursor.value.rpartition(".")[2]
    epoch = _is_number(first, records, field)
    names = list(dict.fromkeys([*(pattern.format(stem) for stem in _stems(field) for pattern in _PATTERNS), "since"]))
    future, past = (FUTURE_EPOCH, PAST_EPOCH) if epoch else (FUTURE, PAST)
    if not await _empty(asker, path, records, {**first.params, **dict.fromkeys(names, future)}):
        return unknown(
            f"the records have {cursor.value!r}; no usual parameter for what changed since changed the answer"
        )
    while len(names) > 1:
        half = names[: len(names) // 2]
        left = await _empty(asker, path, records, {**first.params, **dict.fromkeys(half, future)})
        names = half if left else names[len(half) :]
    name = names[0]
    look = await asker.try_get(path, {**first.params, name: past})
    if look is None or not look.records(records):
        return unknown(f"{name!r} makes the list empty, whatever its value")
    evidence = (f"with {name}={future} the list is empty, with {name}={past} it is not", *cursor.evidence)
    return Guess(Incremental(cursor=cursor.value, param=name), min(0.95, (cursor.confidence or 0) + 0.05), evidence)


def _stems(field: str) -> list[str]:
    """The field's name as parameters have it: updated_at, updated, and modified where that is the same."""
    short = field.removesuffix("_at").removesuffix("At").removesuffix("_on").removesuffix("_date")
    return list(dict.fromkeys([field, short]))


def _is_number(first: Look, records: str, field: str) -> bool:
    record = first.records(records)[0]
    return isinstance(record, dict) and isinstance(record.get(field), int)


async def _empty(asker: Asker, path: str, records: str, params: Mapping[str, str]) -> bool:
    look = await asker.try_get(path, params)
    return look is not None and look.records(records) == [] and _has_list(look, records)


def _has_list(look: Look, records: str) -> bool:
    """Whether the list is there and empty, rather than gone with an error."""
    found = look.document
    for key in () if records == "." else records.split("."):
        found = found.get(key.strip('"')) if isinstance(found, dict) else None
    return isinstance(found, list)
