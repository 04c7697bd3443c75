"""What a rehearsal shows: runs and what they said, what the API saw of them, and what the destination held after each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from syncline.rehearsal.simulator.seen import Seen, Struck

KEPT = 1_000
"""Requests of an act that are stored."""
Blame = Literal["lost", "twice", "stale", "wrong", "unknown"]


class Verdict(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The destination compared with what must be there after a run. Each list holds the first few cases; the counts are whole."""

    expected: int = 0
    found: int = 0
    rejected: int = 0
    """Records that the mapping cannot take, and that were found among the dead letters."""
    lost: int = 0
    twice: int = 0
    stale: int = 0
    wrong: int = 0
    unknown: int = 0
    cases: dict[str, list[str]] = {}

    @property
    def exact(self) -> bool:
        return not (self.lost or self.twice or self.stale or self.wrong or self.unknown)

    def blame(self, what: Blame, case: Any) -> None:
        setattr(self, what, getattr(self, what) + 1)
        cases = self.cases.setdefault(what, [])
        if len(cases) < 5:
            cases.append(str(case))

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in ("lost", "twice", "stale", "wrong", "unknown")}
        bad = [f"{count} {name} ({', '.join(self.cases[name])})" for name, count in counts.items() if count]
        return "; ".join(bad) or f"{self.found} rows, each as it must be"


class Pass(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run within an act. `report` is what the run itself said, `error` what ended it before it could."""

    exit_code: int
    began: float
    ended: float
    quiet: bool
    """Whether nothing went wrong meanwhile."""
    complete: bool = True
    """Whether every stream was read from the start of a pass to its end."""
    report: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    verdicts: dict[str, Verdict] = {}
    """By stream."""
    events: list[dict[str, Any]] = []
    """What the run told its listeners, the first thousand."""

    @property
    def exact(self) -> bool:
        return all(verdict.exact for verdict in self.verdicts.values())


class ActReport(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One act: some runs against one world. `problems` are why it does not hold; none, and it holds."""

    name: str
    seed: int
    faults: list[dict[str, Any]] = []
    """As they were drawn."""
    passes: list[Pass] = []
    seen: list[Seen] = []
    requests: int = 0
    struck: list[Struck] = []
    limits: list[dict[str, Any]] = []
    """The highest rate seen against each limit, and how the API counted."""
    tokens: int = 0
    simulated_seconds: float = 0.0
    seconds: float = 0.0
    problems: list[str] = []
    notes: list[str] = []
    """What is no fault of the integration, but worth knowing before production."""

    @property
    def holds(self) -> bool:
        return not self.problems


class Rehearsal(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A whole rehearsal, as `rehearsal.json` has it. `version` grows when a field changes its meaning."""

    version: int = 1
    integration: str
    file: str = ""
    seed: int
    started_at: datetime
    seconds: float = 0.0
    scratch: tuple[str, ...] = ()
    """The server that rows went to, where that was one."""
    instead: tuple[str, ...] = ()
    """What stood in for what, where scratch of the same kind was not to be had."""
    guessed: dict[str, tuple[str, ...]] = {}
    """By stream: fields for which no value was found that their transforms take."""
    acts: list[ActReport] = []

    @property
    def holds(self) -> bool:
        return all(act.holds for act in self.acts)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where rows went, what stood in for what, and what was guessed: a sentence each."""
        guesses = (
            f"{name}: no value was found that the transforms of {', '.join(targets)} take"
            for name, targets in self.guessed.items()
        )
        return (*self.scratch, *self.instead, *guesses)

    def to_data(self) -> dict[str, Any]:
        """The rehearsal for programs, as JSON data: without the runs' events, and of long acts with their first requests only."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        for act in data["acts"]:
            act["seen"] = act.get("seen", [])[:KEPT]
            for one in act.get("passes", ()):
                one.pop("events", None)
        return {**data, "version": self.version, "holds": self.holds}
