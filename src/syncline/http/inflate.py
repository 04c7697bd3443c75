"""Content codings undone in bounded steps, so that a small answer cannot become a large one unnoticed."""

from __future__ import annotations

import zlib
from typing import Any

from syncline.errors import BodyError, BrokenBodyError
from syncline.model import format_size

STEP = 262_144
SMALL = 4_096
RATIO_FROM = 4_000_000
"""Decompressed bytes below which the ratio does not matter: a small answer may well compress a thousandfold."""


class BodyReader:
    """Collects an answer's body: `feed` it the bytes as they come, `finish` it for the whole.

    `most` bytes after decompression; `ratio` of decompressed to received bytes. Raises BodyError beyond them and for an
    unknown coding, BrokenBodyError where the compressed data are damaged or cut off. gzip and deflate (RFC 9110, 8.4.1).
    """

    def __init__(self, coding: str, *, most: int, ratio: float) -> None:
        coding = coding.strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise BodyError(
                f"the answer is encoded as {coding[:40]!r}, which was not asked for",
                hint="only gzip and deflate are understood; ask the provider to respect Accept-Encoding",
            )
        self._coding = coding if coding not in ("", "identity") else None
        self._most, self._ratio = most, ratio
        self._inflate: Any = None
        self._chunks: list[bytes | bytearray] = []
        self._received = 0
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._coding is None:
            self._keep(chunk)
            return
        try:
            self._decompress(chunk)
        except zlib.error as error:
            raise BrokenBodyError(
                f"the answer's {self._coding} data are damaged",
                evidence=str(error)[:120],
                hint="if it stays, the API or a proxy before it compresses wrongly",
            ) from None

    def finish(self) -> bytes:
        """The whole body."""
        if self._inflate is not None and not self._inflate.eof:
            raise BrokenBodyError(
                f"the answer's {self._coding} data end in the middle",
                evidence=f"{self._received} bytes came",
                hint="if it stays, ask for smaller pages",
            )
        first = self._chunks[0] if len(self._chunks) == 1 else None
        return first if isinstance(first, bytes) else b"".join(self._chunks)

    def _decompress(self, data: bytes) -> None:
        while data:
            if self._inflate is None or self._inflate.eof:  # gzip allows several members in a row (RFC 1952, 2.2)
                if self._inflate is not None and not data.strip(b"\0"):
                    return
                self._inflate = zlib.decompressobj(self._window(data))
            self._keep(self._inflate.decompress(data, STEP))
            data = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _window(self, data: bytes) -> int:
        if self._coding != "deflate":
            return 16 + zlib.MAX_WBITS
        # "deflate" means zlib's format, but some servers send it bare (RFC 9110, 8.4.1.2)
        wrapped = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] * 256 + data[1]) % 31 == 0)
        return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS

    def _keep(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._most:
            self._chunks.clear()
            raise too_large(self._most)
        if self._coding and self._size > max(RATIO_FROM, self._received * self._ratio):
            self._chunks.clear()
            raise BodyError(
                f"the answer grows more than {self._ratio:g} times while it is decompressed",
                evidence=f"{self._received} bytes became over {self._size}",
                hint="such data look like a decompression bomb; raise max_ratio if they are honest",
            )
        if len(chunk) < SMALL and self._chunks and len(self._chunks[-1]) < STEP:
            # a body of a million tiny pieces must not cost a million objects
            if not isinstance(last := self._chunks[-1], bytearray):
                last = self._chunks[-1] = bytearray(last)
            last += chunk
        elif chunk:
            self._chunks.append(chunk)


def too_large(most: int, announced: int | None = None) -> BodyError:
    return BodyError(
        f"the answer is larger than max_body ({format_size(most)})",
        evidence=f"its Content-Length is {announced}" if announced else None,
        hint="ask for smaller pages (pagination: limit), or raise max_body",
    )
