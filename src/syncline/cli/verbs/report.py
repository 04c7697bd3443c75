"""`syncline report`: what a run did, as text, JSON or a page for a browser."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from syncline.cli.account import reported_block, summary
from syncline.cli.door import as_json
from syncline.cli.paint import paint
from syncline.cli.verbs.run import write_page
from syncline.engine import Report, opened_file_state
from syncline.errors import UsageError

MOST = 1_000


def main(arguments: argparse.Namespace) -> int:
    report = asyncio.run(_found(Path(arguments.file), arguments.run or ""))
    if arguments.output:
        write_page(report, Path(arguments.output))
    if arguments.json:
        sys.stdout.write(as_json(report.to_data()))
    elif arguments.output:
        print(f"wrote {arguments.output}")
    else:
        print("\n".join(summary(report, paint(sys.stdout))))
        if report.error is not None:
            print("\n" + reported_block(report.error, colour=paint(sys.stdout).on))
    return 0


async def _found(file: Path, beginning: str) -> Report:
    """The newest run whose id begins so. Raises UsageError."""
    async with opened_file_state(file) as (integration, state):
        runs = await state.runs.list(integration.name, limit=MOST)
    for run in runs:
        if run.id.startswith(beginning) and run.report is not None:
            return Report.from_data(run.report)
    known = ", ".join(run.id[:8] for run in runs[:5] if run.report) or "none has ended yet"
    what = (
        f"there is no run {beginning!r} of {integration.name}"
        if beginning
        else f"no run of {integration.name} has ended"
    )
    raise UsageError(what, hint=f"the last: {known}" if beginning else f"syncline run {file}")
