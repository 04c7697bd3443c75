"""Programs in forks of a process that has imported them already, so that a start is paid for once and not in every test.

`python -m tests.support.forked SOCKET` forks for every order that somebody connects with, and leaves when its standard input
closes.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import syncline.cli

ROOT = Path(__file__).parents[2]
SECONDS = 60
STARTING = threading.Lock()


def forked(
    module: str, words: Sequence[str], *, cwd: Path = ROOT, env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """The `main` of this module with these words in this folder, run to its end without a terminal."""
    with tempfile.TemporaryDirectory(prefix="syncline-") as place:
        out, err = Path(place, "out"), Path(place, "err")
        order = {"module": module, "words": words, "cwd": str(cwd), "env": dict(env), "out": str(out), "err": str(err)}
        with STARTING:
            address = _server()
        with socket.socket(socket.AF_UNIX) as talk:
            talk.settimeout(SECONDS)
            talk.connect(address)
            talk.sendall(json.dumps(order).encode())
            talk.shutdown(socket.SHUT_WR)
            said = talk.recv(16)
        assert said, f"it was killed: {err.read_text(errors='replace')}"
        return subprocess.CompletedProcess(words, int(said), out.read_text(), err.read_text())


@functools.cache
def _server() -> str:
    folder = tempfile.mkdtemp(prefix="syncline-")
    address = f"{folder}/door"
    command = [sys.executable, "-m", "tests.support.forked", address]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    def leave() -> None:
        process.communicate()
        shutil.rmtree(folder)

    atexit.register(leave)
    return address


def _serve(address: str) -> None:
    importlib.import_module("tests.crash.warm")
    for module in pkgutil.walk_packages(syncline.cli.__path__, "syncline.cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # each says itself how it ended
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            talk, _ = door.accept()
            if os.fork() == 0:
                _obey(talk)
            talk.close()


def _obey(talk: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with talk.makefile("rb") as asked:
        order = json.load(asked)
    for number, path in enumerate((os.devnull, order["out"], order["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: PTH123, SIM115
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.path[0], sys.argv = order["cwd"], [order["module"], *order["words"]]
    code = 1
    try:
        code = importlib.import_module(order["module"]).main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        talk.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
