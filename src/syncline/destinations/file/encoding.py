"""Batches as bytes: quickly where all is well, carefully, row by row, where something is not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from syncline.destinations.file.columns import Columns
from syncline.destinations.file.layout import Values
from syncline.destinations.file.placing import Placer, Refusal
from syncline.destinations.file.spool import Piece
from syncline.destinations.values import has_nan, misfit
from syncline.model import Batch, Row, encode_json_lines

REFUSED = (ValueError, TypeError, OverflowError, RecursionError)
"""What Python and its encoders raise for single values and rows; UnicodeEncodeError is one of them."""


PLAIN = frozenset({str, int, bool, type(None)})
"""Types of which every value that came out of JSON can be put into JSON again."""
LOST = (b"null", b"NaN", b"Infinity")
"""What JSON shows where a number was lost that it does not have; there are other reasons too."""


class Unfit(ValueError):
    """The batch holds something that the quick way cannot write; begin anew, carefully."""


class Prepared(msgspec.Struct):
    """A batch's rows, ready to be joined, and the columns as they are with them."""

    rows: Sequence[Any]
    columns: Columns


class Screened(msgspec.Struct):
    """What of a batch can be written: all but these rows, of these columns (by their places)."""

    refused: dict[int, Refusal]
    places: list[int]


class Section(msgspec.Struct, frozen=True):
    """Rows of one partition as they are written to the spool."""

    values: Values
    data: bytes
    rows: int


class Made(msgspec.Struct, frozen=True):
    """A finished file, not yet where it belongs."""

    file: Path
    rows: int


Places = Mapping[Values, Sequence[int]]
"""The numbers of the rows in each partition; in the one and only where there are none."""


class Format(ABC):
    """What files are made of."""

    name: ClassVar[str]
    ending: ClassVar[str]
    """Of a file's name, before that of a compression."""
    portion: ClassVar[int] = 1_000
    """Rows that are best encoded together: many enough that columns cost little, and few enough to be in a near cache still."""

    @abstractmethod
    def prepare(self, batch: Batch, columns: Columns) -> Prepared:
        """The quick way; changes nothing. Raises Unfit, or any of REFUSED."""

    @abstractmethod
    def join(self, rows: Sequence[Any]) -> bytes:
        """Some of the prepared rows as they stand in the spool. Raises Unfit, or any of REFUSED."""

    @abstractmethod
    def screen(self, batch: Batch, columns: Columns) -> Screened:
        """Look at every value. A column that cannot be written costs those rows that have something in it."""

    @abstractmethod
    def continues(self, before: Columns, after: Columns) -> bool:
        """Whether rows of these columns can follow those of earlier ones in one piece of the spool."""

    @abstractmethod
    def finish(self, pieces: Sequence[Piece], columns: Columns, folder: Path, name: str) -> list[Made]:
        """Turn pieces of the spool into finished files in a folder; several where a size is not to be exceeded.

        Without rows: a file that says so, or none where the format has no such thing. Raises WriteError, OSError.
        """

    def types(self, columns: Columns) -> list[tuple[str, str]]:
        """The columns of finished files, each with its type where the format has types."""
        return [(column.name, "") for column in columns.here]

    def close(self) -> None:
        """Give back what finishing needed."""
        return


class Encoded(msgspec.Struct):
    """What became of a batch."""

    sections: list[Section]
    columns: Columns
    refused: list[Refusal]

    @property
    def rows(self) -> int:
        return sum(section.rows for section in self.sections)


class Encoder:
    """Batches of one stream in one format; `placer` sorts their rows into partitions, where there are any."""

    def __init__(self, format: Format, placer: Placer | None) -> None:
        self._format, self._placer = format, placer

    def encode(self, batch: Batch, columns: Columns) -> Encoded:
        """The batch, without the rows that cannot be kept exactly. Raises WriteError."""
        if not batch.rows:
            return Encoded([], columns, [])
        try:
            return self._quickly(batch, columns)
        except REFUSED:
            return self._carefully(batch, columns)

    def take(self, batch: Batch, columns: Columns) -> Encoded | None:
        """The batch, where no row of it needs a careful look. Raises WriteError."""
        try:
            return self._quickly(batch, columns)
        except REFUSED:
            return None

    def _quickly(self, batch: Batch, columns: Columns) -> Encoded:
        places, refused = self._placed(batch, range(len(batch.rows)))
        if refused:
            raise Unfit  # the columns must not know of their values
        return self._joined(batch, columns, places)

    def _placed(self, batch: Batch, numbers: Sequence[int]) -> tuple[Places, list[Refusal]]:
        if self._placer is None:
            return {(): numbers}, []
        return self._placer.place(batch.columns, batch.rows, numbers)

    def _joined(self, batch: Batch, columns: Columns, places: Places) -> Encoded:
        prepared = self._format.prepare(batch, columns)
        rows, join = prepared.rows, self._format.join
        if len(places) == 1:
            (values,) = places
            return Encoded([Section(values, join(rows), len(rows))], prepared.columns, [])
        sections = [
            Section(values, join([rows[number] for number in numbers]), len(numbers))
            for values, numbers in places.items()
        ]
        return Encoded(sections, prepared.columns, [])

    def _carefully(self, batch: Batch, columns: Columns) -> Encoded:
        places, unplaced = self._placed(batch, range(len(batch.rows)))
        refused = {one.row: one for one in unplaced}
        kept, usable = self._screened(batch, columns, refused)
        good = some(batch, kept, usable)
        place_of = {number: place for place, number in enumerate(kept)}
        moved = {values: [place_of[one] for one in numbers if one in place_of] for values, numbers in places.items()}
        moved = {values: numbers for values, numbers in moved.items() if numbers}
        try:
            done = self._joined(good, columns, moved) if kept else Encoded([], columns, [])
        except REFUSED:
            done = self._one_by_one(good, kept, columns, moved, refused)
        done.refused = [refused[number] for number in sorted(refused)]
        return done

    def _screened(self, batch: Batch, columns: Columns, refused: dict[int, Refusal]) -> tuple[list[int], Sequence[int]]:
        """The rows that can be written, and the columns; anew until none is refused, for a type may hang on a refused value."""
        everything = range(len(batch.columns))
        while True:
            kept = [number for number in range(len(batch.rows)) if number not in refused]
            screened = self._format.screen(some(batch, kept, everything), columns)
            if not screened.refused:
                return kept, screened.places
            for row, one in screened.refused.items():
                refused[kept[row]] = msgspec.structs.replace(one, row=kept[row])

    def _one_by_one(
        self, batch: Batch, kept: list[int], columns: Columns, places: Places, refused: dict[int, Refusal]
    ) -> Encoded:
        """`kept` are the numbers of the batch's rows; what refuses them one by one has no name for it.

        All are written as the columns are with the last of them, for they stand in one piece.
        """
        values_of = {place: values for values, numbers in places.items() for place in numbers}
        while True:
            done, alike = self._each(batch, kept, columns, values_of, refused)
            if alike:
                return done
            columns = done.columns

    def _each(
        self,
        batch: Batch,
        kept: list[int],
        columns: Columns,
        values_of: Mapping[int, Values],
        refused: dict[int, Refusal],
    ) -> tuple[Encoded, bool]:
        """Every row that is not refused, and whether those that came later can follow those before them."""
        done, alike = Encoded([], columns, []), True
        for place, row in enumerate(batch.rows):
            if kept[place] in refused:
                continue
            one = Batch(columns=batch.columns, rows=[row], whole=batch.whole)
            try:
                joined = self._joined(one, done.columns, {values_of[place]: [0]})
            except REFUSED as problem:
                reason = f"the row has no form in this format: {problem}"
                refused[kept[place]] = Refusal(kept[place], "", reason)
                continue
            alike = alike and (not done.sections or self._format.continues(done.columns, joined.columns))
            done.sections += joined.sections
            done.columns = joined.columns
        return done, alike


def some(batch: Batch, numbers: Sequence[int], places: Sequence[int]) -> Batch:
    """The batch with these of its rows and columns."""
    rows: list[Row] = [batch.rows[number] for number in numbers]
    columns = batch.columns
    if len(places) < len(columns):
        columns = tuple(columns[place] for place in places)
        rows = [tuple([row[place] for place in places]) for row in rows]
    return Batch(columns=columns, rows=rows, whole=batch.whole)


def spelled_json(values: Sequence[Any]) -> list[str]:
    """Each list or object as JSON, exactly. Raises Unfit for a number in one that JSON does not have."""
    data = encode_json_lines(values)
    if any(word in data for word in LOST) and any(map(has_nan, values)):
        raise Unfit
    return data.decode().split("\n")[:-1]


def doubtful(batch: Batch) -> Iterator[tuple[Sequence[Any], set[type]]]:
    """The columns, with the types in them, of which nobody vouches that text holds whatever is in them."""
    if batch.kinds is None:
        for values in zip(*batch.rows, strict=True):
            yield values, set(map(type, values))
        return
    for place, vouched in enumerate(batch.kinds):
        if vouched is None or not vouched <= PLAIN:
            column = [row[place] for row in batch.rows]
            yield column, set(map(type, column))


def finite(values: Iterable[Any], kinds: Container[type]) -> bool:
    """Whether all floats and decimals among the values are numbers."""
    floats = float not in kinds or all(map(math.isfinite, [v for v in values if v.__class__ is float]))
    return floats and (
        Decimal not in kinds or all(map(Decimal.is_finite, [v for v in values if v.__class__ is Decimal]))
    )


def misfits(batch: Batch, *, as_json: bool) -> dict[int, Refusal]:
    """The rows with a value, or the name of a column, that no file of text can hold."""
    refused: dict[int, Refusal] = {}
    faults = {name: misfit(name, "text") for name in batch.columns}
    for number, row in enumerate(batch.rows):
        for name, value in zip(batch.columns, row, strict=True):
            if reason := faults[name] or misfit(value, "json" if as_json else None):
                refused[number] = Refusal(number, name[:200], reason)
                break
    return refused
