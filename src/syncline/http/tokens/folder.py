"""Tokens in a folder: one file each, 0600 in 0700, replaced in one step, with a lock that dies with its holder."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

from syncline.errors import StateError
from syncline.http.tokens.kept import OvertakenError
from syncline.http.tokens.waiting import until_locked
from syncline.model import Clock

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


class Folder:
    """A place for one token. Its calls block for as long as a small file takes, so that nothing can come between."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.token"
        self.shown = str(self.path)

    def prepare(self) -> None:
        """Make the folder, for its owner alone. Raises StateError where it cannot be used or is open to others."""
        folder = self.path.parent
        with self._explained():
            if not folder.exists():
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            mode = stat.S_IMODE(folder.stat().st_mode)
        if os.name != "nt" and mode & 0o077:
            raise StateError(f"the folder {folder} is open to others", hint=f"chmod 700 {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StateError(f"the folder {folder} cannot be written", hint="give this user the right to write there")

    async def now(self, clock: Clock) -> datetime:
        return clock.now()

    async def read(self) -> tuple[int, bytes] | None:
        with self._explained():
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                return None
        revision, _, sealed = content.partition(b"\n")
        return (int(revision), sealed) if revision.isdigit() else (1, content)

    async def swap(self, revision: int, sealed: bytes) -> int:
        """Replace that revision (0: nothing) and return the new one. Raises OvertakenError."""
        found = await self.read()
        if (found[0] if found else 0) != revision:
            raise OvertakenError
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.tmp")
        with self._explained():
            for left_over in self.path.parent.glob(f"{self.path.name}.*.tmp"):  # of a process that was killed
                left_over.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(b"%d\n" % (revision + 1) + sealed)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self.path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            self._sync_folder()
        return revision + 1

    async def delete(self) -> bool:
        with self._explained():
            there = self.path.exists()
            self.path.unlink(missing_ok=True)
        return there

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        # the lock's file stays for ever: to delete it would let two processes lock two files of one name
        self.prepare()
        with self._explained():
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            await until_locked(lambda: _try_lock(descriptor), self.shown)
            yield
        finally:
            os.close(descriptor)  # gives the lock back, as the end of the process does, however it comes

    def _sync_folder(self) -> None:
        if os.name == "nt":
            return
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                f"the token store {self.path.parent} cannot be used",
                evidence=f"{error.strerror}: {error.filename}" if error.strerror else str(error),
                hint="check the folder's rights and the room left on its disk",
            ) from None


async def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # late: this system's own

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # late: this system's own

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
