"""Faults of single records, which stay as they are from then on."""

from __future__ import annotations

from typing import Any, ClassVar

from syncline.model.paths import Path
from syncline.rehearsal.simulator.faults import Fate, Fault, Scene
from syncline.rehearsal.simulator.paging import Part
from syncline.rehearsal.simulator.values import GOLDEN, MASK, mixed
from syncline.rehearsal.simulator.world import Spoil


class Spoilt(Fault, frozen=True, kw_only=True, tag="missing-field"):
    """Base of faults of single records, which stay as they are from then on."""

    line = "a record lacks a field that is required"
    of_records = True
    fate: ClassVar[Fate] = "told"  # where the file allows fewer rejects than that

    def bend(self, scene: Scene, part: Part) -> None:
        if not part.numbers:
            return
        blueprint = scene.world.blueprint(part.stream.name)
        paths = blueprint.required or blueprint.optional
        h = mixed(scene.world.seed * GOLDEN + scene.number & MASK)
        if paths:
            number, path = part.numbers[h % len(part.numbers)], paths[(h >> 16) % len(paths)]
            before = len(scene.world.news)
            scene.world.spoil(part.stream.name, number, part.moment, self.spoiling(path, h >> 24))
            for touched in scene.world.news[before:]:
                touched.how = self.told(path, h >> 24)

    def spoiling(self, path: Path, h: int) -> Spoil:
        return lambda record: _without(record, path)

    def told(self, path: Path, h: int) -> str:
        """What is wrong with the record, for people."""
        return f"without {_spelt(path)}"


class NullField(Spoilt, frozen=True, kw_only=True, tag="null-field"):
    line = "a field that is required is null"

    def spoiling(self, path: Path, h: int) -> Spoil:
        return lambda record: _with(record, path, None)

    def told(self, path: Path, h: int) -> str:
        return f"{_spelt(path)} is null"


class ChangedType(Spoilt, frozen=True, kw_only=True, tag="changed-type"):
    line = "a field is of another type than ever before"

    def spoiling(self, path: Path, h: int) -> Spoil:
        other = OTHER_TYPES[h % len(OTHER_TYPES)]
        return lambda record: _with(record, path, other)

    def told(self, path: Path, h: int) -> str:
        return f"{_spelt(path)} is {_short(OTHER_TYPES[h % len(OTHER_TYPES)])}"


class Poison(Spoilt, frozen=True, kw_only=True, tag="poison"):
    line = "a field holds what hardly anybody can store"

    def spoiling(self, path: Path, h: int) -> Spoil:
        poison = POISON[h % len(POISON)]
        return lambda record: _with(record, path, poison)

    def told(self, path: Path, h: int) -> str:
        return f"{_spelt(path)} is {_short(POISON[h % len(POISON)])}"


class NewField(Spoilt, frozen=True, kw_only=True, tag="new-field"):
    line = "records have a field that is new"
    fate = "survived"

    def spoiling(self, path: Path, h: int) -> Spoil:
        return lambda record: {**record, "rehearsed_field": "new"} if isinstance(record, dict) else record

    def told(self, path: Path, h: int) -> str:
        return "with rehearsed_field"


OTHER_TYPES: tuple[Any, ...] = ({"unexpected": True}, [1, 2, 3], "twelve", True, 12)
LONGEST = 32
"""Characters of a value that are shown."""
POISON: tuple[Any, ...] = (
    "\x00 in the midst",
    "half a character: \ud83c",
    2**70 + 1,
    "x" * 70_000,
    "'; DROP TABLE things; --",
    "=1+1",
    "${HOME}",
)


def _spelt(path: Path) -> str:
    return "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path).removeprefix(".")


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _with(record: Any, path: Path, value: Any) -> Any:
    """A record with a value at a path, where the path leads anywhere; records are made afresh, so in place."""
    inner = record
    for step in path[:-1]:
        inner = _below(inner, step)
    last = path[-1]
    if isinstance(inner, dict) and isinstance(last, str):
        inner[last] = value
    return record


def _without(record: Any, path: Path) -> Any:
    inner = record
    for step in path[:-1]:
        inner = _below(inner, step)
    if isinstance(inner, dict):
        inner.pop(path[-1], None)
    return record


def _below(value: Any, step: Any) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return (
        value[step] if isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value) else None
    )
