"""What identifies a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import msgspec

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.rules.records import ENVELOPES
from syncline.generate.inference.rules.words import flat, named, singular, words
from syncline.generate.inference.schema import Schema, join

EXACT = {
    "id": 0.95, "uuid": 0.9, "guid": 0.9, "_id": 0.9, "gid": 0.8, "uid": 0.8, "identifier": 0.75, "key": 0.6, "code": 0.6,
    "slug": 0.55, "sku": 0.7, "iso": 0.5, "isocode": 0.55, "number": 0.45, "reference": 0.5, "ref": 0.45, "token": 0.4,
    "urn": 0.6, "arn": 0.65, "symbol": 0.5, "ticker": 0.6, "handle": 0.45, "login": 0.45, "username": 0.5, "name": 0.35,
    "title": 0.3, "label": 0.28, "package": 0.3,
    "hash": 0.32, "sha": 0.6, "href": 0.3, "objectid": 0.85, "recordid": 0.85, "primarykey": 0.9, "email": 0.3, "url": 0.25,
    "barcode": 0.62, "iatacode": 0.62, "icao": 0.5, "isoalpha2": 0.6, "isoalpha3": 0.58, "iso2": 0.55, "ean": 0.6, "upc": 0.6,
    "gtin": 0.6, "vin": 0.6, "txid": 0.75, "digest": 0.6, "fingerprint": 0.5, "address": 0.3, "isbn": 0.6,
    "isbn13": 0.62, "domain": 0.35, "path": 0.25, "date": 0.3,
}  # fmt: skip
ENDINGS = (
    ("identifier", 0.75), ("reference", 0.55), ("number", 0.62), ("uuid", 0.88), ("guid", 0.88), ("code", 0.68), ("slug", 0.55),
    ("uid", 0.8), ("key", 0.72), ("sku", 0.6), ("arn", 0.8), ("ref", 0.5), ("id", 0.9), ("no", 0.5), ("nr", 0.5),
)  # fmt: skip
DOUBTFUL, WEAKEST = 0.45, 0.22
ENOUGH = 30
"""Records that must be seen before two fields are believed to identify them together."""
_SAYS = re.compile(
    r"\b(unique(ly)? (id|identif|key|code|number|reference)|primary key|resource name\b|identifier of (the|this|an?)\b)",
    re.I,
)


class Names(msgspec.Struct, frozen=True):
    """The names that tell an identifier of these records from others.

    `own` are what a record may be called, `items` the placeholders by which the API addresses single records of this list, and
    `elsewhere` those of any list; `parents` are placeholders in the list's own path, which are other records' identifiers.
    """

    own: frozenset[str]
    items: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()

    @classmethod
    def of(cls, path: str, records: str, items: Sequence[str] = (), elsewhere: frozenset[str] = frozenset()) -> Names:
        """For the list at `records` in the answer of `path`."""
        last = records.rpartition(".")[2].removesuffix("[*]").strip('"')
        called = [*named(path)[-1:], *([last] if flat(last) not in ENVELOPES else [])]
        parents = frozenset(flat(name) for name in re.findall(r"\{([^{}]+)\}", path))
        return cls(_called(called), frozenset(map(flat, items)), elsewhere - parents, parents)


def _called(names: Sequence[str]) -> frozenset[str]:
    """What one of them may be called: order for orders, line item and item for line_items."""
    found: set[str] = set()
    for name in names:
        parts = [singular(word) for word in words(name)]
        if len(parts) > 1 and parts[-1] in ("list", "collection", "data"):
            parts = parts[:-1]
        for start in range(len(parts)):
            found.add("".join(parts[start:]))
            found.add("".join(parts[: start + 1]))
        joint = flat(name)
        if joint.endswith("list") and len(joint) > 6:
            found.add(singular(joint.removesuffix("list")))
    return frozenset(name for name in found if len(name) > 1 and not re.fullmatch(r"v\d+", name))


def find_key(record: Schema | None, names: Names) -> Guess[tuple[str, ...]]:
    """The fields that identify a record."""
    if record is None or not record.properties:
        return unknown("the fields of a record are not known")
    found = sorted(_candidates(record, names), key=lambda one: -one[0])
    if not found or found[0][0] < DOUBTFUL:
        for other in (_together(record), _within(record, names)):
            if other.known:
                return other
    if not found:
        return unknown("no field of the records looks like an identifier")
    score, name, evidence = found[0]
    if score < WEAKEST:
        return unknown(f"no field looks like an identifier; {name!r} comes nearest")
    rival = found[1][0] if len(found) > 1 else 0.0
    confidence = score if rival < score - 0.1 else max(score - 0.15, WEAKEST)
    return Guess((join(name),), round(min(confidence, 0.98), 2), tuple(evidence))


def _candidates(record: Schema, names: Names) -> Iterator[tuple[float, str, list[str]]]:
    plain = {name: field for name, field in record.properties.items() if _can_identify(field)}
    alone = [name for name in plain if _ends_as_id(name) and flat(name) not in names.parents]
    for name, field in plain.items():
        score, evidence = _named(name, names)
        if flat(name) in names.parents and flat(name) not in ("id", "uuid"):
            continue  # the record that these belong to
        if alone == [name] and score < 0.6:
            score, evidence = 0.6, [f"{name!r} is the only field that ends like an identifier"]
        score, evidence = _addressed(name, names, score, evidence)
        score, evidence = _described(name, field, score, evidence)
        if score == 0.0:
            continue
        if name in record.required:
            score = min(score + 0.03, 0.98)
            evidence = [*evidence, "each record has it"]
        elif record.told and not field.nullable and score < 0.9:
            score -= 0.05
        if field.nullable:
            score -= 0.1
        seen, told = _seen(name, field)
        if score + seen > 0.1:
            yield score + seen, name, [*evidence, *told]


def _can_identify(field: Schema) -> bool:
    return field.type not in ("object", "array", "boolean") and field.format not in ("date-time", "binary", "byte")


def _ends_as_id(name: str) -> bool:
    parts = words(name)
    return bool(parts) and (parts[-1] in ("id", "uuid", "guid", "ids") or flat(name).endswith("id"))


def _named(name: str, names: Names) -> tuple[float, list[str]]:
    plain = "_id" if name == "_id" else flat(name)
    if plain in EXACT:
        return EXACT[plain], [f"the records have {name!r}, a usual name for what identifies them"]
    for ending, score in ENDINGS:
        owner = plain.removesuffix(ending)
        if owner == plain:
            continue
        if owner in names.own:
            return score, [f"{name!r} is named after the records, and ends like an identifier"]
        if len(owner) > 3 and any(len(own) > 3 and owner.endswith(own) for own in names.own):
            return score - 0.12, [f"{name!r} ends with the records' name and like an identifier"]
    if plain.startswith("id") and plain[2:] in names.own:
        return 0.8, [f"{name!r} is named after the records, and begins like an identifier"]
    if _ends_as_id(name) and len(words(name)) > 1:
        return 0.42, [f"{name!r} ends like an identifier, though it may be another record's"]
    if plain in names.own:
        return 0.4, [f"{name!r} is named after the records"]
    if plain.endswith(("name", "title", "code")) and any(plain.startswith(own) for own in names.own if len(own) > 3):
        return 0.34, [f"{name!r} names the record"]
    return 0.0, []


def _addressed(name: str, names: Names, score: float, evidence: list[str]) -> tuple[float, list[str]]:
    plain = flat(name)
    if plain in names.items:
        return max(score + 0.05, 0.93), [f"single records are addressed by {{{name}}}", *evidence]
    if score >= 0.3 and any(key == owner + plain for key in names.items for owner in names.own):
        return max(score + 0.05, 0.9), [f"single records are addressed by it: {name!r}", *evidence]
    if plain in names.elsewhere and score < 0.7 and plain not in ("name", "code", "key", "date"):
        return max(score + 0.1, 0.62), [f"{{{name}}} addresses records of this API", *evidence]
    return score, evidence


def _described(name: str, field: Schema, score: float, evidence: list[str]) -> tuple[float, list[str]]:
    said = _SAYS.search(field.description)
    if said is None or flat(name).startswith(("parent", "external")):
        return score, evidence
    told = f"it is described as identifying: “{_short(field.description)}”"
    return min(score + (0.1 if score >= 0.4 else 0.5), 0.97), [*evidence, told]


def _seen(name: str, field: Schema) -> tuple[float, list[str]]:
    """What values that were really seen say: an identifier is never null, and never twice the same."""
    values = [value for value in field.samples if isinstance(value, str | int)]
    if len(values) < 3:
        return 0.0, []
    if len(set(values)) < len(values):
        return -0.6, [f"{name!r} has the same value in several records"]
    return 0.05, [f"{name!r} is different in each of {len(values)} records"]


def _together(record: Schema) -> Guess[tuple[str, ...]]:
    """Two fields that identify a record together, where many records were seen and no single field does."""
    whole = {
        name: field.samples
        for name, field in record.properties.items()
        if name in record.required
        and field.type in ("string", "integer")
        and not field.nullable
        and _can_identify(field)
    }
    count = max((len(values) for values in whole.values()), default=0)
    solid = [name for name, values in whole.items() if len(values) == count][:8]
    if count < ENOUGH or any(len(set(whole[name])) == count for name in solid):
        return unknown()
    for first, second in combinations(solid, 2):
        if len(set(zip(whole[first], whole[second], strict=True))) == count:
            told = f"{first!r} and {second!r} are different together in each of {count} records, and no field alone is"
            return Guess((join(first), join(second)), 0.65, (told,))
    return unknown()


def _within(record: Schema, names: Names) -> Guess[tuple[str, ...]]:
    """The key of a record that is wrapped: {"added_at": …, "track": {"id": …}}."""
    solid = [(name, inner) for name, inner in record.properties.items() if inner.type == "object" and inner.properties]
    beside = sum(_can_identify(inner) for inner in record.properties.values())
    feature = [one for one in solid if one[0] == "properties" and "geometry" in record.properties]  # GeoJSON (RFC 7946)
    chosen = (
        feature
        or [one for one in solid if flat(one[0]) in names.own]
        or (solid if len(solid) == 1 and beside <= 1 else [])
    )
    if len(chosen) == 1:
        name, inner = chosen[0]
        within = Names(_called([name]) | names.own, names.items, names.elsewhere, names.parents)
        found = max(_candidates(inner, within), key=lambda one: one[0], default=None)
        if found is not None and found[0] >= 0.6:
            score, key, evidence = found
            return Guess(
                (join(name, key),), round(min(score, 0.8), 2), (f"the record stands within {name!r}", *evidence)
            )
    return unknown("no field of the records looks like an identifier")


def _short(text: Any) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= 80 else plain[:79] + "…"
