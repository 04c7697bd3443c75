"""`syncline dashboard`: how all integrations of a folder are, as one page in a file."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from syncline.cli.door import as_json
from syncline.errors import UsageError
from syncline.model import SystemClock
from syncline.operate.alerts.troubles import troubles_of
from syncline.operate.home import Home
from syncline.operate.monitor import Monitor
from syncline.operate.pages.board import exported_page
from syncline.operate.pages.look import Look
from syncline.operate.pages.one import one as section
from syncline.operate.server import Server
from syncline.operate.web.depths import depths_of
from syncline.secrets import redactor


def main(arguments: argparse.Namespace) -> int:
    folder, output = Path(arguments.folder), Path(arguments.output)
    if not folder.exists():
        raise UsageError(f"there is no folder {str(folder)!r}", hint="syncline dashboard integrations/")
    page, count = asyncio.run(_page(folder))
    try:
        output.write_text(redactor.text(page), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    if arguments.json:
        sys.stdout.write(as_json({"output": str(output), "integrations": count}))
    else:
        print(f"wrote {output}: {count} integration{'' if count == 1 else 's'}")
    return 0


async def _page(folder: Path) -> tuple[str, int]:
    home, clock, monitor = Home(), SystemClock(), Monitor()
    server = Server(folder, home=home, clock=clock)
    await server.survey()
    now, looks = clock.now(), []
    for one in sorted(server.served.values(), key=lambda one: one.name):
        live = monitor.of(one.name)
        looks.append(Look(one, live, [*troubles_of(one, live, now, now)], now))
    ones = [section(look, await depths_of(look.one, home)) for look in looks]
    return exported_page(looks, now, ones), len(looks)
