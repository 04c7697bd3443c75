"""Columns of databases that are reached through SQLAlchemy: which types they are made of, and what those hold exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError

from syncline.databases.ways import Type, Ways
from syncline.destinations.sql.table import Column
from syncline.destinations.values import Convert, Logical, all_finite, finite, holds_nul, spell, spell_json
from syncline.model import decode_json

WHOLE, SCALE = 20, 10
"""Digits before and after the point that a new decimal column has at least, where they have to be said."""
INTEGER_DIGITS = 19
NUMBERS = (int, float, Decimal)


class AlchemyColumn(Column, frozen=True, kw_only=True):
    """A column with its type as it is made, and as values are bound to it.

    `there` is one of a table that exists, `origin` the one that a new one takes the place of. What is written to a `doubtful` one
    is read back. `longest` are the characters or bytes that it holds.
    """

    made: Type
    bound: Type
    there: bool = False
    origin: AlchemyColumn | None = None
    doubtful: bool = False
    longest: int | None = None
    key: bool = False

    @property
    def naive(self) -> bool:
        return not getattr(self.bound, "timezone", False)


class Columns:
    """Makes columns for values, and reads those that are there."""

    def __init__(self, dialect: Dialect, ways: Ways) -> None:
        self.dialect, self.ways = dialect, ways

    def made(
        self, name: str, logical: Logical, *, key: bool = False, fits: tuple[int, int] | None = None
    ) -> AlchemyColumn:
        """A new column. Decimals need `fits` where the database wants to know their digits."""
        if key and logical in ("json", "unknown"):
            logical = "text"
        made, longest = self._type(logical, key=key, fits=fits)
        return AlchemyColumn(
            name,
            self.spelled(made),
            logical,
            fits=fits if self.ways.digits else None,
            made=made,
            bound=made,
            longest=longest,
            doubtful=not self._sure(logical),
            key=key,
        )

    def of_type(self, name: str, made: Type) -> AlchemyColumn:
        """A column of just that type."""
        return AlchemyColumn(name, self.spelled(made), "unknown", made=made, bound=made)

    def for_values(
        self, name: str, logical: Logical, values: Iterable[Any], *, key: bool, beside: Column | None = None
    ) -> AlchemyColumn:
        """A new column that holds these values, and all that the one `beside` holds; text, where decimals have too many digits."""
        if logical != "decimal" or not self.ways.digits:
            return self.made(name, logical, key=key)
        fits = self.sized([*values, *largest(beside)])
        return self.made(name, "text", key=key) if fits is None else self.made(name, logical, key=key, fits=fits)

    def sized(self, values: Iterable[Any]) -> tuple[int, int] | None:
        """Digits before and after the point for these numbers, with some to spare; None where no column has so many."""
        assert self.ways.digits
        sizes = [size_of(value) for value in values if value is not None]
        whole = max((whole for whole, _ in sizes), default=0)
        scale = max((scale for _, scale in sizes), default=0)
        if whole + scale > self.ways.digits or scale > self.ways.scale:
            return None
        after = min(max(scale, SCALE), self.ways.scale, self.ways.digits - whole)
        return min(max(whole, WHOLE), self.ways.digits - after), after

    def _type(self, logical: Logical, *, key: bool, fits: tuple[int, int] | None) -> tuple[Type, int | None]:
        ways = self.ways
        match logical:
            case "boolean":
                return sa.Boolean(), None
            case "integer":
                return sa.BigInteger(), None
            case "decimal" if ways.digits is None:
                return sa.Numeric(), None
            case "decimal" if ways.digits:
                whole, scale = fits or (WHOLE, SCALE)
                return sa.Numeric(whole + scale, scale), None
            case "float":
                return sa.Double(), None
            case "timestamp":
                return ways.moment, None
            case "date":
                return sa.Date(), None
            case "json" if ways.json is not None:
                return ways.json, None
            case "binary":
                return (ways.key_binary, 255) if key else (ways.binary, None)
        if key and ways.longest_key is not None:
            return ways.key_text(ways.longest_key), ways.longest_key
        return ways.text, None

    def _sure(self, logical: Logical) -> bool:
        """Whether a column made for such values is known to keep them exactly."""
        if logical == "json" and self.dialect.name == "mysql" and not getattr(self.dialect, "is_mariadb", False):
            return False  # MySQL's own JSON keeps decimals as floats
        return self.ways.tried

    def spelled(self, made: Type) -> str:
        try:
            return made.compile(dialect=self.dialect)
        except SQLAlchemyError:
            return repr(made)

    def read(self, name: str, found: Type, made_as: Logical | None, *, key: bool) -> AlchemyColumn:
        """A column that is there; `made_as` is what Syncline made it for, if it did."""
        declared = self.spelled(found)
        if made_as is not None:
            fits = _digits(found) if made_as == "decimal" and self.ways.digits else None
            ours = self.made(name, made_as, key=key, fits=fits)
            bound = found if made_as in ("text", "decimal") else ours.bound
            return msgspec.structs.replace(ours, declared=declared, made=found, bound=bound, there=True)
        logical, bound, sure = _meaning(found, self.dialect)
        return AlchemyColumn(
            name,
            declared,
            logical,
            fits=_digits(found) if logical == "decimal" else None,
            made=found,
            bound=bound,
            there=True,
            doubtful=not (sure and self.ways.tried),
            longest=_longest(bound) if self.dialect.name != "sqlite" else None,
            key=key,
        )

    # Values

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        given = kinds - {type(None)}
        match column.logical:
            case "text":
                return None if given <= {str} else spell
            case "decimal" if self._as_text(column):
                return None if given <= {str} else spell
            case "decimal":
                return None if given <= {Decimal, int} else _decimal
            case "integer":
                return int if bool in given else None
            case "float":
                return None if given <= {float} else float
            case "timestamp":
                return _naive if isinstance(column, AlchemyColumn) and column.naive else _utc
            case "json" if self.ways.json is None:
                return spell_json
            case _:
                return None

    def restored(self, stored: Any, column: Column) -> Any:
        """The value that was written, from what the driver gives."""
        if stored is None:
            return None
        match column.logical:
            case "boolean":
                return bool(stored)
            case "integer":
                return int(stored)
            case "decimal":
                return Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored)
            case "float":
                return float(stored)
            case "timestamp":
                return _utc(stored) if isinstance(stored, datetime) else stored
            case "date":
                return stored.date() if isinstance(stored, datetime) else stored
            case "json" if isinstance(stored, str) and self.ways.json is None:
                return decode_json(stored)
            case "binary":
                return bytes(stored)
            case "text":
                return stored if isinstance(stored, str) else spell(stored)
        return stored

    def moved(self, stored: Any, before: AlchemyColumn, after: AlchemyColumn) -> Any:
        """A stored value of one column as it is bound to another, wider one."""
        if stored is None or before is after:
            return stored
        value = self.restored(stored, before)
        convert = self.converter(after, frozenset({type(value)}))
        return convert(value) if convert else value

    def same(self, stored: Any, bound: Any, column: Column) -> bool:
        """Whether what the driver gives is exactly what was, or would be, bound."""
        if stored is None or bound is None:
            return stored is bound
        if column.logical == "json":
            given = bound if self.ways.json is None else spell_json(bound)
            return same_json(self.restored(stored, column), decode_json(given))
        if type(stored) is type(bound) and stored == bound:
            return True
        if self._as_text(column):
            return False
        kept = self.restored(stored, column)
        return bool(kept == (_utc(bound) if isinstance(bound, datetime) else bound))

    def key_of(self, value: Any, column: Column) -> Any:
        """A bound value, or one that the driver gives, as keys are compared."""
        if isinstance(value, datetime):
            return _utc(value)
        if column.logical == "text" or self._as_text(column):
            return value if isinstance(value, str) else spell(value)
        return bytes(value) if column.logical == "binary" else value

    def _as_text(self, column: Column) -> bool:
        return column.logical == "decimal" and isinstance(column, AlchemyColumn) and isinstance(column.bound, sa.String)

    def check(
        self, column: Column, kinds: frozenset[type], misfit: Callable[[Any, Column], str | None]
    ) -> Callable[[Sequence[Any]], bool] | None:
        """What has to be looked at because the database would not refuse it, and would change it."""
        assert isinstance(column, AlchemyColumn)
        sized = column.longest is not None or column.fits is not None
        if sized or column.logical in ("json", "timestamp") or (column.logical == "float" and kinds & {int, Decimal}):
            return lambda values: not any(misfit(value, column) for value in values)
        if kinds & {float, Decimal}:
            return all_finite
        return None

    def misfit(self, value: Any, column: Column | None) -> str | None:
        """What the rule for all destinations does not say: why this value cannot be kept exactly here."""
        if value is None:
            return None
        if isinstance(value, float | Decimal) and not finite(value):
            return "Infinity is not a number that every database holds"
        if not self.ways.holds_nul and holds_nul(value):
            return f"{self.dialect.name}'s text cannot hold NUL (\\u0000)"
        if not isinstance(column, AlchemyColumn):
            return None
        if isinstance(column.bound, sa.types.NullType) and column.logical == "unknown":
            return f"the column's type is not one that SQLAlchemy knows ({column.declared})"
        if isinstance(value, datetime) and _utc(value).year < self.ways.first_year:
            return f"{self.dialect.name} has no times before the year {self.ways.first_year}"
        if column.longest is not None:
            spelled = value if isinstance(value, bytes) else spell(value)
            if len(spelled) > column.longest:
                return f"the column is {column.declared}; this has {len(spelled)} {_units(value)}"
        if column.fits is not None and isinstance(value, NUMBERS):
            whole, scale = size_of(value)
            if whole > column.fits[0] or scale > column.fits[1]:
                return f"the column is {column.declared}; this number does not fit in exactly"
        return None


def size_of(value: Any) -> tuple[int, int]:
    """Digits of a number before and after the point."""
    _, digits, exponent = (Decimal(repr(value)) if isinstance(value, float) else Decimal(value)).as_tuple()
    assert isinstance(exponent, int)
    last = next((place for place in range(len(digits), 0, -1) if digits[place - 1]), 0)
    if last == 0:
        return 0, 0
    return max(0, len(digits) + exponent), max(0, last - len(digits) - exponent)


def same_json(one: Any, other: Any) -> bool:
    """Whether two decoded documents say the same: numbers by value, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def largest(column: Column | None) -> Iterable[Decimal]:
    """Numbers with as many digits as such a column can hold."""
    if column is None:
        return ()
    whole, scale = column.fits or (INTEGER_DIGITS if column.logical == "integer" else 1, 0)
    return (Decimal(1).scaleb(whole - 1), Decimal(1).scaleb(-scale))


def _longest(bound: Type) -> int | None:
    """Characters or bytes that a type of fixed size holds."""
    length = getattr(bound, "length", None) if isinstance(bound, sa.String | sa.types._Binary) else None
    return length if isinstance(length, int) else None


def _units(value: Any) -> str:
    return "bytes" if isinstance(value, bytes) else "characters"


def _digits(found: Type) -> tuple[int, int] | None:
    """Digits before and after the point that a type of fixed size holds."""
    precision, scale = getattr(found, "precision", None), getattr(found, "scale", None) or 0
    return None if precision is None else (precision - scale, scale)


def _meaning(found: Type, dialect: Dialect) -> tuple[Logical, Type, bool]:
    """Of somebody else's column: what it is for, how values are bound to it, and whether it keeps or refuses them."""
    sqlite = dialect.name == "sqlite"
    match found:
        case sa.types.NullType():
            return "unknown", found, False
        case sa.Boolean():
            return "boolean", sa.Boolean(), True
        case sa.Integer():
            return "integer", sa.BigInteger(), True
        case sa.Float():
            return "float", sa.Double(), sqlite or isinstance(found, sa.Double)
        case sa.Numeric() if dialect.supports_native_decimal:
            return "decimal", sa.Numeric(found.precision, found.scale), True
        case sa.Numeric():
            return "float", sa.Double(), False
        case sa.DateTime():
            return "timestamp", sa.DateTime(timezone=found.timezone), getattr(found, "fsp", 6) == 6
        case sa.Date():
            return "date", sa.Date(), True
        case sa.JSON() if not sqlite:
            return "json", sa.JSON(none_as_null=True), dialect.name == "postgresql"
        case sa.JSON():
            return "json", sa.UnicodeText(), False
        case sa.LargeBinary():
            return "binary", sa.LargeBinary(), True
        case sa.types._Binary():
            return "binary", found, False
        case sa.String() if not isinstance(found, sa.Enum):
            return "text", found, not isinstance(found, sa.CHAR)
        case _:
            return "text", sa.types.NullType(), False


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _naive(moment: datetime) -> datetime:
    return _utc(moment).replace(tzinfo=None)


def _decimal(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
