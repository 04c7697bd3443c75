"""A spool whose rows go to many files, sorted into one piece each, with few files open at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from syncline.destinations.file.layout import Values
from syncline.destinations.file.spool import ENDING, Piece, longest_row, sections

MAX_OPEN = 64


class _Growing(msgspec.Struct):
    file: Path
    like: Piece
    length: int = 0
    rows: int = 0
    longest: int = 0

    def piece(self) -> Piece:
        return Piece(self.file, self.length, self.rows, self.like.width, self.like.before, self.longest)


class Handles:
    """Files to append to; the one that was not used for the longest time is closed, and opened again when it is needed."""

    def __init__(self, most: int = MAX_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[Path, IO[bytes]] = OrderedDict()

    def append(self, path: Path, data: bytes) -> None:
        file = self._open.get(path)
        if file is None:
            if len(self._open) >= self._most:
                self._open.popitem(last=False)[1].close()
            file = self._open[path] = path.open("ab")
        self._open.move_to_end(path)
        file.write(data)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __len__(self) -> int:
        return len(self._open)


def split(pieces: Sequence[Piece], path_of: Callable[[Values], str], folder: Path) -> dict[str, list[Piece]]:
    """The rows of each final path. What differs in its columns stays in different pieces. Raises OSError."""
    sorted_: dict[str, list[_Growing]] = {}
    handles = Handles()
    made = 0
    try:
        for piece in pieces:
            for values, rows, data in sections(piece):
                of_path = sorted_.setdefault(path_of(values), [])
                if not of_path or not _alike(of_path[-1].like, piece):
                    made += 1
                    of_path.append(_Growing(folder / f"sorted-{made}{ENDING}", piece))
                growing = of_path[-1]
                handles.append(growing.file, data)
                growing.length += len(data)
                growing.rows += rows
                growing.longest = max(growing.longest, longest_row(data))
    finally:
        handles.close()
    return {path: [growing.piece() for growing in of_path] for path, of_path in sorted_.items()}


def _alike(one: Piece, other: Piece) -> bool:
    return one.width == other.width and one.before == other.before
