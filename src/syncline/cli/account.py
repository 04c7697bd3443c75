"""What a run did, for people: the account, what the API threw, and where the data is now."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from syncline.cli.door import block, redacted_error, redacted_text
from syncline.cli.paint import Paint, aligned, printable
from syncline.engine import Conduct, Report
from syncline.errors import SynclineError
from syncline.model.units import many, span
from syncline.spec import Integration

MARKS = {"done": "✓", "partial": "◐", "deferred": "◷", "interrupted": "■"}
_COUNTS = ("read", "written", "unchanged", "rejected", "filtered")
"""What adds up; rows deleted are said in the last column, where there are any."""


def summary(report: Report, brush: Paint) -> list[str]:
    """One table row a stream, whose counts add up, and one line of what passed between us and the API."""
    mark = MARKS.get(report.status, "✗")
    colour = {"✓": brush.good, "✗": brush.bad}.get(mark, brush.warn)
    title = f"{colour(mark)} {brush.bold(report.integration)} {report.status} in {span(report.seconds)}"
    lines = [f"{title}  {brush.dim(f'run {report.run_id}')}", ""]
    rows = [["stream", "mode", *_COUNTS, "", ""]]
    for stream in report.streams:
        account = stream.account
        mode = f"{stream.sync_mode}{', resumed' if stream.resumed else ''}"
        ending = "" if stream.status == "done" else stream.status
        if account.deleted:
            ending = f"{account.deleted:,} deleted{f', {ending}' if ending else ''}"
        rows.append(
            [stream.name, mode, *(f"{getattr(account, name):,}" for name in _COUNTS), _check(account.adds_up), ending]
        )
    lines += aligned(rows, right=frozenset(range(2, 7)), brush=brush)
    for stream in report.streams:
        if stream.account.in_doubt:
            lines.append(f"  {stream.name}: {stream.account.in_doubt:,} in doubt; syncline outbox list FILE shows them")
    lines += ["", *_labelled("api", conduct_line(report.conduct), brush)]
    for stream in report.streams:
        for note in stream.notices[:3]:
            lines += _labelled("note", redacted_text(f"{stream.name}: {note}"), brush)
    if report.status == "interrupted":
        lines.append(f"  {brush.dim('next')}   run it again: it goes on from the last checkpoint")
    if report.until:
        lines.append(
            f"  {brush.dim('until')}  {report.until:%Y-%m-%d %H:%M:%S} UTC: run again then; it goes on from here"
        )
    return lines


def _labelled(label: str, text: str, brush: Paint) -> list[str]:
    """One line, or on a terminal as many as it takes there."""
    room = max(40, shutil.get_terminal_size().columns - 16) if brush.on else len(text) + 1
    first, *rest = textwrap.wrap(printable(text).replace("\n", " "), room) or [""]
    return [f"  {brush.dim(label)}{' ' * (7 - len(label))}{first}", *(f"{' ' * 9}{line}" for line in rest)]


def _check(adds_up: bool) -> str:
    return "adds up" if adds_up else "≠ does not add up: please report this"


def conduct_line(conduct: Conduct) -> str:
    """`27 requests · 3 retries · 1 × 429 · 1 × 5xx · 2 broken · 2 tokens · waited 1.2 s`."""
    parts = [
        many(conduct.requests, "request"),
        many(conduct.retries, "retry", "retries"),
        f"{conduct.rate_limited} × 429",
        f"{conduct.server_errors} × 5xx",
        f"{conduct.broken} broken",
        f"{many(conduct.tokens, 'token')} obtained",
    ]
    if conduct.waited >= 0.1:
        parts.append(f"waited {span(conduct.waited)}")
    return " · ".join(parts)


def reported_block(error: dict[str, Any], *, colour: bool) -> str:
    """The error that a report holds as data, as the block that people know."""
    told = type("Told", (SynclineError,), {"code": str(error["code"])})
    fields = {name: error.get(name) for name in ("hint", "evidence", "cause")}
    where = {name: value for name, value in error.get("where", {}).items() if name not in ("what", *fields)}
    return block(redacted_error(told(str(error["what"]), **fields, **where)), colour=colour)


def ways_to_look(integration: Integration) -> list[str]:
    """Commands that show the data, where the destination says openly where it is."""
    data = integration.destination.to_data()
    url = str(data.get("url", ""))
    if url.startswith("sqlite:///") and "${" not in url:
        tables = [stream.into.table or stream.name for stream in integration.streams]
        return [look_into_sqlite(url.removeprefix("sqlite:///"), first_rows(table)) for table in tables[:3]]
    path = str(data.get("path", ""))
    if path and "${" not in path:
        above = path.partition("{")[0].rpartition("/")[0] or "."
        return [f"ls -R {shlex.quote(above)}" if "{" in path else f"ls -l {shlex.quote(path)}"]
    return []


def first_rows(table: str, *, columns: str = "*", order: str = "") -> str:
    """A query for a person to run."""
    name = table if table.isidentifier() else '"' + table.replace('"', '""') + '"'
    return f"SELECT {columns} FROM {name}{order} LIMIT 5"  # noqa: S608 – shown, never run by us


def look_into_sqlite(path: str, query: str) -> str:
    """A command that runs a query: with sqlite3 where it is installed, else with Python alone."""
    if shutil.which("sqlite3"):
        return f"sqlite3 -box {shlex.quote(path)} {shlex.quote(query)}"
    program = f"import sqlite3; [print(*row) for row in sqlite3.connect({str(Path(path))!r}).execute({query!r})]"
    return f"{shlex.quote(Path(sys.executable).name)} -c {shlex.quote(program)}"


def own_name() -> str:
    """How this program can be called again: by its name where that is on the path, else by where it lies."""
    if shutil.which("syncline"):
        return "syncline"
    here = Path(sys.argv[0])
    try:
        here = here.resolve().relative_to(Path.cwd())
    except ValueError:
        pass
    return shlex.quote(str(here))
