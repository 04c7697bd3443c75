"""Servers as processes of their own: started on a free loopback port, waited for, and gone afterwards with all they had."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

PATIENCE = 60.0
"""Seconds that a server may take to start: a cold Java on a busy machine is slow."""
ATTEMPTS = 3
KEEPER = Path(__file__).with_name("keeper.py")
PREFIX = "syncline-real-"

direct = build_opener(ProxyHandler({}))


class DidNotStartError(Exception):
    """The server left, or never answered; the message ends with what it had to say."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Callable[[int, Path], Sequence[str]], *, health: str) -> Iterator[str]:
    """Run `command(port, folder)`; the value is its base URL once `health` answers below 400.

    The folder is the server's own, and its working directory. The port may be lost between being found free and being
    taken, so a server that does not start is started again on another one.
    """
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
            folder, port = Path(name), free_port()
            with _running(list(command(port, folder)), folder) as process:
                url = f"http://127.0.0.1:{port}"
                try:
                    _wait_until_ready(process, url + health, folder)
                except DidNotStartError:
                    if attempt == ATTEMPTS:
                        raise
                    continue
                yield url
                return


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A keeper with its server; both leave when its stdin closes, by us or by our end."""
    with (folder / "server.log").open("wb") as log:
        kept = [sys.executable, str(KEEPER), str(folder), *command]
        keeper = subprocess.Popen(kept, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    try:
        yield keeper
    finally:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.wait(PATIENCE)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStartError(f"{process.args[3:]} left with {process.returncode}: {_last_words(folder)}")
        try:
            with direct.open(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise DidNotStartError(f"{process.args[3:]} did not answer within {PATIENCE:g} s: {_last_words(folder)}")


def _last_words(folder: Path) -> str:
    return (folder / "server.log").read_text(errors="replace")[-2_000:]
