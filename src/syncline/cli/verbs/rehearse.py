"""`syncline rehearse`: the unchanged file against a simulator of its API, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.paint import Paint, is_terminal, paint, printable
from syncline.cli.progress import Stages, beating
from syncline.errors import UsageError
from syncline.model import SystemClock
from syncline.rehearsal.acting import Act
from syncline.rehearsal.evidence import ActReport, Rehearsal
from syncline.rehearsal.looks import shown
from syncline.rehearsal.plan import concerned, mixture, production_volume, volume
from syncline.rehearsal.rehearsal import Watch, ignore, rehearse
from syncline.rehearsal.scratch import shown as shown_scratch
from syncline.rehearsal.simulator.seen import Seen
from syncline.spec import load

SHOWN = 3
"""Problems of an act that are shown."""


def main(arguments: argparse.Namespace) -> int:
    if arguments.serve:
        if arguments.scratch is not None:
            raise UsageError("--serve writes nothing, so there is no scratch to make", hint="leave --scratch out")
        return asyncio.run(_serve(arguments))
    rehearsal = asyncio.run(_rehearsed(arguments))
    _store(as_json(rehearsal.to_data()), Path(arguments.output))
    if arguments.html is not None:
        from syncline.rehearsal.report import page  # late: needed where it is asked for

        _store(redacted_text(page(rehearsal)), Path(arguments.html))
    if arguments.json:
        sys.stdout.write(as_json(rehearsal.to_data()))
    else:
        print("\n".join(_summary(rehearsal, arguments, paint(sys.stdout))))
    return 0 if rehearsal.holds else 1


async def _rehearsed(arguments: argparse.Namespace) -> Rehearsal:
    """With a line on stderr for each act; where an act takes long and nobody sees it begin, also every ten seconds."""
    live, clock = is_terminal(sys.stderr), SystemClock()
    stages = Stages(load(arguments.file).name, clock)
    watch = ignore if arguments.quiet else _watching(paint(sys.stderr), stages, live=live)
    async with AsyncExitStack() as stack:
        if not live and not arguments.quiet:
            await stack.enter_async_context(beating(sys.stderr, clock, stages.data, json=arguments.json))
        return await rehearse(
            arguments.file,
            seed=arguments.seed,
            faults=_names(arguments),
            records=arguments.records,
            like=arguments.like,
            scratch=arguments.scratch,
            watch=watch,
        )


def _names(arguments: argparse.Namespace) -> list[str] | None:
    return [name.strip() for name in arguments.faults.split(",") if name.strip()] if arguments.faults else None


async def _serve(arguments: argparse.Namespace) -> int:
    """Until Ctrl-C or SIGTERM. Faults strike only where they were asked for: as the seed draws them."""
    from syncline.cli.stopping import stopping
    from syncline.rehearsal.serving import serving  # late, both: needed here alone

    integration, brush = load(arguments.file), paint(sys.stderr)
    names = _names(arguments)
    act = volume(integration, arguments.seed, arguments.records or production_volume(integration))
    if names:
        drawn = mixture(integration, arguments.seed, concerned(integration, names))
        act = msgspec.structs.replace(act, faults=drawn.faults)
    folder = Path(".syncline/rehearsal").absolute()
    folder.mkdir(parents=True, exist_ok=True)

    def watch(seen: Seen) -> None:
        struck = f" {brush.warn(seen.fault)}" if seen.fault else ""
        records = f" {seen.records} records" if seen.records else ""
        sys.stderr.write(f"  {seen.status or '–'} {seen.method} {printable(seen.path)}{brush.dim(records)}{struck}\n")

    with stopping() as stop:
        known = shown(integration, arguments.like)
        async with serving(integration, act, folder, known, port=arguments.port or 0, watch=watch) as file:
            if arguments.json:
                sys.stdout.write(as_json({"file": str(file), "records": sum(act.sizes.values())}))
            else:
                place = file.relative_to(Path.cwd())
                print(f"{brush.bold(integration.name)}: {sum(act.sizes.values()):,} records, until Ctrl-C")
                print(f"  {brush.dim('run')}    syncline run {place}")
            sys.stdout.flush()
            await stop.wait()
    return 0


def _store(text: str, path: Path) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another file") from None


def _watching(brush: Paint, stages: Stages, *, live: bool) -> Watch:
    """A line for each act when it is over; on a terminal also which one is being played. `stages` are told of each."""

    def watch(number: int, count: int, act: Act, report: ActReport | None) -> None:
        if report is None:
            stages(act.name)
            if live:
                size = f" ({sum(act.sizes.values()):,} records)" if act.sizes else ""
                sys.stderr.write(f"\r\x1b[2K  {brush.dim(f'{number}/{count}')} {act.name}{size} …")
        else:
            sys.stderr.write(("\r\x1b[2K" if live else "") + "\n".join(_act_lines(report, brush)) + "\n")
        sys.stderr.flush()

    return watch


def _act_lines(report: ActReport, brush: Paint) -> list[str]:
    mark = brush.good("✓") if report.holds else brush.bad("✗")
    runs = len(report.passes)
    counted = f"{runs} {'run' if runs == 1 else 'runs'}, {report.requests:,} requests" if runs else ""
    became = f" · {report.struck[0].became}" if len(report.struck) == 1 else ""
    struck = f" · {len(report.struck)} faults struck" if len(report.struck) > 1 else ""
    said = f"{counted}{struck}{became}".removeprefix(" · ")
    lines = [f"  {mark} {report.name:<24} {brush.dim(printable(said))}"]
    lines += [f"      {brush.bad(printable(problem))}" for problem in report.problems[:SHOWN]]
    lines += [f"      {brush.dim(printable(note))}" for note in report.notes[:1]]
    if len(report.problems) > SHOWN:
        lines.append(f"      {brush.dim(f'and {len(report.problems) - SHOWN} more')}")
    return lines


def _summary(rehearsal: Rehearsal, arguments: argparse.Namespace, brush: Paint) -> list[str]:
    acts = rehearsal.acts
    requests, struck = sum(act.requests for act in acts), sum(len(act.struck) for act in acts)
    simulated = sum(act.simulated_seconds for act in acts)
    failed = [act for act in acts if not act.holds]
    verdict = (
        brush.good("every act holds") if not failed else brush.bad(f"{len(failed)} of {len(acts)} acts do not hold")
    )
    lines = [
        f"{brush.bold(rehearsal.integration)}: {verdict}",
        f"  {len(acts)} acts, {requests:,} requests, {struck} faults struck; {_hours(simulated)} on the simulator's clock, "
        f"{rehearsal.seconds:.1f} s here",
    ]
    lines += [f"  {brush.dim('note')}   {printable(what)}" for what in rehearsal.notes]
    lines.append(f"  {brush.dim('look')}   {arguments.output}")
    for act in failed[:SHOWN]:
        again = f"syncline rehearse {arguments.file} --seed {act.seed}"
        again += f" --scratch {shlex.quote(shown_scratch(arguments.scratch))}" if arguments.scratch else ""
        again += f" --faults {act.name}" if len(act.faults) == 1 else ""
        lines.append(f"  {brush.dim('again')}  {printable(again)}")
    return lines


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
