"""`syncline schedule`: when integrations run next, and what is asked of the server that runs them."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from syncline.cli.door import as_json
from syncline.cli.files import find_files
from syncline.cli.paint import aligned, paint
from syncline.errors import UsageError
from syncline.operate.home import Home
from syncline.spec import load


def main(arguments: argparse.Namespace) -> int:
    return _list(arguments) if arguments.act == "list" else _ask(arguments)


def _list(arguments: argparse.Namespace) -> int:
    now, paused = datetime.now(UTC), Home().wishes().paused
    found: list[dict[str, Any]] = []
    for path in find_files(arguments.paths):
        integration = load(path)
        schedule, moment = integration.schedule, now
        moments: list[datetime] = []
        while schedule is not None and len(moments) < arguments.times:
            moment = schedule.after(moment)
            moments.append(moment)
        found.append(
            {
                "integration": integration.name,
                "file": str(path),
                "schedule": None if schedule is None else str(schedule),
                "paused": integration.name in paused,
                "next": moments,
            }
        )
    if arguments.json:
        sys.stdout.write(as_json({"integrations": found}))
        return 0
    rows = [["integration", "schedule", "next (UTC)"]]
    for one in found:
        times = ", ".join(f"{moment:%a %d %b %H:%M:%S}" for moment in one["next"])
        rows.append([one["integration"], one["schedule"] or "by hand", "paused" if one["paused"] else times or "-"])
    print("\n".join(aligned(rows, brush=paint(sys.stdout), pad="")))
    return 0


def _ask(arguments: argparse.Namespace) -> int:
    wishes = Home().wishes()
    act = {"pause": wishes.pause, "resume": wishes.resume, "now": wishes.run_now}[arguments.act]
    for name in arguments.names:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{name!r} is no integration's name", hint="syncline schedule list DIR shows them")
        act(name)
    if arguments.json:
        sys.stdout.write(as_json({"act": arguments.act, "integrations": arguments.names}))
    else:
        print(
            f"{arguments.act}: {', '.join(arguments.names)}; the server that runs from this folder does it within a second"
        )
    return 0
