"""A whole rehearsal: every act in a folder of its own, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncline.engine import arun
from syncline.errors import UsageError
from syncline.model import MalformedBody, decode_json
from syncline.rehearsal.acting import Act, Runner, play
from syncline.rehearsal.checklist.kills import kill_everywhere
from syncline.rehearsal.evidence import ActReport, Rehearsal
from syncline.rehearsal.kills import KILL, can_kill, kill_acts
from syncline.rehearsal.plan import acts_of
from syncline.rehearsal.simulator.blueprint import Blueprint, blueprint_of
from syncline.rehearsal.simulator.likeness import likeness_of
from syncline.rehearsal.simulator.world import child_keys
from syncline.rehearsal.staging import staged
from syncline.sources import HttpSource
from syncline.spec import Integration, load
from syncline.spec.yaml_text import read

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
    acts: Sequence[Act] | None = None,
    runner: Runner = arun,
    watch: Watch = ignore,
) -> Rehearsal:
    """Rehearse an integration, or the one in a file, which is not changed; nothing is asked over the network.

    Only a file can be killed at its stations, because processes of their own read it.

    `faults` are names (default: all), `records` those of the volume act (default: what the file's `volume` says); `acts` take
    the place of both. `like` names files that show what records look like, `FILE` or `STREAM=FILE`. Raises SpecError, and
    UsageError for a fault or a source that cannot be rehearsed.
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
    with tempfile.TemporaryDirectory(prefix="syncline-rehearsal-") as folder:
        for number, act in enumerate(chosen, 1):
            watch(number, len(chosen), act, None)
            place = Path(folder) / str(number)
            place.mkdir()
            on_stage = staged(integration, act.seed, place, blueprints)
            rehearsal.instead = on_stage.instead
            report = await play(on_stage, act, runner=runner)
            rehearsal.acts.append(report)
            watch(number, len(chosen), act, report)
        if acts is None and file and can_kill() and (faults is None or KILL in faults):
            await _kill(rehearsal, integration, Path(folder) / KILL, watch)
    rehearsal.guessed = {name: found.guessed for name, found in blueprints.items() if found.guessed}
    rehearsal.seconds = time.monotonic() - began
    return rehearsal


async def _kill(rehearsal: Rehearsal, integration: Integration, folder: Path, watch: Watch) -> None:
    """Kill runs of the rehearsal's file at every station."""
    folder.mkdir()

    def tell(name: str, report: ActReport | None = None) -> None:
        number = len(rehearsal.acts) + (report is None)
        watch(number, number, Act(name=name, seed=rehearsal.seed, sizes={}), report)

    kills = await kill_everywhere(
        Path(rehearsal.file),
        integration,
        rehearsal.seed,
        folder=folder,
        modules=(),
        tell=lambda station: tell(f"kill: {station}"),
    )
    for report in kill_acts(kills, rehearsal.seed):
        rehearsal.acts.append(report)
        tell(report.name, report)


def shown(integration: Integration, like: Sequence[str]) -> dict[str, Blueprint]:
    """How the records of those streams look of which the files (`FILE` or `STREAM=FILE`) say something. Raises UsageError."""
    names = [stream.name for stream in integration.streams]
    found: dict[str, Blueprint] = {}
    for text in like:
        name, equals, path = text.partition("=") if text.partition("=")[0] in names else ("", "", text)
        document = _document(Path(path))
        for stream in integration.streams:
            likeness = likeness_of(document, stream) if not equals or name == stream.name else {}
            if likeness:
                found[stream.name] = blueprint_of(stream, child_keys(integration.streams, stream.name), likeness)
    if like and not found:
        raise UsageError(
            "the files given with --like say nothing of these streams",
            hint=f"give a recorded answer as STREAM=FILE ({names[0]}={like[0]}), a JSON Schema, or an OpenAPI document",
        )
    return found


def _document(path: Path) -> Any:
    try:
        text = path.read_bytes()
        return read(text, str(path)).data if path.suffix in (".yaml", ".yml") else decode_json(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check its name") from None
    except MalformedBody as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="give JSON, or YAML in a file named so") from None
