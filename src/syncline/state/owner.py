"""Who holds a lease, and whether that process is still alive."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec

PROC = Path("/proc")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A process and the run it does. `place` is where its process id means something; `born` tells two users of one id apart."""

    host: str
    pid: int
    run_id: str = ""
    place: str = ""
    born: str = ""

    @staticmethod
    def current(run_id: str = "") -> Owner:
        pid = os.getpid()
        return Owner(host=platform.node(), pid=pid, run_id=run_id, place=_place(), born=_born(pid) or "")

    def is_dead(self) -> bool:
        """True only where it is certain: a process of this machine and this process namespace that is gone."""
        if self.place != _place():
            return False
        if PROC.joinpath("self/stat").exists():
            return _born(self.pid) != self.born
        if sys.platform == "win32":  # signal 0 is Ctrl-C there
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _place() -> str:
    """Host, boot and process namespace: containers may share a host name, and ids start anew with every boot."""
    try:
        boot = PROC.joinpath("sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{platform.node()} {boot} {PROC.joinpath('self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _born(pid: int) -> str | None:
    """The process's start in clock ticks since boot (proc(5), field 22); None where it is gone or a zombie."""
    try:
        fields = PROC.joinpath(str(pid), "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
