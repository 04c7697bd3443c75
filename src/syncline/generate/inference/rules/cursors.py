"""Which field grows with every change, and which parameter asks for what changed since."""

from __future__ import annotations

import re

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.words import flat
from syncline.generate.inference.schema import Schema, step
from syncline.sources import Incremental

CHANGED = (
    "updatedat", "modifiedat", "lastmodified", "lastmodifiedat", "lastupdated", "lastupdatedat", "updated", "modified", "changedat",
    "updatedon", "modifiedon", "dateupdated", "datemodified", "lastmodifieddate", "updateddate", "modifieddate", "updatetime",
    "lastmodifieddatetime", "lastmodifiedtime", "changed", "updateddatetime", "lastupdatetime", "lastupdate", "dateupdate",
    "modificationdate", "lastchanged", "lastchangedat", "lastmodifiedon", "lastupdateddate", "modifieddatetime", "lastchangedate",
    "systemmodstamp", "updatedtime", "lastupdatedon", "lastmodificationtime", "editedat", "datelastupdated", "lastediteddate",
    "updatetimestamp", "modificationtime", "lastupdateddatetime", "updatedtimestamp", "lastedit", "lastupdateat",
)  # fmt: skip
CREATED = (
    "createdat", "created", "createdon", "datecreated", "creationdate", "createddate", "createtime", "createddatetime", "addedat",
    "occurredat", "timestamp", "creationtime", "dateadded", "submittedat", "createdtime", "eventtime", "sentat", "insertedat",
)  # fmt: skip
_CHANGE = ("updat", "modif", "chang", "edit")
_CREATE = ("creat", "add", "occur", "insert")
_ASKS_CHANGES = re.compile(
    r"\b(updated|modified|changed|changes|edited)\b.{0,60}\b(since|after|later|from|newer|start|greater|than)\b|"
    r"\b(since|after|later than|newer than)\b.{0,60}\b(updated?|modified|modification|changed?|last update)\b",
    re.I | re.S,
)
_EARLIER = re.compile(r"\b(before|until|earlier|older|less than|to date|end)\b", re.I)


def find_cursor_field(record: Schema | None) -> Guess[str]:
    """The field of a record that grows with each change; failing it one that grows with each new record."""
    if record is None or not record.properties:
        return unknown("the fields of a record are not known")
    at: dict[str, tuple[str, Schema]] = {}
    for name, inner in record.properties.items():
        at.setdefault(flat(name), (name, inner))
        if inner.type == "object" and flat(name) in ("meta", "metadata", "audit", "attributes", "timestamps", "fields"):
            for key, further in inner.properties.items():
                at.setdefault(flat(key), (f"{name}\0{key}", further))
    for names, sure, what in ((CHANGED, 0.9, "grows with each change"), (CREATED, 0.5, "grows with new records only")):
        for plain in names:
            if plain not in at:
                continue
            name, field = at[plain]
            moment = field.format in ("date-time", "date") or field.type == "integer"
            if not (moment or field.type in ("string", "any", "number")):
                continue
            path = ".".join(step(key) for key in name.split("\0"))
            confidence = sure if moment else sure - 0.15
            return Guess(path, confidence, (f"the records have {path!r}, which {what}",))
    return unknown("no field of the records is named like a time of change")


def find_incremental(operation: Operation, cursor: Guess[str]) -> Guess[Incremental]:
    """How to ask for what changed since a cursor."""
    if not cursor.known or cursor.value is None:
        return unknown(*cursor.evidence)
    best: tuple[float, Parameter] | None = None
    changing = flat(cursor.value.rpartition(".")[2]) in CHANGED
    for parameter in operation.query().values():
        score = _score(parameter, cursor.value, changing)
        if score > (best[0] if best else 0.0):
            best = (score, parameter)
    if best is None:
        return unknown(f"the records have {cursor.value!r}, but no parameter asks for what is later")
    score, parameter = best
    confidence = round(min(score, cursor.confidence or 0.0), 2)
    evidence = (f"the parameter {parameter.name!r} asks for what is later than a moment", *cursor.evidence)
    return Guess(Incremental(cursor=cursor.value, param=parameter.name), confidence, evidence)


def _score(parameter: Parameter, field: str, changing: bool) -> float:
    if parameter.schema.type in ("boolean", "array", "object"):
        return 0.0
    plain, said, name = flat(parameter.name), parameter.description, flat(field.rpartition(".")[2])
    bounds = ("since", "after", "from", "gte", "gt", "min", "start", "greaterthan", "ge", "newerthan", "begin")
    lower = any(plain.endswith(word) or plain.startswith(word) for word in bounds)
    stems = _CHANGE if changing else _CREATE
    if any(word in plain for word in ("before", "until", "lte", "max")) or plain.endswith(("to", "end", "lt")):
        return 0.0
    if lower and plain.replace("_", "").startswith(name) and name:
        return 0.92
    if lower and any(stem in plain for stem in stems):
        return 0.88
    if changing and any(stem in plain for stem in _CHANGE) and _ASKS_CHANGES.search(said) and not _EARLIER.search(said):
        return 0.8
    if plain in ("since", "updates", "ifmodifiedsince", "sincedate", "startingfrom") or lower:
        if changing and _ASKS_CHANGES.search(said):
            return 0.8
        if plain == "since":
            return 0.5
    return 0.0
