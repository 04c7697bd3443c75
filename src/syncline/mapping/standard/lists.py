"""Transforms of lists. Nulls among the elements are left out by `compact`, `sum`, `min`, `max`, `join` and `sort`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from syncline.mapping.standard.numbers import Number, add_all, need_number
from syncline.mapping.standard.texts import need_room, spell
from syncline.mapping.transform import MAX_LIST, ArgumentError, Step, TransformError, define, describe, expected
from syncline.model import encode_json

GROUP = "Lists"


def need_list(value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise expected("a list", value)
    return value


@define(GROUP)
def first(value: Any) -> Any:
    """The first element; null for an empty list.

    [3, 1] | first → 3
    """
    elements = need_list(value)
    return elements[0] if elements else None


@define(GROUP)
def last(value: Any) -> Any:
    """The last element; null for an empty list.

    [3, 1] | last → 1
    """
    elements = need_list(value)
    return elements[-1] if elements else None


@define(GROUP)
def count(value: Any) -> int:
    """How many elements.

    ["a", "b"] | count → 2
    """
    return len(need_list(value))


@define(GROUP)
def unique(value: Any) -> list[Any]:
    """Each element once, in the order of first sight; 1 and 1.0 are the same, 1 and true are not.

    ["a", "b", "a"] | unique → ["a", "b"]
    """
    found: dict[Any, Any] = {}
    for element in need_list(value):
        found.setdefault(_identity(element), element)
    return list(found.values())


@define(GROUP)
def sort(order: str = "ascending") -> Step:
    """In order, ascending or descending; all numbers, or all text by code point.

    [3, 1, 2] | sort → [1, 2, 3]
    ["b", "c"] | sort("descending") → ["c", "b"]
    """
    if order not in ("ascending", "descending"):
        raise ArgumentError("sort: order is ascending or descending")
    return lambda value: sorted(_comparable(value), reverse=order == "descending")


@define(GROUP)
def reverse(value: Any) -> list[Any]:
    """The last first.

    [1, 2] | reverse → [2, 1]
    """
    return need_list(value)[::-1]


@define(GROUP)
def compact(value: Any) -> list[Any]:
    """Without nulls and empty texts.

    ["a", null, ""] | compact → ["a"]
    """
    return [element for element in need_list(value) if element is not None and element != ""]


@define(GROUP)
def flatten(value: Any) -> list[Any]:
    """Lists within the list opened, one level deep.

    [[1, 2], [3]] | flatten → [1, 2, 3]
    """
    elements = need_list(value)
    if sum(len(element) if element.__class__ is list else 1 for element in elements) > MAX_LIST:
        raise TransformError(f"the result would have more than {MAX_LIST:,} elements")
    flat: list[Any] = []
    for element in elements:
        flat.extend(element) if element.__class__ is list else flat.append(element)
    return flat


@define(GROUP, inverse="split")
def join(separator: str) -> Step:
    """One text of all elements with `separator` between them.

    ["red", "green"] | join(", ") → "red, green"
    """

    def step(value: Any) -> str:
        pieces = [spell(element) for element in need_list(value) if element is not None]
        need_room(sum(map(len, pieces)) + len(separator) * len(pieces))
        return separator.join(pieces)

    return step


@define(GROUP)
def list_(value: Any) -> list[Any]:
    """A list as it is; any other value as a list of one.

    "a" | list → ["a"]
    """
    return value if value.__class__ is list else [value]


@define(GROUP)
def sum_(value: Any) -> Number:
    """The exact sum of numbers; 0 for an empty list.

    [1.10, 2.20] | sum → 3.30
    """
    return add_all([element for element in need_list(value) if element is not None])


@define(GROUP)
def min_(value: Any) -> Any:
    """The least element; null for an empty list.

    [3, 1] | min → 1
    """
    return min(_comparable(value), default=None)


@define(GROUP)
def max_(value: Any) -> Any:
    """The greatest element; null for an empty list.

    [3, 1] | max → 3
    """
    return max(_comparable(value), default=None)


def _comparable(value: Any) -> list[Any]:
    elements = [element for element in need_list(value) if element is not None]
    kinds = {_kind(element) for element in elements}
    if len(kinds) > 1:
        raise TransformError(f"{' and '.join(sorted(kinds))} have no common order")
    return elements


def _kind(element: Any) -> str:
    kind = element.__class__
    if kind is int or kind is Decimal or kind is float:
        need_number(element)
        return "a number"
    if kind is dict or kind is list:
        raise TransformError(f"{describe(element)} has no order")
    return describe(element)


def _identity(element: Any) -> tuple[str, Any]:
    if element.__class__ is dict or element.__class__ is list:
        return "nested", encode_json(element)
    return describe(element), element
