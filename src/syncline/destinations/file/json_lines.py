"""JSON lines: one object a line, numbers exact. The spool is the file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from syncline.destinations.file.columns import Columns
from syncline.destinations.file.encoding import (
    Format,
    Made,
    Prepared,
    Screened,
    Unfit,
    doubtful,
    finite,
    misfits,
    some,
    spelled_json,
)
from syncline.destinations.file.spool import Piece
from syncline.destinations.file.text_files import Compression, TextFile
from syncline.destinations.values import LOGICAL, NONE
from syncline.model import Batch, encode_json_lines

SPEAKABLE = frozenset(LOGICAL) | {NONE}
NESTED = frozenset({dict, list, tuple})
SHAPES = 64
"""Sets of columns for which the quick form of a row is kept at hand."""


class JsonLines(Format):
    name: ClassVar[str] = "jsonl"
    ending: ClassVar[str] = ".jsonl"
    portion: ClassVar[int] = 100

    def __init__(self, compression: Compression = "none", max_file: int | None = None) -> None:
        self._out = TextFile(compression, max_file)
        self._shapes: dict[tuple[str, ...], type | None] = {}

    def prepare(self, batch: Batch, columns: Columns) -> Prepared:
        if columns.policy != "evolve":
            batch, columns = _allowed(batch, columns)
        for values, kinds in doubtful(batch):
            if not kinds <= SPEAKABLE or not finite(values, kinds):
                raise Unfit
            if kinds & NESTED:
                spelled_json([value for value in values if value.__class__ in NESTED])
        return Prepared(self._shaped(batch), columns)

    def join(self, rows: Sequence[Any]) -> bytes:
        return encode_json_lines(rows)

    def screen(self, batch: Batch, columns: Columns) -> Screened:
        places = [place for place, name in enumerate(batch.columns) if columns.allows(name)]
        numbers = range(len(batch.rows))
        return Screened(misfits(some(batch, numbers, places), as_json=True), places)

    def continues(self, before: Columns, after: Columns) -> bool:
        return True

    def finish(self, pieces: Sequence[Piece], columns: Columns, folder: Path, name: str) -> list[Made]:
        return self._out.write(pieces, folder, name)

    def _shaped(self, batch: Batch) -> list[Any]:
        """Structs are encoded in half of the time that dictionaries take."""
        if batch.columns not in self._shapes:
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[batch.columns] = _shape(batch.columns)
        shape = self._shapes[batch.columns]
        if shape is None:
            return [dict(zip(batch.columns, row, strict=True)) for row in batch.rows]
        return list(starmap(shape, batch.rows))


def _shape(columns: tuple[str, ...]) -> type | None:
    """A struct that is encoded as an object with these members; None for names that no struct can have."""
    fields = [f"f{number}" for number in range(len(columns))]
    try:
        return msgspec.defstruct("Row", fields, rename=dict(zip(fields, columns, strict=True)), gc=False)
    except ValueError:  # quotes and control characters in a name, or the same name twice
        return None


def _allowed(batch: Batch, columns: Columns) -> tuple[Batch, Columns]:
    """The batch without columns that the schema leaves out. Raises WriteError where it is frozen."""
    after = columns.copy()
    places = [place for place, name in enumerate(batch.columns) if columns.allows(name)]
    for place in places:
        after.place(batch.columns[place])
    return some(batch, range(len(batch.rows)), places), after
