"""What the lines are judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from syncline.rehearsal.checklist.kills import Kills
from syncline.rehearsal.checklist.traces import Trace
from syncline.rehearsal.evidence import ActReport, Pass
from syncline.sources import HttpSource
from syncline.spec import Integration

TOO_MANY = "more than the API allows"
"""What an act says of requests beyond the limits; the line of the limits answers for them, and no other."""


class Findings(msgspec.Struct, kw_only=True):
    """Everything that was seen: acts by their name, what they left behind, and kills where any were made."""

    integration: Integration
    seed: int
    acts: dict[str, ActReport] = {}
    trace: Trace
    kills: Kills | None = None

    @property
    def source(self) -> HttpSource:
        source = self.integration.source
        assert isinstance(source, HttpSource)
        return source

    def of(self, line: str) -> list[ActReport]:
        return [act for name, act in self.acts.items() if name.partition(":")[0] == line]

    def problems(self, line: str) -> list[str]:
        """What is wrong in the acts of a line."""
        return [problem for act in self.of(line) for problem in problems_of(act)]


def problems_of(act: ActReport) -> list[str]:
    """What is wrong in an act, with its name; without what is the matter of the limits."""
    short = act.name.partition(": ")[2]
    return [f"{short}: {problem}" for problem in act.problems if TOO_MANY not in problem]


def some(problems: list[str], most: int = 3) -> tuple[str, ...]:
    """The first few, and how many more there are."""
    more = len(problems) - most
    return (*problems[:most], f"and {more} more") if more > 0 else tuple(problems)


def accounts(one: Pass) -> dict[str, Any]:
    """A run's account; zeros where it ended before it had one."""
    names = ("read", "written", "unchanged", "rejected", "filtered")
    return dict((one.report or {}).get("account") or dict.fromkeys(names, 0))


def heard(one: Pass, kind: str) -> Iterator[dict[str, Any]]:
    """The events of a kind that a run told."""
    return (event for event in one.events if event["type"] == kind)


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 refresh`, `2 refreshes`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
