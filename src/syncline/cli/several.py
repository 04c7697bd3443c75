"""`syncline run` of several files, or of a folder: side by side, one line each."""

from __future__ import annotations

import argparse
import asyncio
import sys

from syncline import events
from syncline.cli.account import MARKS
from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import find_files
from syncline.cli.paint import Paint, aligned, paint, printable
from syncline.cli.stopping import stopping
from syncline.engine import Report, arun_many
from syncline.errors import UsageError
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile

FOR_ONE = ("stream", "limit", "allow_deletes", "report")


def run_several(arguments: argparse.Namespace) -> int:
    """The worst exit code of all. Raises UsageError for options that are about one integration."""
    for name in FOR_ONE:
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')} is for one file", hint="name one integration file")
    reports = asyncio.run(_run(arguments))
    if arguments.json:
        sys.stdout.write(as_json([report.to_data() for report in reports]))
    else:
        print("\n".join(_lines(reports, paint(sys.stdout))))
    return max(report.exit_code for report in reports)


async def _run(arguments: argparse.Namespace) -> list[Report]:
    home = Home()
    log_file = LogFile(home)
    listeners: list[events.Listener] = [log_file]
    if arguments.log_format != "none":
        from syncline.cli.logs import log_listener  # late: structlog takes longer to import than a small run lasts

        listeners.append(log_listener(arguments.log_format, arguments.log_level, sys.stderr))
    try:
        with stopping() as stop:
            files = find_files([arguments.file, *arguments.others])
            reports = await arun_many(
                files, at_once=arguments.at_once, full=arguments.full, listeners=listeners, stop=stop
            )
    finally:
        log_file.close()
    for report in reports:
        home.try_to_keep_report(report)
    return reports


def _lines(reports: list[Report], brush: Paint) -> list[str]:
    rows = [["", "integration", "status", "read", "written", "rejected", ""]]
    for report in reports:
        account = report.account
        counts = [f"{count:,}" for count in (account.read, account.written, account.rejected)]
        why = redacted_text(report.error["what"]) if report.error else ""
        rows.append([MARKS.get(report.status, "✗"), report.integration, report.status, *counts, printable(why)])
    return aligned(rows, right=frozenset({3, 4, 5}), brush=brush)
