"""What columns a stream's files have: their order, their types, and what of it holds from one pass to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Rounded, localcontext
from typing import Any

import msgspec

from syncline.destinations.target import SchemaPolicy
from syncline.destinations.values import MAX_INTEGER, MIN_INTEGER, Logical
from syncline.errors import WriteError

MAX_COLUMNS = 1_000
LIMITLESS = 9_999
"""Digits of numbers that nobody counted."""
_EXACT = Context(prec=5_000, Emax=999_999, Emin=-999_999, traps=[Inexact, Rounded, InvalidOperation])


class Column(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One column. `digits` and `scale` count what its numbers need before and behind the point."""

    name: str
    kind: Logical = "unknown"
    digits: int = 0
    scale: int = 0


class Columns:
    """The columns of one pass, in the order of their appearance, and those that earlier passes knew.

    What is changed is changed in a copy, which takes the place of the original when its rows were accepted.
    """

    def __init__(
        self, table: str, policy: SchemaPolicy, known: Iterable[Column] = (), here: Iterable[Column] = ()
    ) -> None:
        self.table, self.policy = table, policy
        self.known = {column.name: column for column in known}
        self.here = list(here)
        self.index = {column.name: number for number, column in enumerate(self.here)}

    def copy(self) -> Columns:
        return Columns(self.table, self.policy, self.known.values(), self.here)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.here]

    def allows(self, name: str) -> bool:
        """Whether the schema may have this column. Raises WriteError where it is frozen."""
        if self.policy == "evolve" or name in self.index or name in self.known or not (self.known or self.here):
            return True
        if self.policy == "freeze":
            raise frozen(self.table, f"a new column {name!r} came")
        return False

    def place(self, name: str) -> int:
        """The column's place in a row; a new one goes to the end."""
        number = self.index.setdefault(name, len(self.here))
        if number == len(self.here):
            self.here.append(Column(name))
        return number

    def merged(self) -> list[Column]:
        """What the next pass should know: the columns of this one, each with the type it was known by if it had no value."""
        now = [self.known.get(c.name, c) if c.kind == "unknown" else c for c in self.here]
        return now + [column for name, column in self.known.items() if name not in self.index]

    def changes(self, after: Columns) -> list[str]:
        """What is new there, for people; nothing where this is the first that is known of the stream."""
        if not (self.known or self.here):
            return []
        told = []
        for column in after.here:
            before = self.here[self.index[column.name]] if column.name in self.index else self.known.get(column.name)
            if before is None:
                told.append(f"new column {column.name}" + (f" ({column.kind})" if column.kind != "unknown" else ""))
            elif before.kind not in (column.kind, "unknown") and column.kind != "unknown":
                told.append(f"column {column.name}: {before.kind} becomes {column.kind}")
        return told


def turned(before: Columns, after: Columns) -> dict[str, Logical]:
    """Columns that had another type and are JSON now: that type by their place."""
    return {
        str(place): old.kind
        for place, (old, new) in enumerate(zip(before.here, after.here, strict=False))
        if new.kind == "json" and old.kind not in ("json", "unknown")
    }


def frozen(table: str, what: str) -> WriteError:
    return WriteError(
        f"the schema of {table!r} is frozen: {what}",
        hint="look at it with `syncline plan`, then set `schema: evolve` on the stream, or map the field",
    )


def extent(values: Sequence[Any], *, decimals: bool) -> tuple[int, int]:
    """How many digits the numbers among the values need before and behind the point; 20 stands for 64 bits exceeded.

    Raises ValueError for a number that is none: NaN, Infinity.
    """
    numbers = [value for value in values if value is not None]
    if not numbers:
        return 0, 0
    try:
        low, high = min(numbers), max(numbers)
        if not decimals:
            digits = max(len(str(abs(low))), len(str(abs(high))))
            return (min(digits, 19), 0) if low >= MIN_INTEGER and high <= MAX_INTEGER else (max(digits, 20), 0)
        digits = max(Decimal(low).adjusted(), Decimal(high).adjusted(), -1) + 1
        return digits, _scale(numbers)
    except DecimalException as problem:
        raise ValueError("not a number") from problem


def _scale(numbers: Sequence[Any]) -> int:
    """An exact sum has the smallest of all exponents, and is found many times faster than by looking at each."""
    with localcontext(_EXACT):
        try:
            exponents = [sum(numbers, Decimal(0)).as_tuple().exponent]
        except (Inexact, Rounded):
            exponents = [Decimal(number).as_tuple().exponent for number in numbers]
    if any(isinstance(exponent, str) for exponent in exponents):
        raise ValueError("not a number")
    return max(0, -min(exponent for exponent in exponents if isinstance(exponent, int)))
