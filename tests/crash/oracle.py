"""What must be at the destination, worked out from the source's own data by plain Python; nothing of Syncline is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from tests.crash.world import Things, Version

Raw = dict[str, Any]


@dataclass(frozen=True)
class Mode:
    """How a stream is written, what its source shows of itself, and how deletions are told."""

    name: str
    write: Literal["upsert", "append", "replace"]
    feed: Literal["changes", "all"]
    deletes: Literal["when", "missing"] | None = None


MODES = {
    mode.name: mode
    for mode in (
        Mode("upsert", "upsert", "changes", "when"),
        Mode("missing", "upsert", "all", "missing"),
        Mode("append", "append", "changes"),
        Mode("replace", "replace", "all"),
    )
}
FIELDS = {
    "id": "number",
    "version": "number",
    "name": "text",
    "amount": "number",
    "big": "number",
    "active": "boolean",
    "seen_at": "time",
    "note": "text",
    "tags": "json",
}
LINE = {"sku": "text", "quantity": "number", "price": "number"}


def meant(version: Version) -> dict[str, Any]:
    """The row that a good version becomes."""
    value = version.value
    return {
        "id": value["id"],
        "version": value["version"],
        "name": value["profile"]["name"],
        "amount": value["amount"],
        "big": value["big"],
        "active": value["active"],
        "seen_at": datetime.fromisoformat(value["seen_at"]),
        "note": value.get("note"),
        "tags": value["tags"],
    }


def understood(raw: Any, kind: str) -> Any:
    """A stored value as what it means, however the destination spells it."""
    if raw is None:
        return None
    if kind == "number":
        return Decimal(str(raw))
    if kind == "boolean":
        return bool(int(raw)) if not isinstance(raw, str) else {"true": True, "false": False}[raw.lower()]
    if kind == "time":
        at = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if kind == "json":
        return json.loads(raw, parse_float=Decimal) if isinstance(raw, str) else raw
    return raw


def same(row: Raw, wanted: dict[str, Any], kinds: dict[str, str]) -> bool:
    for name, kind in kinds.items():
        found, value = understood(row.get(name), kind), wanted[name]
        if isinstance(value, float):
            value = Decimal(str(value))
        if kind == "json":
            found, value = _exact(found), _exact(value)
        if found != value or (found is None) != (value is None):
            return False
    return True


def _exact(value: Any) -> Any:
    """Numbers as decimals, so that 2.5 is 2.5 whatever Python type it came in; True stays apart from 1."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    return [_exact(inner) for inner in value] if isinstance(value, list) else value


@dataclass
class Found:
    """What is there. `lines` is None where lists stay in their row."""

    rows: list[Raw]
    lines: list[Raw] | None
    letters: list[str]
    """The rejected records, as text."""
    state: Raw | None
    leftovers: list[str] = field(default_factory=list)
    doubled: list[Any] = field(default_factory=list)
    """Effects on another API that happened more than once."""


@dataclass
class Verdict:
    lost: int = 0
    duplicate: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, what: str, cases: Iterable[Any], *, kind: str = "") -> None:
        listed = list(cases)
        if listed:
            self.faults.append(f"{len(listed)} {what}: {', '.join(map(str, listed[:5]))}")
            if kind:
                setattr(self, kind, getattr(self, kind) + len(listed))


class Oracle:
    """Follows a world through its passes. `soft` deletes leave the row.

    `exact` ends where the world changed in the midst of a pass: then some versions may have come or not. `counted` says that what a
    killed run had done is counted among the items.
    """

    def __init__(self, mode: Mode, world: Things, *, soft: bool = False, counted: bool = True) -> None:
        self.mode, self.world, self.soft = mode, world, soft
        self.exact, self.counted = True, counted
        self.must: dict[int, Version] = {}
        """By id; of append, by the version's number."""
        self.shown: list[dict[int, Version]] = [self.must]
        """What may be visible: what is, and what a pass that was killed behind its commit has yet to publish."""
        self.letters: Counter[int] = Counter()
        self.items = 0
        self._boundary = 0

    def coming(self) -> tuple[dict[int, Version], Counter[int], int]:
        """What must be there, the letters and the items, once a pass over the world as it is now is complete."""
        must, letters, items = dict(self.must), Counter(self.letters), self.items
        everything, delivered = self.world.current, self._delivered()
        letters.update(version.number for version in delivered if version.poison)
        if self.mode.write == "replace":
            must = {version.id: version for version in delivered if version.good}
            return must, letters, items + len(must)
        if self.mode.write == "append":
            new = {version.number: version for version in delivered if version.good}
            return must | new, letters, items + len(new)
        for version in delivered:
            if version.gone and must.pop(version.id, None):
                items += 1
            elif version.good and must.get(version.id) != version:
                must[version.id] = version
                items += 1
        for vanished in must.keys() - everything.keys() if self.mode.deletes == "missing" else ():
            del must[vanished]
            items += 1
        return must, letters, items

    def awaited(self) -> int:
        """How many records a whole pass over the world as it is now brings."""
        return len(self._delivered())

    def _delivered(self) -> list[Version]:
        everything = self.world.current.values()
        return [v for v in everything if self.mode.feed == "all" or v.number > self._boundary]

    def pass_ended(self, *, published: bool = True) -> None:
        """The pass was committed; where it is not `published` yet, the next run does it before anything else."""
        self.must, self.letters, self.items = self.coming()
        self.shown = [self.must] if published else [*self.shown, self.must]
        self._boundary = self.world.newest

    # Judging

    def judge(self, found: Found) -> Verdict:
        """After a clean pass: everything is there once, and nothing else."""
        verdict = Verdict()
        alive = self._judge_rows(found, verdict)
        allowed = self.must if self.exact or self.mode.write != "append" else self.must | self.world.versions
        verdict.blame("lost", self.must.keys() - alive.keys(), kind="lost")
        verdict.blame("that nobody sent", alive.keys() - allowed.keys())
        if self.mode.write != "append":
            stale = [key for key in alive.keys() & self.must.keys() if alive[key] != self.must[key]]
            verdict.blame("of an older version", stale)
        self._judge_lines(found, alive, verdict)
        letters = _numbers(found.letters)
        verdict.blame("dead letters lost", (self.letters - letters).elements(), kind="lost")
        verdict.blame("dead letters too many", (letters - self.letters).elements(), kind="duplicate")
        state = found.state or {}
        if state.get("status") != "idle" or state.get("owner") is not None or state.get("error") is not None:
            verdict.blame("states not idle", [state])
        if self.exact and self.counted and state.get("items_synced") != self.items:
            verdict.blame("items counted wrongly", [f"{state.get('items_synced')}, meant {self.items}"])
        verdict.blame("left over", found.leftovers)
        return verdict

    def judge_midway(self, found: Found) -> Verdict:
        """After a kill: nothing is there twice, nothing is torn, nothing that was there is gone."""
        verdict = Verdict()
        alive = self._judge_rows(found, verdict)
        coming, letters, _ = self.coming()
        if self.mode.write == "replace":
            if alive not in (*self.shown, coming):
                verdict.blame("of a mixture of two passes", alive.keys() ^ self.must.keys())
        elif self.mode.write == "append":
            verdict.blame("lost", self.shown[0].keys() - alive.keys(), kind="lost")
        else:
            world, boundary = self.world, self._boundary
            kept = {v.id for v in self.must.values() if v.id in world.current and not world.current[v.id].gone}
            # the row of a record that was deleted since, and has come back, is away until that is read as well
            kept -= {one for one, number in world.ended.items() if number > boundary}
            verdict.blame("lost", kept - alive.keys(), kind="lost")
        self._judge_lines(found, alive, verdict)
        verdict.blame("dead letters too many", (_numbers(found.letters) - letters).elements(), kind="duplicate")
        return verdict

    def _judge_rows(self, found: Found, verdict: Verdict) -> dict[int, Version]:
        """Every row once and exactly as some version of its record; gives those that are not deleted."""
        key = "version" if self.mode.write == "append" else "id"
        counts = Counter(int(row[key]) for row in found.rows)
        verdict.blame("twice", [one for one, count in counts.items() if count > 1], kind="duplicate")
        verdict.blame("effects twice", found.doubled, kind="duplicate")
        alive: dict[int, Version] = {}
        wrong = []
        for row in found.rows:
            version = self.world.versions.get(int(row["version"]))
            if version is None or not version.good or not same(row, meant(version), FIELDS):
                wrong.append(row["id"])
            elif row.get("_deleted_at") is None:
                alive[int(row[key])] = version
            elif not self.soft or self.world.ended.get(version.id, 0) < version.number:
                wrong.append(row["id"])
        verdict.blame("with other content than was sent", wrong)
        return alive

    def _judge_lines(self, found: Found, alive: dict[int, Version], verdict: Verdict) -> None:
        if found.lines is None:
            torn = [row["id"] for row in found.rows if not self._has_its_lines(row)]
            verdict.blame("with other lines than were sent", torn)
            return
        dead = {int(row["id"]) for row in found.rows if row.get("_deleted_at") is not None}
        wanted = Counter(
            _line(version.id, place, line)
            for version in alive.values()
            for place, line in enumerate(version.value["lines"])
        )
        there = Counter(
            _line(int(row["_parent_id"]), int(row["_position"]), row)
            for row in found.lines
            if int(row["_parent_id"]) not in dead
        )
        verdict.blame("lines lost", (wanted - there).elements(), kind="lost")
        verdict.blame("lines too many", (there - wanted).elements(), kind="duplicate")

    def _has_its_lines(self, row: Raw) -> bool:
        version = self.world.versions.get(int(row["version"]))
        if version is None or "lines" not in row:
            return True  # blamed already, or a destination that has no place for them
        return bool(_exact(understood(row["lines"], "json")) == _exact(version.value["lines"]))


def _line(parent: int, place: int, line: Raw) -> tuple[Any, ...]:
    return parent, place, *(understood(line[name], kind) for name, kind in LINE.items())


def _numbers(letters: list[str]) -> Counter[int]:
    return Counter(json.loads(text)["version"] for text in letters)
