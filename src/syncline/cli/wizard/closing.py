"""What a new project is, and what to do next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from syncline.cli.door import redacted_text
from syncline.cli.paint import Paint, printable
from syncline.generate.document.names import name_of
from syncline.generate.document.sections import way_of_auth
from syncline.generate.project import Draft, variables
from syncline.model import kind_of
from syncline.pagination import Unpaged
from syncline.spec import Integration

WIDTH = 78
MOST_UNKNOWN = 6


def closing(draft: Draft, folder: Path, steps: Sequence[tuple[str, str]], brush: Paint) -> list[str]:
    """The summary and the next steps, at most eighty columns wide."""
    integration = draft.integration
    lines = ["", f"{brush.good('✓')} {brush.bold(integration.name)} is written to {folder}", ""]
    for name, value in _facts(integration):
        first, *rest = textwrap.wrap(printable(redacted_text(value)), WIDTH - 18) or [""]
        lines += [f"  {brush.dim(f'{name:<16}')}{first}", *(f"{' ' * 18}{line}" for line in rest)]
    if draft.unknown:
        lines += ["", f"  {brush.warn('Not found out')}"]
        for line in draft.unknown[:MOST_UNKNOWN]:
            lines += textwrap.wrap(
                printable(redacted_text(line)), WIDTH - 4, initial_indent="  · ", subsequent_indent="    "
            )
        if len(draft.unknown) > MOST_UNKNOWN:
            lines.append(f"  {brush.dim(f'… and {len(draft.unknown) - MOST_UNKNOWN} more, each in the file')}")
    if draft.left_out:
        names = f"Not taken: {', '.join(draft.left_out[:30])}"
        lines += ["", *(f"  {brush.dim(printable(line))}" for line in textwrap.wrap(names, WIDTH - 4))]
    lines += ["", f"  {brush.bold('Next')}"]
    width = max(len(command) for command, _ in steps) + 2
    for number, (command, why) in enumerate(steps, 1):
        fits = 4 + width + len(why) <= WIDTH + 2
        lines.append(f"  {brush.name(str(number))} {command:<{width}}{brush.dim(why) if fits else ''}".rstrip())
    return lines


def next_steps(integration: Integration, folder: Path, files: Iterable[str]) -> list[tuple[str, str]]:
    """Commands in their order, each with what it is for."""
    written = list(files)
    file = next(path for path in written if path.endswith((f"{integration.name}.yaml", "/integration.py")))
    steps = [] if folder.resolve() == Path.cwd().resolve() else [(f"cd {shlex.quote(str(folder))}", "")]
    if variables(integration):
        steps.append(("cp .env.example .env", "fill in the credentials"))
    steps += [(f"syncline preview {file}", "source beside mapped record")]
    if file.endswith(".py"):
        steps.append(("pytest", "offline, over made-up answers"))
    elif any(path.startswith("recordings/") for path in written):
        steps.append((f"syncline test {file}", "offline, without credentials"))
    return [
        *steps,
        (f"syncline plan {file}", "what a run would change"),
        (f"syncline run {file} --limit 100", "a small first run"),
        (f"syncline rehearse {file}", "faults, before they happen"),
        *([] if file.endswith(".py") else [("syncline serve .", "on its schedule")]),
    ]


def _facts(integration: Integration) -> list[tuple[str, str]]:
    source = integration.source
    limits = ", ".join(map(str, source.rate_limit.limits)) if hasattr(source, "rate_limit") else ""
    paging = dict.fromkeys(
        "one answer" if isinstance(stream.pagination, Unpaged) else kind_of(type(stream.pagination))
        for stream in integration.streams
    )
    moving = [stream.name for stream in integration.streams if stream.incremental is not None]
    whole = [stream.name for stream in integration.streams if stream.incremental is None]
    state = [f"incremental: {', '.join(moving)}"] if moving else []
    state += [f"read whole: {', '.join(whole)}"] if whole else []
    return [
        ("Integration", f"{name_of(source)} → {name_of(integration.destination)}, {integration.direction}"),
        ("Entities", ", ".join(stream.name for stream in integration.streams)),
        ("Authentication", way_of_auth(source)),
        ("Rate limiting", limits or "none written down; Retry-After and quota headers are obeyed"),
        ("Pagination", ", ".join(paging)),
        ("Sync state", "; ".join(state)),
        ("Runs", str(integration.schedule or "by hand")),
    ]
