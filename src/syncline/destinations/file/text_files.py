"""Finished files of text: pieces of a spool behind each other, cut into parts and compressed where that is asked for."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Literal, cast

from syncline.destinations.file.encoding import Made
from syncline.destinations.file.spool import ENDING, Piece, copy_bytes, link

Compression = Literal["none", "gzip", "zstd", "snappy"]
Records = Callable[[IO[bytes], Piece], Iterator[bytes]]
"""The rows of a piece, one by one, each with its end of line."""

LEVEL = 6


class TextFile:
    """How finished files of text are written. `max_file` counts bytes before compression."""

    def __init__(self, compression: Compression, max_file: int | None) -> None:
        self._compression, self._max_file = compression, max_file

    def write(
        self,
        pieces: Sequence[Piece],
        folder: Path,
        name: str,
        *,
        header: bytes = b"",
        records: Records | None = None,
        alike: bool = True,
    ) -> list[Made]:
        """One file of all pieces, or several. `records` reads rows one by one: where they are not `alike`, and to cut."""
        if self._max_file is None and alike:
            return [self._whole(pieces, folder / f"{name}{ENDING}", header)]
        return self._cut(pieces, folder, name, header, records or _lines)

    def _whole(self, pieces: Sequence[Piece], path: Path, header: bytes) -> Made:
        rows = sum(piece.rows for piece in pieces)
        if len(pieces) == 1 and not header and self._compression == "none":
            link(pieces[0].file, path)
            return Made(path, rows)
        with self._open(path) as file:
            file.write(header)
            for piece in pieces:
                with piece.file.open("rb") as source:
                    copy_bytes(source, file, piece.length)
        return Made(path, rows)

    def _cut(self, pieces: Sequence[Piece], folder: Path, name: str, header: bytes, records: Records) -> list[Made]:
        made: list[Made] = []
        rows = size = 0
        with ExitStack() as stack:
            file: IO[bytes] | None = None
            for piece in pieces:
                with piece.file.open("rb") as source:
                    for record in records(source, piece):
                        full = self._max_file is not None and rows and size + len(record) > self._max_file
                        if file is None or full:
                            if file is not None:
                                made[-1] = Made(made[-1].file, rows)
                            stack.close()
                            path = folder / f"{name}-{len(made) + 1}{ENDING}"
                            file = stack.enter_context(self._open(path))
                            file.write(header)
                            made.append(Made(path, 0))
                            rows, size = 0, len(header)
                        file.write(record)
                        rows, size = rows + 1, size + len(record)
        if not made:
            return [self._whole((), folder / f"{name}{ENDING}", header)]
        made[-1] = Made(made[-1].file, rows)
        return made

    def _open(self, path: Path) -> IO[bytes]:
        if self._compression == "gzip":
            # without name and time, so that the same rows make the same bytes
            raw = path.open("wb")
            return cast("IO[bytes]", _Gzip(raw))
        return path.open("wb")


class _Gzip(gzip.GzipFile):
    """Closes the file below as well."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0)
        self._raw_file = raw

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._raw_file.close()


def _lines(source: IO[bytes], piece: Piece) -> Iterator[bytes]:
    left = piece.length
    while left:
        line = source.readline(left)
        left -= len(line)
        yield line
