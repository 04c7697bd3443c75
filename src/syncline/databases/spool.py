"""Bytes on their way into a database that reads files: in memory where the system has such files, else in one without a name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


class Spool:
    """One piece at a time, under a path that this process can open. Nothing of it is left behind by a killed process."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._named: Path | None = None

    def put(self, pieces: Iterable[bytes]) -> str:
        """Take the place of what was there; returns the path. What comes piece by piece never stands in memory as a whole."""
        if os.name != "posix":
            return self._put_named(pieces)
        if self._file is None:
            self._file = _anonymous()
        os.ftruncate(self._file, 0)
        place = 0
        for piece in pieces:
            view = memoryview(piece)
            while view:
                written = os.pwrite(self._file, view, place)
                view, place = view[written:], place + written
        return f"/dev/fd/{self._file}"

    def clear(self) -> None:
        """Give the room back."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
        if self._named is not None:
            self._named.unlink(missing_ok=True)
            self._named = None

    def close(self) -> None:
        self.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _put_named(self, pieces: Iterable[bytes]) -> str:
        """Where files cannot be opened by their number."""
        self.clear()
        with tempfile.NamedTemporaryFile(prefix="syncline-", delete=False) as file:  # private: mode 0600
            file.writelines(pieces)
        self._named = Path(file.name)
        return self._named.as_posix()


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("syncline-spool")
    file, name = tempfile.mkstemp(prefix="syncline-")
    Path(name).unlink()
    return file
