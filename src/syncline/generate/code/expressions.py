"""Parts as the calls that make them, with the imports that those need."""

from __future__ import annotations

import keyword
from decimal import Decimal
from importlib import import_module
from typing import Any

import syncline
from syncline.generate.code.layout import Group, literal, text
from syncline.mapping import Mapping
from syncline.model import Part, Rate, Reference


class Imports:
    """The names that a module needs, by where they come from."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}

    def use(self, thing: type) -> str:
        """The name, imported from the most public place that has it."""
        name, home = thing.__name__, thing.__module__
        room = ".".join(home.split(".")[:2])
        place = home
        if home.startswith("syncline."):
            place = "syncline" if name in dir(syncline) else room if _has(room, name) else home
        self.names.setdefault(place, set()).add(name)
        return name

    def lines(self) -> list[str]:
        return [f"from {place} import {', '.join(sorted(names))}" for place, names in sorted(self.names.items())]


def _has(room: str, name: str) -> bool:
    return name in getattr(import_module(room), "__all__", ())


def expression(value: Any, imports: Imports) -> Any:
    """What makes an equal value: a call of its class where every field can be a keyword, else its data, validated."""
    if isinstance(value, Group):
        return value
    if isinstance(value, Reference):
        return Group(f"{imports.use(Reference)}(", (("", text(value.text)),), ")")
    if isinstance(value, Rate):
        return Group(f"{imports.use(Rate)}(", (("", repr(value.amount)), ("", repr(value.per))), ")")
    if isinstance(value, Part):
        return call(value, imports)
    if isinstance(value, dict):
        return Group(
            "{", tuple((f"{text(str(key))}: ", expression(inner, imports)) for key, inner in value.items()), "}"
        )
    if isinstance(value, tuple | list):
        start, end = ("(", ")") if isinstance(value, tuple) else ("[", "]")
        items = tuple(("", expression(inner, imports)) for inner in value)
        return Group(start, items, end, single=isinstance(value, tuple) and len(items) == 1)
    return literal(value)


def call(part: Part, imports: Imports, **instead: Any) -> Group:
    """The call that makes a part; `instead` are expressions for some of its fields."""
    name = imports.use(type(part))
    fields = {}
    for field, info in type(part).model_fields.items():
        value = getattr(part, field)
        if field == "kind" or (not info.is_required() and value == info.get_default(call_default_factory=True)):
            continue
        fields[info.alias or field] = (field, value)
    if isinstance(part, Mapping) or any(
        keyword.iskeyword(alias) or not (field in instead or _has_literal(value))
        for alias, (field, value) in fields.items()
    ):
        data = part.to_data()
        if _has_decimals(data):
            imports.use(Decimal)
        return Group(f"{name}.model_validate(", (("", literal(data)),), ")")
    items = tuple(
        (f"{alias}=", instead[field] if field in instead else expression(value, imports))
        for alias, (field, value) in fields.items()
    )
    return Group(f"{name}(", items, ")")


def _has_decimals(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, Decimal) or any(_has_decimals(one) for one in inner)


def _has_literal(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_has_literal(inner) for inner in value.values())
    if isinstance(value, tuple | list) and not isinstance(value, Rate):
        return all(_has_literal(inner) for inner in value)
    return isinstance(value, str | bool | int | float | None | Reference | Rate | Part)
