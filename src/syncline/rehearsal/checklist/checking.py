"""The production checklist of one integration: acts played, runs killed, traces looked through, lines judged."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from syncline import __version__
from syncline.engine import Report, Stage, arun
from syncline.errors import LeaseError, UsageError
from syncline.events import Listener
from syncline.http import Send
from syncline.model import Request, Response
from syncline.rehearsal.acting import Act, Runner, is_cut, play
from syncline.rehearsal.checklist import credentials, records, requests, written
from syncline.rehearsal.checklist.findings import Findings
from syncline.rehearsal.checklist.kills import Kills, kill_everywhere
from syncline.rehearsal.checklist.line import LINES, Line
from syncline.rehearsal.checklist.programme import PRESSED, RIVALS, VOLUME, acts, pressed
from syncline.rehearsal.checklist.traces import Logging, Trace
from syncline.rehearsal.evidence import Rehearsal
from syncline.rehearsal.looks import shown
from syncline.rehearsal.scratch import Scratches, scratches, shown as shown_scratch
from syncline.rehearsal.simulator.blueprint import Blueprint
from syncline.rehearsal.staging import staged
from syncline.sources import HttpSource
from syncline.spec import Integration, load

SEED = 1
ENOUGH = 50_000
"""Records that are read for the line of the volume at most, unless more are asked for."""

JUDGES: dict[str, Callable[[Findings], Line]] = {
    "tokens": credentials.tokens,
    "limits": requests.limits,
    "retries": requests.retries,
    "pages": records.pages,
    "required": records.required,
    "resume": records.resume,
    "logs": written.logs,
    "secrets": written.secrets,
    "alerts": written.alerts,
    "volume": records.volume,
}


class Checked(Rehearsal, kw_only=True, omit_defaults=True):
    """A rehearsal that was judged: what it saw, and the checklist's lines."""

    syncline: str = __version__
    streams: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    kills: Kills | None = None

    @property
    def holds(self) -> bool:
        return all(line.holds for line in self.lines)


async def check(
    file: str | Path,
    *,
    seed: int = SEED,
    lines: Collection[str] = tuple(LINES),
    most: int = ENOUGH,
    logging: Logging | None = None,
    runner: Runner = arun,
    modules: Sequence[str] = (),
    like: Sequence[str] = (),
    scratch: str | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> Checked:
    """Judge these lines (default: all) of the integration in this file; `tell` hears what is under way.

    `most` records are read for the volume at most. `logging` makes the listener that writes logs. `runner` makes runs, and
    `modules` are imported by the process that makes runs to be killed: both for runs with a protection switched off. `like`
    and `scratch` are those of a rehearsal. Raises SpecError, UsageError for a source that cannot be rehearsed, and PlanError or
    StateError where scratch cannot be made.
    """
    integration = load(file)
    if not isinstance(integration.source, HttpSource):
        raise UsageError("only sources behind HTTP can be rehearsed", hint="syncline check FILE --lint finds mistakes")
    names = [name for name in LINES if name in lines]
    checked = Checked(
        file=str(file),
        integration=integration.name,
        streams=tuple(stream.name for stream in integration.streams),
        seed=seed,
        started_at=datetime.now(UTC),
    )
    began = time.monotonic()
    findings = Findings(integration=integration, seed=seed, trace=Trace(logging))
    blueprints = shown(integration, like)
    async with scratches(integration, scratch, str(file)) as rooms:
        this = _Checking(findings, rooms, blueprints, runner, tell)
        killing = asyncio.create_task(this.kill(Path(file), modules)) if _kills(names) else None
        try:
            for act in acts(integration, seed, names, _volume(integration, most)):
                if rooms.cuttable or not is_cut(act):
                    await this.play(act)
        finally:
            if killing is not None:
                findings.kills = await killing
    findings.trace.finish()
    checked.scratch, checked.instead = rooms.said, this.instead
    checked.guessed = {name: found.guessed for name, found in blueprints.items() if found.guessed}
    again = _again(str(file), seed, like, scratch)
    checked.lines = tuple(_judged(findings, name, again) for name in names)
    checked.acts, checked.kills = list(findings.acts.values()), findings.kills
    checked.seconds = time.monotonic() - began
    return checked


def _kills(names: Collection[str]) -> bool:
    return "resume" in names and hasattr(os, "fork")


def _volume(integration: Integration, most: int) -> int | None:
    return None if integration.volume is None else min(most, records.records_in(integration.volume))


def _again(file: str, seed: int, like: Sequence[str], scratch: str | None) -> str:
    """The command that shows a line again, but for the line's name."""
    words = ["syncline", "check", shlex.quote(file)]
    words += [] if seed == SEED else ["--seed", str(seed)]
    words += [word for path in like for word in ("--like", shlex.quote(path))]
    words += [] if scratch is None else ["--scratch", shlex.quote(shown_scratch(scratch))]
    return " ".join([*words, "--only"])


def _judged(findings: Findings, name: str, command: str) -> Line:
    again = f"{command} {name}"
    line = JUDGES[name](findings)
    if line.fix is not None and line.fix.startswith("--"):
        line = msgspec.structs.replace(line, fix=f"{again} {line.fix}")
    return msgspec.structs.replace(line, again=again)


class _Checking:
    def __init__(
        self,
        findings: Findings,
        rooms: Scratches,
        blueprints: dict[str, Blueprint],
        runner: Runner,
        tell: Callable[[str], None],
    ) -> None:
        self._findings, self._rooms, self._blueprints = findings, rooms, blueprints
        self._runner, self._tell = runner, tell
        self.instead: tuple[str, ...] = ()

    async def play(self, act: Act) -> None:
        """Play an act in a folder of its own, which is looked through and thrown away."""
        findings, trace = self._findings, self._findings.trace
        self._tell(act.name)
        large = act.name in (VOLUME, PRESSED, RIVALS)
        listener = None if large else trace.listener
        async with self._rooms.made(cut=is_cut(act)) as scratch:
            integration = pressed(findings.integration) if act.name == PRESSED else findings.integration
            stage = staged(integration, findings.seed, scratch.folder, self._blueprints, scratch)
            self.instead = stage.instead
            runner = heard_by(self._runner, listener)
            rivals = Rivals(runner) if act.name == RIVALS else None
            report = await play(stage, act, runner=rivals or runner)
            if rivals is not None:
                report.problems += rivals.problems
            findings.acts[act.name] = report
            if not large:
                trace.guard(stage, findings.seed, given=report.tokens > 0)
                trace.look_through(report, scratch)

    async def kill(self, file: Path, modules: Sequence[str]) -> Kills:
        findings = self._findings
        return await kill_everywhere(
            file,
            findings.integration,
            findings.seed,
            modules=modules,
            tell=self._tell_kill,
            scratches=self._rooms,
        )

    def _tell_kill(self, station: str) -> None:
        self._tell(f"resume: kill -9 at {station}")


class Rivals:
    """Makes a run, and in its midst another, which has to be sent away (R31)."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.problems: list[str] = []

    async def __call__(self, *arguments: Any, **options: Any) -> Report:
        stage: Stage = options.pop("stage")
        tried = False

        def held(send: Send) -> Send:
            async def sending(request: Request) -> Response:
                nonlocal tried
                if not tried:  # in the midst of the first run
                    tried = True
                    await self._try(*arguments, stage=stage, **options)
                return await send(request)

            return sending

        networks = {end: held(send) for end, send in stage.networks.items()}
        return await self._runner(*arguments, stage=msgspec.structs.replace(stage, networks=networks), **options)

    async def _try(self, *arguments: Any, **options: Any) -> None:
        try:
            await self._runner(*arguments, **options)
        except LeaseError:
            return
        self.problems.append("a second runner was let in while the first was under way")


def heard_by(runner: Runner, listener: Listener | None) -> Runner:
    """The same runs, with one listener more."""
    if listener is None:
        return runner

    async def run(*arguments: Any, listeners: Sequence[Listener], **options: Any) -> Report:
        return await runner(*arguments, listeners=[*listeners, listener], **options)

    return run
