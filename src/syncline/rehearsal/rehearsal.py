"""A whole rehearsal: every act in a folder of its own, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from syncline.engine import arun
from syncline.errors import UsageError
from syncline.rehearsal.acting import Act, Runner, is_cut, play
from syncline.rehearsal.checklist.kills import kill_everywhere
from syncline.rehearsal.evidence import ActReport, Rehearsal
from syncline.rehearsal.kills import KILL, can_kill, kill_acts
from syncline.rehearsal.looks import shown
from syncline.rehearsal.plan import acts_of
from syncline.rehearsal.scratch import Scratches, scratches
from syncline.rehearsal.staging import staged
from syncline.sources import HttpSource
from syncline.spec import Integration, load

Watch = Callable[[int, int, Act, ActReport | None], None]
"""Told of each act when it begins and, with its report, when it is over: its number from 1, how many there are, the act."""


def ignore(number: int, count: int, act: Act, report: ActReport | None) -> None:
    """Watches nothing."""


async def rehearse(
    integration: Integration | str | Path,
    *,
    seed: int = 1,
    faults: Sequence[str] | None = None,
    records: int | None = None,
    like: Sequence[str] = (),
    scratch: str | None = None,
    acts: Sequence[Act] | None = None,
    runner: Runner = arun,
    watch: Watch = ignore,
) -> Rehearsal:
    """Rehearse an integration, or the one in a file, which is not changed; nothing is asked over the network.

    Only a file can be killed at its stations, because processes of their own read it.

    `faults` are names (default: all), `records` those of the volume act (default: what the file's `volume` says); `acts` take
    the place of both. `like` names files that show what records look like, `FILE` or `STREAM=FILE`. `scratch` says where rows
    go: None in files of our own, `destination` into a schema or database of our own at the server that the file writes to, a
    URL at that one. Raises SpecError, UsageError for a fault or a source that cannot be rehearsed, and PlanError or StateError
    where scratch cannot be made.
    """
    file = "" if isinstance(integration, Integration) else str(integration)
    if not isinstance(integration, Integration):
        integration = load(integration)
    if not isinstance(integration.source, HttpSource):
        raise UsageError("only sources behind HTTP can be rehearsed", hint="kind: rest or kind: graphql")
    names = None if faults is None else [name for name in faults if name != KILL]
    chosen = acts_of(integration, seed=seed, names=names, records=records) if acts is None else list(acts)
    began = time.monotonic()
    rehearsal = Rehearsal(integration=integration.name, file=file, seed=seed, started_at=datetime.now(UTC))
    blueprints = shown(integration, like)
    async with scratches(integration, scratch, file) as rooms:
        rehearsal.scratch = rooms.said
        if not rooms.cuttable:
            chosen = [act for act in chosen if not is_cut(act)]
        for number, act in enumerate(chosen, 1):
            watch(number, len(chosen), act, None)
            async with rooms.made(cut=is_cut(act)) as room:
                on_stage = staged(integration, act.seed, room.folder, blueprints, room)
                rehearsal.instead = on_stage.instead
                report = await play(on_stage, act, runner=runner)
            rehearsal.acts.append(report)
            watch(number, len(chosen), act, report)
        if acts is None and file and can_kill() and (faults is None or KILL in faults):
            await _kill(rehearsal, integration, rooms, watch)
    rehearsal.guessed = {name: found.guessed for name, found in blueprints.items() if found.guessed}
    rehearsal.seconds = time.monotonic() - began
    return rehearsal


async def _kill(rehearsal: Rehearsal, integration: Integration, rooms: Scratches, watch: Watch) -> None:
    """Kill runs of the rehearsal's file at every station."""

    def tell(name: str, report: ActReport | None = None) -> None:
        number = len(rehearsal.acts) + (report is None)
        watch(number, number, Act(name=name, seed=rehearsal.seed, sizes={}), report)

    kills = await kill_everywhere(
        Path(rehearsal.file),
        integration,
        rehearsal.seed,
        modules=(),
        tell=lambda station: tell(f"kill: {station}"),
        scratches=rooms,
    )
    for report in kill_acts(kills, rehearsal.seed):
        rehearsal.acts.append(report)
        tell(report.name, report)
