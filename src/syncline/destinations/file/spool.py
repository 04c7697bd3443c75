"""What a pass has written so far: append-only pieces on a local disk, each cut back to what was committed of it.

Nobody but the writer that began a piece ever appends to it: a name holds the fence of its writer's lease. Who goes on with an
interrupted pass begins a new piece. Where rows are sorted into partitions, a piece is a row of sections, each behind a line
that tells its rows, its bytes and its place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from syncline.destinations.file.layout import Values
from syncline.destinations.values import Logical
from syncline.model import decode_json, encode_json

ENDING = ".part"
"""Of every file that is not finished."""
HEAD = b">"
"""Begins the line before a section; neither a JSON document nor a row of CSV is looked for there."""
COPY_BYTES = 1 << 20
LONGEST_LINE = 16_000_000
"""Bytes that a reader of a row needs not be told of."""
_sync_data = getattr(os, "fdatasync", os.fsync)


class Segment(msgspec.Struct, array_like=True, omit_defaults=True):
    """One piece: its name (`fence` and `number`), and how much of it was committed, in bytes and rows.

    `width` is how many columns its rows have; `before` what kind a column, by its place, had that was no JSON yet;
    `longest` how long a row may be, where one is longer than 16 MB.
    """

    fence: int
    number: int
    length: int = 0
    rows: int = 0
    width: int = 0
    before: dict[str, Logical] = {}
    longest: int = 0

    @property
    def name(self) -> str:
        return f"{self.fence:d}-{self.number:d}{ENDING}"


class Piece(msgspec.Struct, frozen=True):
    """Rows in a file of their own, without heads of sections; nobody writes to it any more."""

    file: Path
    length: int
    rows: int
    width: int = 0
    before: dict[str, Logical] = {}
    longest: int = 0


class Spool:
    """The pieces of one pass in one folder, written by the holder of one lease."""

    def __init__(self, folder: Path, fence: int, segments: Sequence[Segment] = ()) -> None:
        self.folder, self._fence = folder, fence
        self.segments = list(segments)
        self._file: IO[bytes] | None = None

    @property
    def rows(self) -> int:
        return sum(segment.rows for segment in self.segments)

    def missing(self) -> Segment | None:
        """The first piece that is not there with all that was committed of it."""
        for segment in self.segments:
            try:
                if self.path(segment).stat().st_size < segment.length:
                    return segment
            except FileNotFoundError:
                return segment
        return None

    def path(self, segment: Segment) -> Path:
        return self.folder / segment.name

    def own(self) -> Segment | None:
        """The piece being written, if there is one."""
        return self.segments[-1] if self._file is not None else None

    def begin(self, width: int) -> Segment:
        """A new piece, for rows of so many columns; the one before is durable then, as nobody comes back to it."""
        self.sync()
        self.close()
        number = 1 + max((one.number for one in self.segments if one.fence == self._fence), default=0)
        segment = Segment(self._fence, number, width=width)
        new = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path(segment).open("w+b")
        self.segments.append(segment)
        sync_folder(self.folder)
        if new:
            sync_folder(self.folder.parent)
        return segment

    def append(self, data: bytes, behind: int) -> int:
        """Write behind so many bytes of the own piece, whatever stands there now; returns the new length."""
        assert self._file is not None
        file = self._file
        if file.tell() != behind or os.fstat(file.fileno()).st_size != behind:
            file.seek(behind)
            file.truncate()
        file.write(data)
        file.flush()
        return file.tell()

    def sync(self) -> None:
        """Make what was appended durable."""
        if self._file is not None:
            _sync_data(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what was not flushed was not committed either
                self._file.close()
            self._file = None

    def settled(self, folder: Path) -> list[Piece]:
        """Every piece with rows, in a file that nobody else can still write to, cut to what was committed.

        The own pieces stay where they are; those of an earlier writer, who may only be asleep, are copied into `folder`.
        """
        self.close()
        return [self._settled(segment, folder) for segment in self.segments if segment.length]

    def _settled(self, segment: Segment, folder: Path) -> Piece:
        path = self.path(segment)
        if segment.fence == self._fence:
            if path.stat().st_size > segment.length:
                os.truncate(path, segment.length)
        else:
            copy = folder / segment.name
            with path.open("rb") as source, copy.open("wb") as target:
                copy_bytes(source, target, segment.length)
            path = copy
        return Piece(path, segment.length, segment.rows, segment.width, segment.before, segment.longest)

    def remove(self) -> None:
        self.close()
        for segment in self.segments:
            self.path(segment).unlink(missing_ok=True)


def longest_row(data: bytes) -> int:
    """Of rows as they stand in the spool, in bytes; 0 where none is so long that it matters."""
    return max(map(len, data.split(b"\n"))) if len(data) > LONGEST_LINE else 0


def head(values: Values, rows: int, size: int) -> bytes:
    """The line before a section."""
    return HEAD + encode_json([rows, size, values]) + b"\n"


def sections(piece: Piece) -> Iterator[tuple[Values, int, bytes]]:
    """The sections of a piece: their place, how many rows they have, and the rows. Raises OSError for a damaged one."""
    with piece.file.open("rb") as file:
        while file.tell() < piece.length:
            values, rows, size = _head_of(file)
            data = file.read(size)
            if len(data) < size:
                raise OSError(f"{piece.file.name} ends in the middle of a section")
            yield values, rows, data


def places(path: Path, length: int) -> Iterator[Values]:
    """Where the rows of a piece go, without reading them. Raises OSError for a damaged one."""
    with path.open("rb") as file:
        while file.tell() < length:
            values, _, size = _head_of(file)
            yield values
            file.seek(size, os.SEEK_CUR)


def _head_of(file: IO[bytes]) -> tuple[Values, int, int]:
    try:
        rows, size, values = decode_json(file.readline().removeprefix(HEAD))
    except ValueError:
        raise OSError(f"{file.name} is damaged before byte {file.tell()}") from None
    return tuple(values), rows, size


def copy_bytes(source: IO[bytes], target: IO[bytes], length: int) -> None:
    """Exactly that many. Raises OSError where there are fewer."""
    left = length
    while left:
        data = source.read(min(COPY_BYTES, left))
        if not data:
            raise OSError(f"{left} bytes are missing")
        target.write(data)
        left -= len(data)


def link(source: Path, target: Path) -> None:
    """A second name for a finished file; a copy where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sync_file(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make names durable, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
