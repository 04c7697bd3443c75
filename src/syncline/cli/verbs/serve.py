"""`syncline serve`: a folder of integrations, run when they are due, until somebody says stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncline import events
from syncline.cli.logs import log_listener
from syncline.engine import Report
from syncline.errors import UsageError
from syncline.model import SystemClock
from syncline.operate.alerts.teller import Teller
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile
from syncline.operate.monitor import Monitor
from syncline.operate.served import Served
from syncline.operate.server import Server


def main(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.folder)
    if not folder.exists():
        raise UsageError(f"there is no folder {str(folder)!r}", hint="syncline serve integrations/")
    asyncio.run(_serve(arguments, folder))
    return 0


async def _serve(arguments: argparse.Namespace, folder: Path) -> None:
    home = Home()
    log_file = LogFile(home)
    listeners: list[events.Listener] = [log_file]
    if arguments.log_format != "none":
        listeners.append(log_listener(arguments.log_format, arguments.log_level, sys.stderr))

    async def keep(one: Served, report: Report) -> None:
        home.try_to_keep_report(report)

    clock = SystemClock()
    monitor = Monitor(clock)
    teller = Teller(home, monitor, clock)
    server = Server(folder, home=home, clock=clock, at_once=arguments.at_once, observers=[keep, teller.run_ended])
    with events.listening(monitor, *listeners), _stopped_by_signals(server):
        watching = asyncio.create_task(teller.watch(server.served.values))
        try:
            await server.serve()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            log_file.close()


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the server in good order; asked a second time, it leaves at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked: list[bool] = []

    def wish() -> None:
        if asked:
            task.cancel()
        asked.append(True)
        server.stop()

    known = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in known:
            loop.add_signal_handler(number, wish)
    except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt there
        known = ()  # type: ignore[assignment]
    try:
        yield
    finally:
        for number in known:
            loop.remove_signal_handler(number)
