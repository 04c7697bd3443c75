"""`syncline serve`: a folder of integrations, run when they are due, until somebody says stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

from syncline import events
from syncline.cli.logs import log_listener
from syncline.cli.stopping import heeding
from syncline.cli.telemetry import telemetry
from syncline.engine import Report
from syncline.errors import UsageError
from syncline.http.pools import Pools
from syncline.model import SystemClock
from syncline.operate.alerts.teller import Teller
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile
from syncline.operate.metrics import Metrics
from syncline.operate.monitor import Monitor
from syncline.operate.served import Served
from syncline.operate.server import Server, run_file
from syncline.operate.web.dashboard import Dashboard, shown_at

TOKEN = "SYNCLINE_DASHBOARD_TOKEN"  # noqa: S105 – the name of a variable
"""Where a container gets a key from that it does not make up itself."""


def main(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.folder)
    if not folder.exists():
        raise UsageError(f"there is no folder {str(folder)!r}", hint="syncline serve integrations/")
    # every run leaves some 500 objects in rings, such as types that were made for its records; those of the runs that are under way
    # when the collector looks grow old, so it has to look at what is old as well, but never at what was imported
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    asyncio.run(_serve(arguments, folder))
    return 0


async def _serve(arguments: argparse.Namespace, folder: Path) -> None:
    home, clock = Home(), SystemClock()
    log_file, monitor = LogFile(home), Monitor(clock)
    metrics, teller = Metrics(monitor), Teller(home, monitor, clock)
    listeners: list[events.Listener] = [monitor, metrics, log_file]
    if arguments.log_format != "none":
        listeners.append(log_listener(arguments.log_format, arguments.log_level, sys.stderr))

    async def keep(one: Served, report: Report) -> None:
        home.try_to_keep_report(report)

    async with AsyncExitStack() as stack:
        runner = partial(run_file, pools=await stack.enter_async_context(Pools()))
        observers = [keep, teller.run_ended]
        server = Server(folder, home=home, clock=clock, at_once=arguments.at_once, runner=runner, observers=observers)
        stack.callback(log_file.close)
        if arguments.otel:
            listeners.append(stack.enter_context(telemetry()))
        stack.enter_context(events.listening(*listeners))
        stack.enter_context(_stopped_by_signals(server))
        if not arguments.no_dashboard:
            address = await stack.enter_async_context(
                shown_at(
                    arguments.host,
                    arguments.port,
                    lambda guard: Dashboard(server, monitor, metrics, guard, writes=arguments.allow_writes),
                    hosts=tuple(arguments.allow_host),
                    token=os.environ.get(TOKEN),
                )
            )
            # a key that was made up for this start is told to who started it; one that was given is theirs already
            shown = address.partition("?")[0] if os.environ.get(TOKEN) else address
            sys.stderr.write(f"dashboard: {shown}\n")
            sys.stderr.flush()
        watching = asyncio.create_task(teller.watch(server.served.values))
        try:
            await server.serve()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the server in good order; asked a second time, it leaves at once."""
    task = asyncio.current_task()
    assert task is not None
    asked: list[bool] = []

    def wish() -> None:
        if asked:
            task.cancel()
        asked.append(True)
        server.stop()

    with heeding(wish):
        yield
