"""A process that syncs a file and dies on the way: `python -m tests.destinations.api.syncing FILE STATION COUNT`.

It kills itself with SIGKILL the COUNTth time that it comes to STATION. With `never` it leaves with the run's exit code.
"""

from __future__ import annotations

import os
import signal
import sys

from syncline.engine import run
from syncline.events import Event, Reached, Scope

STATIONS = ("outbox stored", "request sent", "answer received", "outcome stored", "checkpoint committed")


class Killer:
    def __init__(self, station: str, count: int) -> None:
        self.station, self.left = station, count

    def __call__(self, scope: Scope, event: Event) -> None:
        if isinstance(event, Reached) and event.station == self.station:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    file, station, count = sys.argv[1:]
    report = run(file, listeners=[Killer(station, int(count))])
    print(report.status, report.error, [(s.account, s.notices) for s in report.streams])
    sys.exit(report.exit_code)
