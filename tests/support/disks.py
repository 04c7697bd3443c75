"""Disks that are really full: a small tmpfs, and ballast in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services import cannot

MIB = 1 << 20


@contextmanager
def small_disk(folder: Path, size: int, owner: int = 0) -> Iterator[Path]:
    """A disk of its own at `folder`, which belongs to this user. Where none can be, that is said as of a missing service."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        cannot("a small disk cannot be mounted by this user")
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},uid={owner},mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode != 0:
        cannot(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(disk: Path, room: int) -> None:
    """Fill the disk with ballast until only so many bytes are free."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"")
    with ballast.open("wb", buffering=0) as file:
        while True:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            if free <= room:
                return
            try:
                file.write(b"\0" * min(free - room, MIB))
            except OSError:
                return
