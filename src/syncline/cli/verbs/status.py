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
from syncline.engine import opened_file_state
from syncline.errors import LeaseError
from syncline.model.units import span
from syncline.spec import Integration, Stream
from syncline.state import RunRecord, StateStore, StreamState

MOST_REJECTS = 1_000
MOST_RUNS = 50
"""Runs among which the last complete one is looked for."""
TONES = {"done": "good", "failed": "bad", "running": "name"}


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
        runs = await state.runs.list(integration.name, limit=MOST_RUNS)
        streams = [await stream_status(integration, stream, state) for stream in integration.streams]
        return {
            "integration": integration.name,
            "file": str(path),
            "last_run": _run_data(runs[0]) if runs else None,
            "freshness": _freshness(integration, runs, datetime.now(UTC)),
            "streams": streams,
        }


def _freshness(integration: Integration, runs: list[RunRecord], now: datetime) -> dict[str, Any]:
    """How old the data is beside what is allowed, in seconds, and when it is due again."""
    fresh_at = next((run.finished for run in runs if run.status == "done" and run.finished), None)
    age, target = None if fresh_at is None else (now - fresh_at).total_seconds(), integration.target(now)
    schedule = integration.schedule
    return {
        "age": age,
        "target": target,
        "stale": target is not None and (age is None or age > target),
        "schedule": None if schedule is None else str(schedule),
        "next": None if schedule is None or schedule.realtime else schedule.after(now),
    }


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
    lines = [f"{brush.bold(one['integration'])}  {_ran(one['last_run'], now, brush)}  {brush.dim(one['file'])}"]
    lines += [f"  {line}" for line in _fresh(one["freshness"], now, brush)]
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


def _ran(last: dict[str, Any] | None, now: datetime, brush: Paint) -> str:
    if last is None:
        return brush.dim("never run")
    status = getattr(brush, TONES.get(last["status"], "warn"))(last["status"])
    return f"last run {status}, started {span((now - last['started']).total_seconds())} ago"


def _fresh(fresh: dict[str, Any], now: datetime, brush: Paint) -> list[str]:
    """`fresh: 4 min old of 38 min allowed · every 15 minutes, next in 11 min`."""
    age, target, parts = fresh["age"], fresh["target"], []
    if age is not None:
        word = brush.bad("stale") if fresh["stale"] else brush.good("fresh") if target is not None else "data"
        parts.append(f"{word}: {span(age)} old" + (f" of {span(target)} allowed" if target is not None else ""))
    if fresh["schedule"] is not None:
        due = f", next in {span((fresh['next'] - now).total_seconds())}" if fresh["next"] else ""
        parts.append(brush.dim(f"{fresh['schedule']}{due}"))
    return [" · ".join(parts)] if parts else []
