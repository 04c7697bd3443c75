"""A mapping made ready: paths parsed, transforms found and bound. Both ways of running it start from here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from syncline.errors import SpecError
from syncline.mapping.chain import Call
from syncline.mapping.mapping import UNSET, FieldMapping, Mapping
from syncline.mapping.template import compile_template, parse_template
from syncline.mapping.transform import ArgumentError, Transform, find_transform, foreign, known_transforms
from syncline.model.names import did_you_mean
from syncline.model.paths import Path, parse_path

NUMBERS = "Numbers"
"""The group of transforms that give numbers, never text."""


class BoundStep(msgspec.Struct, frozen=True):
    """One transform with its arguments; `takes_null` ones are called for null as well. `sound` ones make no doubtful text.

    `whole` ones give whole numbers and nothing else.
    """

    name: str
    function: Callable[[Any], Any]
    takes_null: bool
    sound: bool = False
    whole: bool = False


class FieldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One field: the paths it reads, of which `fill` makes one value (a template), or the first that is not null counts.

    `constant` and `default` are UNSET where there is none.
    """

    target: str
    paths: tuple[Path, ...]
    spelled: tuple[str, ...]
    fill: Callable[..., str] | None
    constant: Any
    steps: tuple[BoundStep, ...]
    each: Plan | None
    required: bool
    default: Any

    @property
    def as_read(self) -> bool:
        """Whether its values are nothing but what stood in the record."""
        made = self.steps or self.fill is not None or self.constant is not UNSET or self.default is not UNSET
        return not made and (self.each is None or all(field.as_read for field in self.each.fields))

    @property
    def sound(self) -> bool:
        """Whether all text in its values is sound for sure where the record's own text is."""
        return self.as_read or (bool(self.steps) and self.steps[-1].sound and self.default is UNSET)


class Plan(msgspec.Struct, frozen=True):
    """All fields of one level; `needs_object` unless a path starts at the record as a whole or at an index."""

    fields: tuple[FieldPlan, ...]
    needs_object: bool


def make_plan(mapping: Mapping, at: str = "mapping") -> Plan:
    """Raises SpecError for a Python function that cannot be had."""
    fields = tuple(_plan_field(field, f"{at}.{field.target}") for field in mapping.fields)
    paths = [path for field in fields for path in field.paths]
    return Plan(fields, all(path and isinstance(path[0], str) for path in paths))


def _plan_field(field: FieldMapping, at: str) -> FieldPlan:
    fill: Callable[..., str] | None = None
    paths: tuple[Path, ...] = ()
    spelled: tuple[str, ...] = ()
    if field.template is not None:
        template = parse_template(field.template)
        fill, paths = compile_template(template), tuple(piece for piece in template if isinstance(piece, tuple))
    elif field.value is UNSET:
        spelled = (field.source,) if field.source is not None else field.coalesce or ()
        paths = tuple(map(parse_path, spelled))
    return FieldPlan(
        target=field.target,
        paths=paths,
        spelled=spelled,
        fill=fill,
        constant=field.value,
        steps=tuple(_bind(call, f"{at}.transform") for call in (field.transform.calls if field.transform else ())),
        each=None if field.each is None else make_plan(field.each, f"{at}.each"),
        required=field.required,
        default=field.default,
    )


def _bind(call: Call, at: str) -> BoundStep:
    transform = _import_function(call.name, at) if call.is_function else find_transform(call.name)
    if transform is None:
        hint = did_you_mean(call.name, known_transforms())
        raise SpecError(f"there is no transform {call.name!r}", hint=hint, path=at)
    try:
        step, ours = transform.bind(call.arguments), transform.group == NUMBERS
        whole = ours and getattr(step, "__annotations__", {}).get("return") == int.__name__
        return BoundStep(call.name, step, transform.takes_null, sound=ours, whole=whole)
    except ArgumentError as error:
        raise SpecError(str(error), hint="see the reference of transforms", path=at) from None


def _import_function(name: str, at: str) -> Transform:
    """The function `package.module:function`. The standard library is refused: a mapping is no way to run commands."""
    module_name, _, function_name = name.partition(":")
    if module_name.partition(".")[0] in sys.stdlib_module_names:
        raise _unusable(name, "it belongs to Python's own library", "write a function of your own around it", at)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module raises while it is imported
        why = f"{module_name} cannot be imported: {type(error).__name__}: {error}"
        raise _unusable(name, why, "install the package, or put its folder on PYTHONPATH", at) from None
    function = vars(module).get(function_name)
    if function is None or not callable(function):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise _unusable(name, f"{module_name} has no function {function_name}", did_you_mean(function_name, public), at)
    home = getattr(function, "__module__", None) or ""
    if function_name.startswith("_") or home.partition(".")[0] in sys.stdlib_module_names:
        raise _unusable(name, "it is private or belongs to Python's own library", "name a function of your own", at)
    for known in known_transforms().values():
        if known.function is function:
            return known
    return foreign(function, name)


def _unusable(name: str, why: str, hint: str, at: str) -> SpecError:
    return SpecError(f"the transform {name!r} cannot be used: {why}", hint=hint, path=at)
