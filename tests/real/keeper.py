"""Keeps one server: ends it, its children and its folder as soon as whoever started it is gone, however that came about.

`python keeper.py FOLDER COMMAND…`: the end of stdin is the sign to stop. Leaves with the server's own code if that leaves first.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time


def main(folder: str, command: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    abandoned = True
    try:
        while not select.select([0], [], [], 0.1)[0]:
            if server.poll() is not None:
                abandoned = False
                return server.returncode
        return 0
    finally:
        end_group(server)
        if abandoned:
            shutil.rmtree(folder, ignore_errors=True)


def end_group(leader: subprocess.Popen[bytes], patience: float = 3.0) -> None:
    """Ask a process and its children to leave, then make them."""
    for name in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(leader.pid, name)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and group_lives(leader):
            time.sleep(0.02)
    leader.wait()


def group_lives(leader: subprocess.Popen[bytes]) -> bool:
    leader.poll()
    try:
        os.killpg(leader.pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
