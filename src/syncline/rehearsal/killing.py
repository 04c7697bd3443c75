"""Ending a run in its midst: at a station of the record's way, or after some time."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Literal

import msgspec

from syncline.events import Event, Reached, Scope

Often = Literal["run", "pass", "batch", "page", "record", "sometimes"]
"""How often a station is come to: once a run, once a pass, with every batch, page or record, or only where there is a reason."""

STATIONS: dict[str, Often] = {
    "lease taken": "run",
    "run noted": "run",
    "pass begun": "pass",
    "page fetched": "page",
    "page mapped": "page",
    "before write": "batch",
    "after write": "batch",
    "before finish": "pass",
    "after finish": "pass",
    "lease released": "run",
    "report stored": "run",
    # the state, and whatever is written in one transaction with it
    "dead letters written": "batch",
    "checkpoint written": "batch",
    "committed": "batch",
    # databases
    "before schema change": "sometimes",
    "schema changed": "sometimes",
    "parents written": "batch",
    "rows written": "batch",
    "rows exchanged": "pass",
    "pass written": "pass",
    "pass committed": "pass",
    # files; what is committed with the pass is visible behind it
    "file appended": "batch",
    "file committed": "batch",
    "file completed": "pass",
    "file published": "pass",
    "manifest written": "pass",
    # other APIs
    "outbox stored": "batch",
    "request sent": "record",
    "answer received": "record",
    "outcome stored": "record",
    "checkpoint committed": "batch",
}
"""Every station that our own parts announce."""


class Kill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run ends: `after` seconds behind the `count`th time that it comes to `station`, or behind its start.

    KILL takes the process away in the midst of whatever it does; TERM asks it to stop in good order.
    """

    station: str | None = None
    count: int = 1
    after: float = 0.0
    signal: Literal["KILL", "TERM"] = "KILL"

    def __str__(self) -> str:
        where = "start" if self.station is None else f"{self.station} {self.count}"
        later = f" +{self.after * 1000:.1f} ms" if self.after else ""
        return f"{self.signal} at {where}{later}"


def strike(kill: Kill) -> None:
    """End this process, now or in `after` seconds. Where TERM is meant it has to wait for SIGALRM as for SIGTERM."""
    if kill.after:
        # the default action of SIGALRM ends a process within the kernel, as SIGKILL does: no line of Python runs any more
        signal.setitimer(signal.ITIMER_REAL, kill.after)
    else:
        os.kill(os.getpid(), signal.SIGKILL if kill.signal == "KILL" else signal.SIGTERM)


class Killing:
    """Listens to a run and ends this process where it is to be ended."""

    def __init__(self, kill: Kill, strike: Callable[[Kill], None] = strike) -> None:
        self._kill, self._left, self._strike = kill, kill.count, strike

    def __call__(self, scope: Scope, event: Event) -> None:
        if isinstance(event, Reached) and event.station == self._kill.station:
            self._left -= 1
            if self._left == 0:
                self._strike(self._kill)


class Passing:
    """Listens to a run and counts how often it comes to each station."""

    def __init__(self) -> None:
        self.stations: Counter[str] = Counter()

    def __call__(self, scope: Scope, event: Event) -> None:
        if isinstance(event, Reached):
            self.stations[event.station] += 1
