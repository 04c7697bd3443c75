"""CSV by RFC 4180: a header, exact numbers, no value and empty text told apart, nothing that a spreadsheet would run.

The rows are joined here, column by column, in a third of the time that the csv module takes; that module reads them back in
the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, ClassVar

from syncline.destinations.file.columns import MAX_COLUMNS, Columns
from syncline.destinations.file.csv_options import Csv
from syncline.destinations.file.encoding import Format, Made, Prepared, Screened, Unfit, misfits, spelled_json
from syncline.destinations.file.placing import Refusal
from syncline.destinations.file.spool import Piece
from syncline.destinations.file.text_files import Compression, TextFile
from syncline.destinations.values import NONE, has_nan
from syncline.model import Batch, encode_json

QUOTE = '"'
STARTS = "=+-@\t\r\n＝＋－＠"
"""What makes a spreadsheet take a cell for a formula, the wide forms of East Asian keyboards included
(https://owasp.org/www-community/attacks/CSV_Injection)."""
NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*([eE][+-]?[0-9]+)?")
"""Text that is a number to a spreadsheet: it begins with a sign, and yet runs nothing."""
MARK = "'"

PLAIN = frozenset({bool, int, float, Decimal, datetime, date, bytes})
"""Types whose JSON is one word, without a comma."""
NESTED = frozenset({dict, list, tuple})


class CsvText(Format):
    name: ClassVar[str] = "csv"
    ending: ClassVar[str] = ".csv"

    def __init__(self, csv: Csv, compression: Compression = "none", max_file: int | None = None) -> None:
        self._csv = csv
        self._end = "\r\n" if csv.line_end == "crlf" else "\n"
        self._special = re.compile(f"[{re.escape(csv.delimiter)}{QUOTE}\r\n]")
        self._out = TextFile(compression, max_file)

    def prepare(self, batch: Batch, columns: Columns) -> Prepared:
        after = columns.copy()
        fields: dict[int, Sequence[str]] = {}
        for name, values in zip(batch.columns, zip(*batch.rows, strict=True), strict=True):
            if columns.allows(name):
                place = after.place(name)
                if place in fields:
                    raise Unfit  # the same name twice
                fields[place] = self._fields(values)
        if len(after.here) > MAX_COLUMNS:
            raise Unfit
        nothing = [self._csv.null] * len(batch.rows)
        cells = [fields.get(place, nothing) for place in range(len(after.here))]
        rows = list(map(self._csv.delimiter.join, zip(*cells, strict=True)))
        if len(cells) == 1:  # an empty line would be no row at all
            rows = [row or QUOTE * 2 for row in rows]
        return Prepared(rows, after)

    def join(self, rows: Sequence[Any]) -> bytes:
        return (self._end.join(rows) + self._end).encode()

    def screen(self, batch: Batch, columns: Columns) -> Screened:
        refused = misfits(batch, as_json=False)
        known = set(columns.index)
        places = []
        for place, name in enumerate(batch.columns):
            if not columns.allows(name):
                continue
            fault = None
            if batch.columns.index(name) != place:
                fault = "there are two columns of this name"
            elif name not in known and len(known) >= MAX_COLUMNS:
                fault = f"the file would get more than {MAX_COLUMNS} columns"
            else:
                known.add(name)
                places.append(place)
            for number, row in enumerate(batch.rows):
                if row[place] is not None and (reason := fault or self._reason(row[place])):
                    refused.setdefault(number, Refusal(number, name[:200], reason))
        return Screened(refused, places)

    def _reason(self, value: Any) -> str | None:
        if isinstance(value, float | Decimal) and has_nan(value):
            return "NaN and Infinity are no numbers that every reader of CSV knows"
        if self._csv.formulas == "reject" and isinstance(value, str) and is_formula(value):
            return "a spreadsheet would run this text as a formula (csv: {formulas: escape} writes it harmlessly)"
        return None

    def continues(self, before: Columns, after: Columns) -> bool:
        return len(before.here) == len(after.here)

    def finish(self, pieces: Sequence[Piece], columns: Columns, folder: Path, name: str) -> list[Made]:
        names = columns.names if columns.here else list(columns.known) if not pieces else []
        width = len(names)
        header = "\ufeff" if self._csv.bom else ""
        if self._csv.header and names:
            safe = [MARK + one if self._csv.formulas != "keep" and is_formula(one) else one for one in names]
            header += self._csv.delimiter.join(map(self._quoted, safe)) + self._end
        alike = all(piece.width == width for piece in pieces)
        return self._out.write(pieces, folder, name, header=header.encode(), records=self._records(width), alike=alike)

    def _records(self, width: int) -> Callable[[IO[bytes], Piece], Iterator[bytes]]:
        """Rows, each filled up with empty fields to the columns that came later."""
        end, more = self._end.encode(), (self._csv.delimiter + self._csv.null).encode()

        def read(source: IO[bytes], piece: Piece) -> Iterator[bytes]:
            missing = more * (width - piece.width)
            for record in records(source, piece.length):
                yield record.removesuffix(end) + missing + end if missing else record

        return read

    def _fields(self, values: Sequence[Any]) -> Sequence[str]:
        """A column's values as they stand between two delimiters. Raises Unfit."""
        kinds = set(map(type, values))
        if NONE not in kinds:
            return self._given(values, kinds)
        null, kinds = self._csv.null, kinds - {NONE}
        fields = iter(self._given([value for value in values if value is not None], kinds))
        return [null if value is None else next(fields) for value in values]

    def _given(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str]:
        if len(kinds) > 1:
            return [self._given((value,), {value.__class__})[0] for value in values]
        if kinds <= {str}:
            return self._texts(values)
        if kinds <= PLAIN:
            text = encode_json(values)[1:-1].decode()
            if not {float, Decimal}.isdisjoint(kinds) and any(letter in text for letter in "NIn"):
                raise Unfit  # NaN, Infinity, and the null that a float becomes which is one of them
            return text.replace(QUOTE, "").split(",")
        if not kinds <= NESTED:
            raise Unfit
        return [f'"{text.replace(QUOTE, QUOTE * 2)}"' for text in spelled_json(values)]

    def _texts(self, values: Sequence[str]) -> Sequence[str]:
        if self._csv.formulas != "keep" and not {value[:1] for value in values}.isdisjoint(FIRST):
            if self._csv.formulas == "reject" and any(map(is_formula, values)):
                raise Unfit
            values = [MARK + value if is_formula(value) else value for value in values]
        if self._special.search("\0".join(values)) or not {"", self._csv.null}.isdisjoint(values):
            special, plain = self._special.search, {"", self._csv.null}
            return [
                f'"{value.replace(QUOTE, QUOTE * 2)}"' if value in plain or special(value) else value
                for value in values
            ]
        return values

    def _quoted(self, text: str) -> str:
        if text in ("", self._csv.null) or self._special.search(text):
            return f'"{text.replace(QUOTE, QUOTE * 2)}"'
        return text


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run the text of a cell; spaces before it do not keep it from that everywhere."""
    inner = text.lstrip(" \xa0\u3000")
    return inner[:1] in FIRST_OF_FORMULA and not NUMBER.fullmatch(inner)


FIRST_OF_FORMULA = frozenset(STARTS)
FIRST = FIRST_OF_FORMULA | frozenset(" \xa0\u3000")


def records(source: IO[bytes], length: int) -> Iterator[bytes]:
    """Rows of CSV as they stand: a line break within quotes does not end one, and the number of quotes tells."""
    whole = b""
    left = length
    while left:
        line = source.readline(left)
        if not line:
            raise OSError(f"{left} bytes are missing")
        left -= len(line)
        whole += line
        if whole.count(b'"') % 2 == 0:
            yield whole
            whole = b""
