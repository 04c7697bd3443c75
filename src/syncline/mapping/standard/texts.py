"""Transforms of text."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from syncline.mapping.transform import MAX_LIST, MAX_TEXT, ArgumentError, Step, TransformError, define, expected, show

GROUP = "Text"
MAX_WIDTH = 10_000
MAX_SLUG = 100_000


def need_text(value: Any) -> str:
    if value.__class__ is not str:
        raise expected("text", value)
    return value


def spell(value: Any) -> str:
    """Text, number, truth, time or date as text, exactly. Raises TransformError for anything else."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is Decimal or kind is float:
        try:
            return str(value)
        except ValueError:
            raise TransformError("a number of more than 4300 digits") from None
    if kind is datetime or kind is date:
        return value.isoformat()  # type: ignore[no-any-return]
    raise expected("text or a number", value)


def need_room(length: int) -> None:
    if length > MAX_TEXT:
        raise TransformError(f"the result would be longer than {MAX_TEXT:,} characters")


@define(GROUP)
def text(value: Any) -> str:
    """A number, a truth or a time as text; text stays as it is.

    12.50 | text → "12.50"
    true | text → "true"
    """
    return spell(value)


@define(GROUP)
def trim(value: Any) -> str:
    """Without white space at both ends.

    " Ada " | trim → "Ada"
    """
    return need_text(value).strip()


@define(GROUP)
def squeeze(value: Any) -> str:
    """Trimmed, and every run of white space inside made one space.

    " Ada   Lovelace " | squeeze → "Ada Lovelace"
    """
    return " ".join(need_text(value).split())


@define(GROUP)
def lower(value: Any) -> str:
    """In lower case.

    "Ada" | lower → "ada"
    """
    return need_text(value).lower()


@define(GROUP)
def upper(value: Any) -> str:
    """In upper case.

    "eur" | upper → "EUR"
    """
    return need_text(value).upper()


@define(GROUP)
def title(value: Any) -> str:
    """Every word with a capital.

    "ada lovelace" | title → "Ada Lovelace"
    """
    return need_text(value).title()


@define(GROUP)
def replace(old: str, new: str) -> Step:
    """Every occurrence of `old` replaced by `new`; plain text, no patterns.

    "1,234.50" | replace(",", "") → "1234.50"
    """
    if not old:
        raise ArgumentError("replace: old is empty")
    growth = len(new) - len(old)

    def step(value: Any) -> str:
        whole = need_text(value)
        if growth > 0:
            need_room(len(whole) + growth * whole.count(old))
        return whole.replace(old, new)

    return step


@define(GROUP, inverse="join")
def split(separator: str) -> Step:
    """A list of the pieces between separators; empty text gives an empty list.

    "red,green" | split(",") → ["red", "green"]
    """
    if not separator:
        raise ArgumentError("split: separator is empty")

    def step(value: Any) -> list[str]:
        whole = need_text(value)
        if whole.count(separator) >= MAX_LIST:
            raise TransformError(f"the result would have more than {MAX_LIST:,} elements")
        return whole.split(separator) if whole else []

    return step


@define(GROUP)
def substring(start: int, end: int | None = None) -> Step:
    """Characters from `start` (counted from 0) up to, not including, `end`; negative numbers count from the end.

    "2026-11-22" | substring(0, 4) → "2026"
    "ab-123" | substring(-3) → "123"
    """
    return lambda value: need_text(value)[start:end]


@define(GROUP)
def truncate(length: int) -> Step:
    """At most the first `length` characters.

    "abcdef" | truncate(3) → "abc"
    """
    if length < 0:
        raise ArgumentError("truncate: length is at least 0")
    return lambda value: need_text(value)[:length]


@define(GROUP, inverse="remove_prefix")
def prefix(addition: str) -> Step:
    """With `addition` in front.

    "123" | prefix("shop-") → "shop-123"
    """

    def step(value: Any) -> str:
        need_room(len(need_text(value)) + len(addition))
        return addition + value  # type: ignore[no-any-return]

    return step


@define(GROUP, inverse="remove_suffix")
def suffix(addition: str) -> Step:
    """With `addition` at the end.

    "12" | suffix(" kg") → "12 kg"
    """

    def step(value: Any) -> str:
        need_room(len(need_text(value)) + len(addition))
        return value + addition  # type: ignore[no-any-return]

    return step


@define(GROUP, inverse="prefix")
def remove_prefix(beginning: str) -> Step:
    """Without `beginning`, where it begins so.

    "shop-123" | remove_prefix("shop-") → "123"
    """
    return lambda value: need_text(value).removeprefix(beginning)


@define(GROUP, inverse="suffix")
def remove_suffix(ending: str) -> Step:
    """Without `ending`, where it ends so.

    "12 kg" | remove_suffix(" kg") → "12"
    """
    return lambda value: need_text(value).removesuffix(ending)


@define(GROUP)
def before(mark: str) -> Step:
    """What stands before the first `mark`; null where there is none.

    "ada@example.com" | before("@") → "ada"
    """
    return _cut(mark, lambda found: found[0])


@define(GROUP)
def after(mark: str) -> Step:
    """What stands after the first `mark`; null where there is none.

    "ada@example.com" | after("@") → "example.com"
    "none here" | after("@") → null
    """
    return _cut(mark, lambda found: found[2])


@define(GROUP)
def after_last(mark: str) -> Step:
    """What stands after the last `mark`; null where there is none.

    "gid://shop/Order/42" | after_last("/") → "42"
    """
    if not mark:
        raise ArgumentError("a mark is empty")

    def step(value: Any) -> str | None:
        _, found, rest = need_text(value).rpartition(mark)
        return rest if found else None

    return step


@define(GROUP)
def between(start: str, end: str) -> Step:
    """What stands between the first `start` and the next `end`; null where there is none.

    "Order (A-17) paid" | between("(", ")") → "A-17"
    """
    if not start or not end:
        raise ArgumentError("a mark is empty")

    def step(value: Any) -> str | None:
        _, opened, rest = need_text(value).partition(start)
        inner, closed, _ = rest.partition(end)
        return inner if opened and closed else None

    return step


@define(GROUP)
def digits(value: Any) -> str:
    """Only the digits 0 to 9.

    "+33 1 23-45" | digits → "3312345"
    """
    return re.sub(r"[^0-9]+", "", need_text(value))


@define(GROUP)
def pad(width: int, fill: str = " ") -> Step:
    """Filled up on the left to `width` characters.

    "7" | pad(3, "0") → "007"
    """
    if not 0 <= width <= MAX_WIDTH or len(fill) != 1:
        raise ArgumentError(f"pad: width is 0 to {MAX_WIDTH}, fill is one character")
    return lambda value: need_text(value).rjust(width, fill)


@define(GROUP)
def slug(value: Any) -> str:
    """Lower-case ASCII letters, digits and hyphens, for addresses and file names.

    "Crème Brûlée, large" | slug → "creme-brulee-large"
    """
    if len(need_text(value)) > MAX_SLUG:
        raise TransformError(f"the text is longer than {MAX_SLUG:,} characters")
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


@define(GROUP)
def email(value: Any) -> str:
    """An e-mail address trimmed and in lower case; text that is none is an error.

    " Ada@Example.COM " | email → "ada@example.com"
    """
    address = need_text(value).strip().lower()
    name, at, domain = address.partition("@")
    if not at or not name or not domain or "@" in domain or len(address.split()) != 1:
        raise TransformError(f"{show(value)} is no e-mail address")
    return address


def _cut(mark: str, take: Any) -> Step:
    if not mark:
        raise ArgumentError("a mark is empty")

    def step(value: Any) -> Any:
        found = need_text(value).partition(mark)
        return take(found) if found[1] else None

    return step
