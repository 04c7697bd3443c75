"""Which file each row belongs to, by the columns in the path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from syncline.destinations.file.layout import Field, Values
from syncline.destinations.file.names import BARE_NULL, NULL, escaped
from syncline.destinations.values import spell
from syncline.errors import WriteError
from syncline.model import Row
from syncline.model.names import did_you_mean

REMEMBERED = 10_000
"""Values of a column whose spelling is kept at hand."""
SPELLED = (str, int, bool, Decimal, float, date, datetime)
_HOLDING_TIME = frozenset("HIMSfpzZcX")


class Refusal(msgspec.Struct, frozen=True):
    """Row number `row` of the batch (from 0) cannot be written."""

    row: int
    path: str
    reason: str


class Unplaceable(ValueError):
    """A value that no path can hold; the message says why."""


class Placer:
    """Sorts a batch's rows into partitions; knows how many there are."""

    def __init__(self, fields: Sequence[Field], most: int) -> None:
        self._fields, self._most = tuple(fields), most
        self._spellers = [_Speller(field) for field in fields]
        self.known: set[Values] = set()
        self._seen: set[str] = set()

    def satisfied(self) -> None:
        """The columns are known to be there: an earlier batch of this pass had them."""
        self._seen = {field.name for field in self._fields}

    def place(
        self, columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[int]
    ) -> tuple[dict[Values, list[int]], list[Refusal]]:
        """The numbers of the rows in each partition; of `rows`, only those `numbers` are looked at.

        Raises WriteError for a column that no row ever had, and for more partitions than are allowed.
        """
        self._check(columns, rows)
        refused: list[Refusal] = []
        groups: dict[Values, list[int]] = {}
        places = [columns.index(field.name) if field.name in columns else None for field in self._fields]
        for number in numbers:
            row = rows[number]
            try:
                values = tuple(
                    [None if at is None else spell(row[at]) for at, spell in zip(places, self._spellers, strict=True)]
                )
            except Unplaceable as problem:
                refused.append(self._refusal(number, row, places, problem))
                continue
            groups.setdefault(values, []).append(number)
        self._count(groups)
        return groups, refused

    def _refusal(self, number: int, row: Row, places: list[int | None], problem: Unplaceable) -> Refusal:
        for at, spell_, field in zip(places, self._spellers, self._fields, strict=True):
            try:
                if at is not None:
                    spell_(row[at])
            except Unplaceable:
                return Refusal(number, field.name[:200], f"it is part of the file's name: {problem}")
        raise AssertionError("what was refused once is refused again")

    def _check(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._seen.update(field.name for field in self._fields if field.name in columns)
        for field in self._fields:
            if field.name not in self._seen:
                raise WriteError(
                    f"the path of the destination holds {field}, but the rows have no column {field.name!r}",
                    hint=f"correct the path, or map that column; {did_you_mean(field.name, columns)}",
                )

    def _count(self, groups: dict[Values, list[int]]) -> None:
        self.known.update(groups)
        if len(self.known) > self._most:
            example = "/".join(str(value) for value in next(iter(groups)))
            raise WriteError(
                f"the rows of this run fall into more than {self._most} files, by {_listed(self._fields)}",
                hint="put coarser columns into the path ({created_at:%Y-%m} has 12 a year), or raise max_partitions",
                evidence=f"one of them: {example}",
            )


def _listed(fields: Sequence[Field]) -> str:
    return " and ".join(str(field) for field in fields)


class _Speller:
    """A column's values as parts of a path; remembers what it has spelled."""

    def __init__(self, field: Field) -> None:
        self._memory: dict[tuple[type, Any], str | None] = {}
        self._spell: Callable[[Any], str | None] = _plain if field.format is None else _Formatted(field.format)

    def __call__(self, value: Any) -> str | None:
        try:
            return self._memory[value.__class__, value]
        except KeyError:
            pass
        except TypeError:
            raise Unplaceable("a list or an object cannot be one") from None
        text = self._spell(value)
        if len(self._memory) >= REMEMBERED:
            self._memory.clear()
        self._memory[value.__class__, value] = text
        return text


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) not in SPELLED:
        raise Unplaceable(f"{type(value).__name__} cannot be one")
    return _safe(spell(value))


def _safe(text: str) -> str:
    try:
        found = escaped(text)
    except UnicodeEncodeError:
        raise Unplaceable("the text holds a lone surrogate, which is no character and has no UTF-8 form") from None
    # what stands for no value stands for nothing else
    return f"%{ord(found[0]):02X}{found[1:]}" if found in (NULL, BARE_NULL) else found


class _Formatted:
    """Times and dates by a format, in UTC; also those that are still text."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._by_day = not any(letter in _HOLDING_TIME for letter in _directives(form))
        self._days: dict[date, str] = {}

    def __call__(self, value: Any) -> str | None:
        if value is None:
            return None
        moment = _moment(value)
        if not self._by_day:
            return _safe(moment.strftime(self._form))
        day = moment.date() if isinstance(moment, datetime) else moment
        if day not in self._days:
            if len(self._days) >= REMEMBERED:
                self._days.clear()
            self._days[day] = _safe(day.strftime(self._form))
        return self._days[day]


def _directives(form: str) -> str:
    return "".join(piece[:1] for piece in form.replace("%%", "").replace("%-", "%").split("%")[1:])


def _moment(value: Any) -> date:
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, datetime) and value.tzinfo is not None and value.tzinfo is not UTC:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise Unplaceable(f"{value} is beyond the years that a time can have") from None
    if isinstance(value, date):
        return value
    raise Unplaceable(f"{type(value).__name__} is neither a time nor a date, as its format wants")


def _read(text: str) -> date:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        what = f"{text[:40]!r} is neither a time nor a date in ISO 8601, as its format wants"
        raise Unplaceable(what) from None
