"""Rejects that the next pass meets again, because they lie at the cursor's boundary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from syncline.model import MISSING, Checkpoint, Rejected, compile_path
from syncline.sources import Incremental
from syncline.sources.cursor import boundary, record_digest


class Refused:
    """Records that were rejected when they came first and come again as they were: they have been told, and are told no more.

    For lists that are asked for by cursor and written by key; where rows are appended the reader passes over all that it has
    delivered. The checkpoint keeps their digests, so that a changed record is a new one. Each is mapped and written anew all the
    same: the mapping may have been mended.
    """

    def __init__(self, incremental: Incremental, checkpoint: Checkpoint) -> None:
        self._incremental = incremental
        self._before = frozenset(checkpoint.seen)
        self._resumed = checkpoint.resume is not None
        self._met: dict[str, Any] = {}
        self._cursor_of = compile_path(incremental.cursor)
        self.again = 0
        """How many came again."""

    def sift(self, rejected: Iterable[Rejected]) -> list[Rejected]:
        """Those that are new."""
        fresh = []
        for one in rejected:
            digest = record_digest(one.record)
            self._met[digest] = self._cursor_of(one.record)
            if digest in self._before:
                self.again += 1
            else:
                fresh.append(one)
        return fresh

    def noted(self, checkpoint: Checkpoint, *, complete: bool = False) -> Checkpoint:
        """The checkpoint that knows them; of a complete pass those alone that its cursor will bring again."""
        if not complete:
            return msgspec.structs.replace(checkpoint, seen=tuple(self._before | self._met.keys()))
        met = {digest: None if cursor is MISSING else cursor for digest, cursor in self._met.items()}
        if self._resumed:  # what came before it was interrupted is known by its digest alone
            return msgspec.structs.replace(checkpoint, seen=tuple(self._before | met.keys()))
        return msgspec.structs.replace(checkpoint, seen=boundary(met, checkpoint.cursor, self._incremental))
