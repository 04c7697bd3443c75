"""The production checklist at a terminal: what is under way, then each line with its evidence."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.logs import log_listener
from syncline.cli.paint import Paint, is_terminal, paint, printable
from syncline.cli.progress import Stages, beating
from syncline.cli.verbs.alerts import tried
from syncline.errors import UsageError
from syncline.model import SystemClock
from syncline.model.names import did_you_mean
from syncline.model.units import span
from syncline.rehearsal.checklist import LINES, LIVE, Checked, Line, check, look
from syncline.rehearsal.report import page
from syncline.spec import load

Tell = Callable[[str], None]

MARKS = {"held": "✓", "failed": "✗", "not applicable": "–", "not tried": "?"}
NARROWEST, WIDEST = 60, 100
INDENT = 17
MOST_EVIDENCE = 4
"""Sentences of a line that held; the report has them all."""


def main(arguments: argparse.Namespace, file: Path, linted: list[dict[str, Any]]) -> int:
    """Check one file that has no mistakes; 1 where a line does not hold."""
    lines = _chosen(arguments.only or [], live=arguments.live)
    brush = paint(sys.stdout)
    checked = asyncio.run(_told(arguments, file, lines))
    if arguments.report is not None:
        _store(checked, Path(arguments.report))
    if arguments.json:
        found = {"ok": checked.holds, "files": linted, "checklist": checked.to_data()}
        sys.stdout.write(as_json(found))
    else:
        print("\n".join(summary(checked, brush)))
        if arguments.report is not None:
            print(f"  {brush.dim('look')}  {printable(str(Path(arguments.report) / 'rehearsal.html'))}")
    return 0 if checked.holds else 1


async def _told(arguments: argparse.Namespace, file: Path, lines: list[str]) -> Checked:
    """The same, with what is under way on stderr: at once on a terminal, every ten seconds elsewhere."""
    if not is_terminal(sys.stderr):
        stages = Stages(load(file).name, clock := SystemClock())
        async with beating(sys.stderr, clock, stages.data, json=arguments.json):
            return await _checked(arguments, file, lines, stages)
    try:
        return await _checked(arguments, file, lines, _telling(paint(sys.stderr)))
    finally:
        sys.stderr.write("\r\x1b[2K")


async def _checked(arguments: argparse.Namespace, file: Path, lines: list[str], tell: Tell) -> Checked:
    live = [name for name in lines if name in LIVE]
    looked: tuple[Line, ...] = ()
    if live:
        tell("live: two pages of each stream")
        looked = await look(file, lines=live)
    checked = await check(
        file,
        seed=arguments.seed,
        lines=lines,
        most=arguments.records,
        like=arguments.like,
        scratch=arguments.scratch,
        logging=lambda stream: log_listener("json", "debug", stream),
        tell=tell,
    )
    checked.lines += looked
    if arguments.test_alerts:
        tell("alerts: a test alert to each address")
        tries = await tried(load(file), file.resolve().parent)
        checked.lines = tuple(_tested(line, tries) if line.name == "alerts" else line for line in checked.lines)
    return checked


def _tested(line: Line, tries: list[dict[str, Any]]) -> Line:
    """The line of the alerts, with what came of a test alert to each address."""
    wrong = [f"{one['to']}: {one['error']['what']}" for one in tries if one["error"]]
    again = f"{line.again} --test-alerts"
    if wrong:
        return msgspec.structs.replace(line, status="failed", evidence=(*wrong, *line.evidence), again=again)
    if not tries:
        return line
    arrived = ", ".join(one["address"] for one in tries)
    return msgspec.structs.replace(line, evidence=(*line.evidence, f"a test alert arrived at {arrived}"), again=again)


def _chosen(asked: list[str], *, live: bool) -> list[str]:
    """The lines asked for; those of the real API only where somebody asks for them."""
    names = [name.strip() for text in asked for name in text.split(",") if name.strip()]
    known = (*LINES, *LIVE)
    for name in names:
        if name not in known:
            raise UsageError(f"there is no line {name!r}; {did_you_mean(name, known)}", hint="syncline check --help")
        if name in LIVE and not live:
            raise UsageError(f"the line {name!r} is the real API's to show", hint="add --live")
    return names or list(known if live else LINES)


def _telling(brush: Paint) -> Tell:
    count = 0

    def tell(what: str) -> None:
        nonlocal count
        count += 1
        room = shutil.get_terminal_size().columns - 12
        sys.stderr.write(f"\r\x1b[2K  {brush.dim(f'{count:>3}')}  {printable(what)[:room]} …")
        sys.stderr.flush()

    return tell


def _store(checked: Checked, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rehearsal.html").write_text(redacted_text(page(checked)), encoding="utf-8")
        (folder / "rehearsal.json").write_text(as_json(checked.to_data()), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}", hint="--report another/folder") from None


def summary(checked: Checked, brush: Paint) -> list[str]:
    """The lines in a terminal's width, and what they come to."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((80, 24)).columns))
    lines = [""]
    for line in checked.lines:
        lines += _line(line, width, brush)
    holding = sum(line.holds for line in checked.lines)
    total = f"{holding} of {len(checked.lines)} lines hold"
    effort = f"  {brush.dim(_effort(checked))}" if checked.acts else ""
    lines += ["", (brush.good(total) if checked.holds else brush.bad(total)) + effort]
    for what in checked.notes:
        first, *others = _wrapped(_clean(what), width - 8)
        lines += [f"  {brush.dim('note')}  {first}", *(f"        {more}" for more in others)]
    return lines


def _line(line: Line, width: int, brush: Paint) -> Iterator[str]:
    colours = {"held": brush.good, "failed": brush.bad, "not applicable": brush.dim, "not tried": brush.warn}
    mark = colours[line.status](MARKS[line.status])
    said = [_clean(one) for one in line.evidence[:MOST_EVIDENCE]]
    if line.status == "not applicable":
        said = [f"not applicable: {said[0]}", *said[1:]]
    elif line.status == "not tried":
        said = [f"not tried: {said[0]}", *said[1:]]
    pieces = [piece for one in said for piece in _wrapped(one, width - INDENT)]
    yield f"  {mark} {brush.bold(line.name)}{' ' * (INDENT - 4 - len(line.name))}{line.what}"
    for piece in pieces:
        yield f"{' ' * INDENT}{brush.dim(piece)}" if line.holds else f"{' ' * INDENT}{piece}"
    if line.fix is not None:
        yield f"{' ' * (INDENT - 6)}{brush.dim('fix')}   {_clean(line.fix)}"
    if line.status == "failed":
        yield f"{' ' * (INDENT - 7)}{brush.dim('again')}  {_clean(line.again)}"


def _wrapped(text: str, room: int) -> list[str]:
    if text.startswith("{"):  # a line of a log, shown as it is and as far as there is room
        return [text if len(text) <= room else text[: room - 1] + "…"]
    return textwrap.wrap(text, room) or [""]


def _clean(text: str) -> str:
    return printable(redacted_text(text)).replace("\n", " ")


def _effort(checked: Checked) -> str:
    runs = sum(len(act.passes) for act in checked.acts)
    faults = sum(len(act.struck) for act in checked.acts)
    kills = len(checked.kills.killed) if checked.kills else 0
    return f"{runs} runs, {faults} faults, {kills} kills in {span(checked.seconds)}"
