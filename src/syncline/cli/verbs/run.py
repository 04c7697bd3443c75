"""`syncline run`: one sync, watched, stopped in good order where somebody asks for it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from syncline import events
from syncline.cli.door import as_json
from syncline.cli.paint import is_terminal, paint, printable
from syncline.cli.stopping import stopping
from syncline.cli.telemetry import telemetry
from syncline.engine import Report, arun
from syncline.errors import UsageError
from syncline.model import SystemClock
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile
from syncline.spec import load


def main(arguments: argparse.Namespace) -> int:
    # looking for rings among what stays to the end anyway would cost a tenth of the run's CPU
    gc.freeze()
    if arguments.others or Path(arguments.file).is_dir():
        from syncline.cli.several import run_several  # late: most runs are of one file

        return run_several(arguments)
    report = asyncio.run(_run(arguments))
    if arguments.report:
        write_page(report, Path(arguments.report))
    if arguments.json:
        sys.stdout.write(as_json(report.to_data()))
        return report.exit_code
    from syncline.cli.account import reported_block, summary, ways_to_look  # late: programs do not read it

    print("\n".join(summary(report, paint(sys.stdout))))
    if report.status == "done":
        brush = paint(sys.stdout)
        for command in ways_to_look(load(Path(arguments.file))):
            print(f"  {brush.dim('look')}   {printable(command)}")
    sys.stdout.flush()
    if report.error is not None:
        sys.stderr.write("\n" + reported_block(report.error, colour=paint(sys.stderr).on) + "\n")
    return report.exit_code


def write_page(report: Report, path: Path) -> None:
    """The report as a page for a browser. Raises UsageError where it cannot be written."""
    # late: most runs write none
    from syncline.operate.pages.report import report_page
    from syncline.operate.served import redacted

    try:
        path.write_text(report_page(redacted(report)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


async def _run(arguments: argparse.Namespace) -> Report:
    clock, home = SystemClock(), Home()
    log_file = LogFile(home)
    listeners: list[events.Listener] = [log_file]
    logs = arguments.log_format != "none"
    if logs:
        from syncline.cli.logs import log_listener  # late: structlog takes longer to import than a small run lasts

        listeners.append(log_listener(arguments.log_format, arguments.log_level, sys.stderr))
    async with AsyncExitStack() as stack:
        if not arguments.no_progress and not (logs and is_terminal(sys.stderr)):
            from syncline.cli.progress import showing

            as_lines = arguments.json or arguments.log_format == "json"
            listeners.append(await stack.enter_async_context(showing(sys.stderr, clock, json=as_lines)))
        stack.callback(log_file.close)
        if arguments.otel:
            listeners.append(stack.enter_context(telemetry()))
        with stopping() as stop:
            report = await arun(
                arguments.file,
                streams=arguments.stream,
                full=arguments.full,
                limit=arguments.limit,
                allow_deletes=arguments.allow_deletes,
                clock=clock,
                listeners=listeners,
                stop=stop,
            )
    home.try_to_keep_report(report)
    return report
