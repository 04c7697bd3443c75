"""What kills came to, as acts of a rehearsal."""

from __future__ import annotations

import os
from collections.abc import Iterator

from syncline.rehearsal.checklist.kills import Killed, Kills
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.simulator.seen import Struck

KILL = "kill"
"""The name by which these acts are asked for, beside those of faults."""


def can_kill() -> bool:
    """Whether this system can fork."""
    return hasattr(os, "fork")


def kill_acts(kills: Kills, seed: int) -> Iterator[ActReport]:
    """One act for the run that nobody killed, and one for each station."""
    yield ActReport(name="kill: nowhere", seed=seed, problems=list(kills.problems))
    for killed in kills.killed:
        problems = [*killed.problems]
        if not killed.died:
            problems.append(f"the run did not come to {killed.station!r}")
        anew = sorted(set(killed.must_resume) - set(killed.resumed))
        if anew:
            problems.append(f"the next run began {', '.join(anew)} anew, of which a part had been written")
        struck = Struck(
            fault=KILL, line=f"kill -9 at {killed.station!r}", at=0.0, request=0, status=0, became=_became(killed)
        )
        yield ActReport(name=f"kill: {killed.station}", seed=seed, struck=[struck], problems=problems)


def _became(killed: Killed) -> str:
    if not killed.must_resume:
        return "nothing had been written in part; the next run brought everything"
    streams = ", ".join(killed.must_resume)
    return f"the next run went on in the midst of {streams}: it read {killed.read} of {killed.of} records"
