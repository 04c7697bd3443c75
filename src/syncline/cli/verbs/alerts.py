"""`syncline alerts`: try the addresses that an integration's alerts go to."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.door import as_json, redacted_text
from syncline.cli.paint import paint, printable
from syncline.errors import SynclineError, UsageError
from syncline.model import SystemClock
from syncline.operate.alerts.channels import deliver, shown
from syncline.operate.alerts.teller import address_of, example
from syncline.spec import Alert, Integration, load


def main(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    integration = load(path)
    if not integration.alerts:
        raise UsageError(f"{path} has no alerts", hint='alerts: [{to: "${SLACK_WEBHOOK}", on: [failed, stale]}]')
    found = asyncio.run(tried(integration, path.resolve().parent))
    failed = any(one["error"] for one in found)
    if arguments.json:
        sys.stdout.write(as_json({"alerts": found}))
        return int(failed)
    brush = paint(sys.stdout)
    for one in found:
        mark = brush.bad("✗") if one["error"] else brush.good("✓")
        print(f"{mark} {printable(one['to'])}  {one['address'] or ''}  {brush.dim(', '.join(one['on']))}")
        if one["error"]:
            print(f"    {printable(redacted_text(one['error']['what']))}")
            print(f"    {brush.dim('fix')} {printable(one['error'].get('hint') or 'see that the address is right')}")
    return int(failed)


async def tried(integration: Integration, folder: Path) -> list[dict[str, Any]]:
    """What came of a test alert to each address, and of the word that it is over."""
    return [await _try(integration, alert, folder) for alert in integration.alerts]


async def _try(integration: Integration, alert: Alert, folder: Path) -> dict[str, Any]:
    clock, address, error = SystemClock(), None, None
    try:
        address = await address_of(alert, folder)
        message = example(integration.name, clock.now())
        await deliver(address, message, clock)
        await deliver(address, msgspec.structs.replace(message, resolved=True), clock)
    except SynclineError as problem:
        error = problem.to_data()
    return {"to": str(alert.to), "address": address and shown(address), "on": list(alert.on), "error": error}
