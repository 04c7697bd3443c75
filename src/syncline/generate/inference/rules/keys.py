"""What identifies a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.rules.words import fixed, flat, singular, words
from syncline.generate.inference.schema import Schema, join

EXACT = {
    "id": 0.95, "uuid": 0.9, "guid": 0.9, "_id": 0.9, "gid": 0.8, "uid": 0.8, "identifier": 0.75, "key": 0.6, "code": 0.6,
    "slug": 0.55, "sku": 0.7, "iso": 0.5, "isocode": 0.55, "number": 0.45, "reference": 0.5, "ref": 0.45, "token": 0.4,
    "urn": 0.6, "arn": 0.65, "symbol": 0.5, "ticker": 0.6, "handle": 0.45, "login": 0.45, "username": 0.5, "name": 0.35,
    "hash": 0.5, "sha": 0.6, "href": 0.3, "objectid": 0.85, "recordid": 0.85, "primarykey": 0.9, "email": 0.3, "url": 0.25,
    "isbn": 0.6, "isbn13": 0.6, "domain": 0.35, "path": 0.25, "date": 0.3,
}  # fmt: skip
_SAYS = re.compile(
    r"\b(unique(ly)? (id|identif|key|code|number|reference)|primary key|identifier of (the|this|an?)\b)", re.I
)


def find_key(record: Schema | None, path: str, item_keys: Sequence[str] = ()) -> Guess[tuple[str, ...]]:
    """The fields that identify a record.

    `item_keys` are the placeholders by which the same API addresses single records of this list: /orders/{orderNumber}.
    """
    if record is None or not record.properties:
        return unknown("the fields of a record are not known")
    found = sorted(_candidates(record, path, item_keys), key=lambda one: -one[0])
    if not found:
        return _within(record, path, item_keys)
    score, name, evidence = found[0]
    rival = found[1][0] if len(found) > 1 else 0.0
    if score < 0.45:
        inner = _within(record, path, item_keys)
        return inner if inner.known else unknown(f"no field looks like an identifier; {name!r} comes nearest")
    confidence = score if rival < score - 0.1 else max(score - 0.15, 0.4)
    return Guess((join(name),), round(min(confidence, 0.98), 2), tuple(evidence))


def _candidates(record: Schema, path: str, item_keys: Sequence[str]) -> Iterator[tuple[float, str, list[str]]]:
    own = _own_names(path)
    addressed = {flat(key) for key in item_keys}
    for name, field in record.properties.items():
        if field.type in ("object", "array", "boolean") or field.format in ("date-time", "binary"):
            continue
        score, evidence = _named(name, own)
        score, evidence = _addressed(name, own, addressed, score, evidence)
        if score == 0.0 and not _SAYS.search(field.description):
            continue
        if _SAYS.search(field.description) and not flat(name).startswith(("parent", "external")):
            score = min(score + (0.1 if score >= 0.4 else 0.5), 0.97)
            evidence.append(f"it is described as identifying: “{_short(field.description)}”")
        if name in record.required:
            score = min(score + 0.03, 0.98)
            evidence.append("each record has it")
        elif record.told and not field.nullable and score < 0.9:
            score -= 0.05
        if field.nullable:
            score -= 0.1
        seen = _seen(name, field)
        score += seen[0]
        evidence += seen[1]
        if score > 0.2:
            yield score, name, evidence


def _named(name: str, own: set[str]) -> tuple[float, list[str]]:
    plain = "_id" if name == "_id" else flat(name)
    if plain in EXACT:
        return EXACT[plain], [f"the records have {name!r}, a usual name for what identifies them"]
    for ending, score in (
        ("id", 0.9), ("uuid", 0.88), ("guid", 0.88), ("key", 0.72), ("code", 0.68), ("number", 0.62), ("no", 0.5), ("slug", 0.55),
        ("identifier", 0.75), ("uid", 0.8), ("ref", 0.5), ("reference", 0.55), ("sku", 0.6), ("arn", 0.8), ("nr", 0.5),
    ):  # fmt: skip
        if plain.endswith(ending) and plain[: -len(ending)] in own:
            return score, [f"{name!r} is named after the records, and ends like an identifier"]
    parts = words(name)
    if parts and parts[-1] in ("id", "uuid", "guid") and len(parts) > 1:
        return 0.42, [f"{name!r} ends like an identifier, though it may be another record's"]
    if own and plain in own:
        return 0.4, [f"{name!r} is named after the records"]
    return 0.0, []


def _addressed(
    name: str, own: set[str], addressed: set[str], score: float, evidence: list[str]
) -> tuple[float, list[str]]:
    plain = flat(name)
    if plain in addressed:
        return max(score + 0.05, 0.93), [f"single records are addressed by {{{name}}}", *evidence]
    if score >= 0.3 and any(key == owner + plain for key in addressed for owner in own):
        return max(score + 0.05, 0.9), [f"single records are addressed by it: {name!r}", *evidence]
    return score, evidence


def _own_names(path: str) -> set[str]:
    """What a record of this list may be called: order in /orders, and line item in /orders/{id}/line_items."""
    names: set[str] = set()
    for segment in fixed(path)[-2:]:
        parts = [singular(word) for word in words(segment)]
        for start in range(len(parts)):
            names.add("".join(parts[start:]))
            names.add("".join(parts[: start + 1]))
    return names - {"", "v1", "v2", "api", "list", "all", "search", "get"}


def _seen(name: str, field: Schema) -> tuple[float, list[str]]:
    """What values that were really seen say: an identifier is never null, and never twice the same."""
    values = [value for value in field.samples if isinstance(value, str | int)]
    if len(values) < 3:
        return 0.0, []
    if len(set(values)) < len(values):
        return -0.6, [f"{name!r} has the same value in several records"]
    return 0.05, [f"{name!r} is different in each of {len(values)} records"]


def _within(record: Schema, path: str, item_keys: Sequence[str]) -> Guess[tuple[str, ...]]:
    """The key of a record that is wrapped: {"added_at": …, "track": {"id": …}}."""
    solid = [(name, inner) for name, inner in record.properties.items() if inner.type == "object" and inner.properties]
    named = [one for one in solid if flat(one[0]) in _own_names(path)]
    chosen = named or (solid if len(solid) == 1 else [])
    if len(chosen) != 1:
        return unknown("no field of the records looks like an identifier")
    name, inner = chosen[0]
    found = find_key_plain(inner, f"/{name}", item_keys)
    if not found.known or found.value is None:
        return unknown("no field of the records looks like an identifier")
    return Guess(
        (join(name) + "." + found.value[0],),
        min((found.confidence or 0.0), 0.8),
        (f"the record stands within {name!r}", *found.evidence),
    )


def find_key_plain(record: Schema, path: str, item_keys: Sequence[str]) -> Guess[tuple[str, ...]]:
    """As `find_key`, without looking further in."""
    found = sorted(_candidates(record, path, item_keys), key=lambda one: -one[0])
    if not found or found[0][0] < 0.6:
        return unknown()
    score, name, evidence = found[0]
    return Guess((join(name),), round(score, 2), tuple(evidence))


def _short(text: Any) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= 80 else plain[:79] + "…"
