"""`syncline status`: when each stream last ran, how far it is, what it could not take."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncline.cli.account import own_name
from syncline.cli.door import as_json
from syncline.cli.files import find_files
from syncline.cli.paint import Paint, aligned, paint, printable
from syncline.cli.progress import span
from syncline.engine import opened_file_state
from syncline.errors import LeaseError
from syncline.spec import Integration, Stream
from syncline.state import RunRecord, StateStore, StreamState

MOST_REJECTS = 1_000


def main(arguments: argparse.Namespace) -> int:
    found = asyncio.run(_all(find_files(arguments.paths)))
    if arguments.json:
        sys.stdout.write(as_json({"integrations": found}))
    else:
        brush = paint(sys.stdout)
        print("\n\n".join("\n".join(_lines(one, datetime.now(UTC), brush)) for one in found))
    return LeaseError.exit_code if any("busy" in one for one in found) else 0


async def _all(paths: list[Path]) -> list[dict[str, Any]]:
    found = []
    for path in paths:
        try:
            found.append(await _one(path))
        except LeaseError as error:  # a file that one process has at a time; the others can still be told about
            busy = f"{error.what}: it is being written, and can be asked when that is done"
            found.append({"integration": path.stem, "file": str(path), "last_run": None, "streams": [], "busy": busy})
    return found


async def _one(path: Path) -> dict[str, Any]:
    async with opened_file_state(path) as (integration, state):
        runs = await state.runs.list(integration.name, limit=1)
        streams = [await stream_status(integration, stream, state) for stream in integration.streams]
        last = _run_data(runs[0]) if runs else None
        return {"integration": integration.name, "file": str(path), "last_run": last, "streams": streams}


def _run_data(run: RunRecord) -> dict[str, Any]:
    return {"run_id": run.id, "status": run.status, "started": run.started, "finished": run.finished}


async def stream_status(integration: Integration, stream: Stream, state: StateStore) -> dict[str, Any]:
    """One stream's state as data; a run whose process is gone is `interrupted`, not running."""
    known = await state.load(integration.state_key(stream))
    rejects = await state.dead_letters.list(known.key, limit=MOST_REJECTS)
    in_doubt = await state.outbox.count(known.key, "in_doubt")
    return {
        "stream": stream.name,
        "status": status_of(known),
        "cursor": known.checkpoint.cursor,
        "unfinished": known.checkpoint.resume is not None,
        "last_sync_at": known.last_sync_at,
        "items_synced": known.items_synced,
        "open_rejects": len(rejects),
        "in_doubt": in_doubt,
        "error": known.error,
    }


def status_of(known: StreamState) -> str:
    if known.status == "running" and known.owner is not None and known.owner.is_dead():
        return "interrupted"
    return known.status if known.last_sync_at or known.run_id or known.error else "never run"


def _lines(one: dict[str, Any], now: datetime, brush: Paint) -> list[str]:
    if "busy" in one:
        return [f"{brush.bold(one['integration'])}  {printable(one['busy'])}  {brush.dim(one['file'])}"]
    last = one["last_run"]
    if last is None:
        ran = "never run"
    else:
        ran = f"last run {last['status']}, started {span((now - last['started']).total_seconds())} ago"
    lines = [f"{brush.bold(one['integration'])}  {ran}  {brush.dim(one['file'])}"]
    rows = [["stream", "status", "data up to", "last sync", "written", "rejects"]]
    for stream in one["streams"]:
        synced = stream["last_sync_at"]
        count = stream["open_rejects"]
        rows.append(
            [
                stream["stream"],
                stream["status"],
                "-" if stream["cursor"] is None else str(stream["cursor"]),
                f"{span((now - synced).total_seconds())} ago" if synced else "-",
                f"{stream['items_synced']:,}",
                f"{count:,}{'+' if count == MOST_REJECTS else ''}" if count else "-",
            ]
        )
    lines += aligned(rows, right=frozenset((4, 5)), brush=brush)
    for stream in one["streams"]:
        if stream["error"]:
            lines.append(f"  {brush.bad(stream['stream'])}: {printable(stream['error'])}")
        if stream["open_rejects"]:
            look = f"{own_name()} rejects list {shlex.quote(str(one['file']))}"
            lines.append(f"  {stream['stream']}: {look} shows what was rejected and why")
        if stream["in_doubt"]:
            look = f"{own_name()} outbox list {shlex.quote(str(one['file']))}"
            lines.append(f"  {stream['stream']}: {stream['in_doubt']:,} in doubt; {look}")
    return lines
