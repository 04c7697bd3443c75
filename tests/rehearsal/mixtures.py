"""What a seed draws: a shape, faults, and for every eighth a kill; and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from syncline.engine import Report, arun
from syncline.events import Event, Listener, Reached, Scope
from syncline.rehearsal.acting import Act, play
from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.killing import Kill
from syncline.rehearsal.plan import concerned, mixture
from syncline.rehearsal.simulator.faults import (
    Changed,
    CredentialRefused,
    Deleted,
    DestinationAway,
    Inserted,
    Overlap,
    SamePage,
    Twice,
)
from syncline.rehearsal.simulator.spoilt import Spoilt
from syncline.rehearsal.simulator.values import mixed
from syncline.rehearsal.staging import staged
from syncline.rehearsal.victims import Victims
from syncline.spec import Integration
from tests.rehearsal.shapes import drawn

PARENTS, RECORDS = 5, 24
"""Records of a stream that others are read below, and of any other, at most."""
BATCHES = (None, 7, 20)
"""Rows that are written at once at most."""
KILLED = 8
"""One seed in so many is killed."""
SELDOM, SELDOM_IN = (DestinationAway, Overlap, Twice, CredentialRefused), 6
"""Faults that are not drawn with the others, and in how many seeds each is: the database is held for a moment of real time, and a
credential that is refused ends the run."""
MOVING = (Inserted, Changed, Deleted, Spoilt)
"""Faults that change what the API has: who is killed begins with it anew."""
REPEATING = (SamePage, Overlap)
"""Faults by which a page comes twice. What was read before a run was cut short is not known by its content, and appended again."""
Way = list[tuple[str, str]]
"""The stations of a run in their order, each with its stream."""


class Played(msgspec.Struct, kw_only=True):
    """What came of a seed. `struck` counts faults by name and place; `possible` are those that concern this shape at all."""

    seed: int
    shape: str = ""
    parts: dict[str, str] = {}
    drawn: list[str] = []
    struck: Counter[str] = msgspec.field(default_factory=Counter)
    possible: list[str] = []
    station: str | None = None
    """Where it was killed."""
    problems: list[str] = []


async def played(seed: int, folder: Path, victims: Victims) -> Played:
    """Play what this seed draws; everything below `folder` is its own."""
    shape = drawn(seed)
    integration = shape.integration
    act = act_of(integration, seed)
    found = Played(seed=seed, shape=str(shape), parts=shape.parts)
    found.drawn = [f"{fault.name} at {fault.at} of {fault.place}" for fault in act.faults]
    found.possible = [str(kind.__struct_config__.tag) for kind in concerned(integration)]
    report, way = await _live(integration, act, folder / "whole")
    found.struck = Counter(seen.fault for seen in report.seen if seen.fault)
    found.problems = [*report.problems]
    if seed % KILLED == 0 and way and not report.problems:
        await _kill(found, act, way, folder, victims)
    return found


def act_of(integration: Integration, seed: int) -> Act:
    """The act that this seed draws for its shape: few records, several batches."""
    act = mixture(integration, seed)
    parents = {parent.stream for stream in integration.streams for parent in stream.parents}
    seldom = [
        kind(at=1 + mixed(seed * 7 + place) % 6)
        for place, kind in enumerate(SELDOM)
        if mixed(seed * 5 + place) % SELDOM_IN == 0 and kind.concerns(integration)
    ]
    faults = [fault for fault in (*act.faults, *seldom) if seed % KILLED or not isinstance(fault, MOVING)]
    if any(stream.into.write != "upsert" for stream in integration.streams):
        faults = [fault for fault in faults if not isinstance(fault, Twice)]  # every row is added
        ends = seed % KILLED == 0 or any(fault.fate == "told" for fault in faults if not isinstance(fault, REPEATING))
        faults = [fault for fault in faults if not (ends and isinstance(fault, REPEATING))]
    return msgspec.structs.replace(
        act,
        sizes={name: PARENTS if name in parents else min(size, RECORDS) for name, size in act.sizes.items()},
        faults=tuple(faults),
        together=BATCHES[mixed(seed * 3) % len(BATCHES)],
        remembered=seed % KILLED == 0,
    )


async def _live(integration: Integration, act: Act, folder: Path) -> tuple[ActReport, Way]:
    """Play it, and follow the way of the first run."""
    way: Way = []
    runs = 0

    def follow(scope: Scope, event: Event) -> None:
        if runs == 1 and isinstance(event, Reached):
            way.append((scope.stream, event.station))

    async def runner(*words: Any, listeners: Sequence[Listener], **options: Any) -> Report:
        nonlocal runs
        runs += 1
        return await arun(*words, listeners=[*listeners, follow], **options)

    folder.mkdir(exist_ok=True)
    return await play(staged(integration, act.seed, folder), act, runner=runner), way


async def _kill(found: Played, act: Act, way: Way, folder: Path, victims: Victims) -> None:
    """Another life of the same act, that ends at a station of the first run; and the one after it, which makes it whole."""
    shape, at = drawn(act.seed), mixed(act.seed * 11) % len(way)
    station = way[at][1]
    kill = Kill(station=station, count=sum(name == station for _, name in way[: at + 1]))
    file, place = folder / "things.yaml", folder / "killed"
    file.write_text(shape.text)
    place.mkdir()
    told = {name: getattr(act, name) for name in ("seed", "sizes", "together", "remembered")}
    told |= {"faults": msgspec.to_builtins(act.faults), "scratch": None}
    ended = await victims.run(file, folder=place, kill=kill, play=told)
    if not ended.killed:  # it came to its end in another way than the first life
        found.problems += [f"to be killed at {kill}, it ended with {ended.exit_code}"] if ended.exit_code else []
        return
    found.station = station
    finished = {stream for stream, name in way[: at + 1] if name == "before finish"}
    append = {stream.name for stream in shape.integration.streams if stream.incremental is None}
    after = msgspec.structs.replace(act, ended=tuple(sorted(finished & append)))
    report, _ = await _live(shape.integration, after, place)
    found.problems += [f"killed at {kill}: {problem}" for problem in report.problems]
