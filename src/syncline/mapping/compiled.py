"""The quick way through a mapping: one Python function, generated per stream, that maps a whole page.

Its source consists of our own words only. Every key, constant and function of the user is bound to a name of ours
(`k1`, `k2`, …) in the function's globals and never becomes source text, and there are no builtins for it to reach.
The code is optimistic: whatever it does not expect, it leaves to the careful way, one record at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any

from msgspec.structs import replace

from syncline.mapping.mapping import UNSET
from syncline.mapping.plan import FieldPlan, Plan
from syncline.mapping.transform import column_of
from syncline.mapping.where import Matches
from syncline.model import MISSING, Elements, Shape, read_path
from syncline.model.paths import Path

MapPage = Callable[[list[Any], list[tuple[Any, ...]], Callable[[Any], int]], int]
"""Takes the records, the list to append rows to, and the careful way; gives how many were filtered, as the latter does."""

MAX_INLINE = 8
"""Steps of a path that become code of their own; the rest is read by the general reader."""


class Unmapped(Exception):
    """The record is not what the quick way expects."""


def compile_page(plan: Plan, matches: Matches | None) -> MapPage:
    """Generate the function for one plan."""
    writer = _Writer()
    writer.line(0, "def page(records, rows, careful):")
    writer.line(1, "append = rows.append")
    writer.line(1, "filtered = 0")
    writer.line(1, "for record in records:")
    writer.line(2, "try:")
    writer.expect_object(plan, "record", 3)
    if matches is not None:
        writer.line(3, f"if not {writer.bind(matches)}(record):")
        writer.line(4, "filtered += 1")
        writer.line(4, "continue")
    values = writer.fields(plan, "record", 3)
    writer.line(3, f"append(({', '.join(values)},))")
    writer.line(2, "except Exception:")
    writer.line(3, "filtered += careful(record)")
    writer.line(1, "return filtered")
    return writer.function()


def compile_shaped_page(plan: Plan, shape: Shape) -> MapPage:
    """The same for records decoded into a shape. What it does not expect is raised: the page is to be mapped from objects.

    Where a field's first step knows how to make a whole column at once, the column is made before the rows are.
    """
    writer = _Writer()
    writer.line(0, "def page(records, rows, careful):")
    writer.line(1, "append = rows.append")
    columns: dict[str, str] = {}
    for field in plan.fields:
        if (made := writer.column(field, shape)) is not None:
            columns[field.target] = writer.name("c")
            writer.line(1, f"{columns[field.target]} = {made}")
    fields = [(field, columns.get(field.target)) for field in plan.fields]
    each = {name: writer.name("v") for name in columns.values()}
    writer.line(1, f"for {', '.join(['record', *each.values()])} in {writer.side_by_side(['records', *each])}:")
    found: dict[Path, str] = {}
    paths = dict.fromkeys(path for field, column in fields if column is None for path in field.paths)
    writer.members("record", shape, [(path, path) for path in paths], found, 2)
    values = [
        writer.field(field, found, 2)
        if column is None
        else writer.field(replace(field, steps=field.steps[1:]), {field.paths[0]: each[column]}, 2)
        for field, column in fields
    ]
    writer.line(2, f"append(({', '.join(values)},))")
    writer.line(1, "return 0")
    return writer.function()


@lru_cache(maxsize=64)
def _compiled(source: str) -> CodeType:
    """Among hundreds of integrations many are of one kind, and what differs in them is bound to names."""
    return compile(source, "<mapping>", "exec")


class _Writer:
    """Writes the source, line by line, and collects what it binds."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.names: dict[str, Any] = {
            "__builtins__": {}, "isinstance": isinstance, "len": len, "dict": dict, "list": list,
            "zip": zip, "Exception": Exception, "Unmapped": Unmapped, "find": _find, "copied": copy.deepcopy,
        }  # fmt: skip

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def bind(self, value: Any) -> str:
        name = self.name("k")
        self.names[name] = value
        return name

    def function(self) -> MapPage:
        exec(_compiled("\n".join(self.lines)), self.names)  # noqa: S102 – no user's text in it, see above
        return self.names["page"]  # type: ignore[no-any-return]

    def expect_object(self, plan: Plan, name: str, depth: int) -> None:
        if plan.needs_object:
            self.line(depth, f"if {name}.__class__ is not dict:")
            self.line(depth + 1, "raise Unmapped")

    def fields(self, plan: Plan, record: str, depth: int) -> list[str]:
        """Code for all fields of a level; gives the names that hold their values afterwards."""
        paths = list(dict.fromkeys(path for field in plan.fields for path in field.paths))
        found: dict[Path, str] = {}
        self.reads(record, [(path, path) for path in paths], found, depth, is_object=plan.needs_object)
        return [self.field(field, found, depth) for field in plan.fields]

    def reads(
        self, name: str, wanted: list[tuple[Path, Path]], found: dict[Path, str], depth: int, *, is_object: bool = False
    ) -> None:
        """Code that reads paths below `name`; each pair is a whole path and what is left of it."""
        groups: dict[Any, list[tuple[Path, Path]]] = {}
        for whole, rest in wanted:
            if not rest:
                found[whole] = name
            elif isinstance(rest[0], str | int) and len(whole) - len(rest) < MAX_INLINE:
                groups.setdefault(rest[0], []).append((whole, rest[1:]))
            else:
                found[whole] = self.name("v")
                self.line(depth, f"{found[whole]} = find({self.bind(rest)}, {name})")
        keys = {step: group for step, group in groups.items() if isinstance(step, str)}
        indexes = {step: group for step, group in groups.items() if not isinstance(step, str)}
        for kind, steps in (("dict", keys), ("list", indexes)):
            if not steps:
                continue
            sure = is_object and kind == "dict"
            if not sure:
                self.line(depth, f"if isinstance({name}, {kind}):")
            for step, group in steps.items():
                child = self.name("v")
                self.line(depth + (not sure), f"{child} = {self.lookup(name, step)}")
                self.reads(child, group, found, depth + (not sure))
            if not sure:
                absent = dict.fromkeys(found[whole] for group in steps.values() for whole, _ in group)
                self.line(depth, "else:")
                self.line(depth + 1, f"{' = '.join(absent)} = None")

    def members(
        self, name: str, shape: Shape, wanted: list[tuple[Path, Path]], found: dict[Path, str], depth: int
    ) -> None:
        """Code that reads paths from a struct; below what a shape holds as a whole, `reads` goes on."""
        groups: dict[Any, list[tuple[Path, Path]]] = {}
        for whole, rest in wanted:
            groups.setdefault(rest[0], []).append((whole, rest[1:]))
        for key, group in groups.items():
            attribute, inner = shape.members[key]
            child = self.name("v")
            self.line(depth, f"{child} = {name}.{attribute}")
            if inner is None:
                self.reads(child, group, found, depth)
                continue
            self.line(depth, f"if {child} is not None:")
            if isinstance(inner, Elements):
                self.elements(child, inner, group, found, depth + 1)
            else:
                self.members(child, inner, group, found, depth + 1)
            absent = dict.fromkeys(found[whole] for whole, _ in group)
            self.line(depth, "else:")
            self.line(depth + 1, f"{' = '.join(absent)} = None")

    def elements(
        self, name: str, elements: Elements, wanted: list[tuple[Path, Path]], found: dict[Path, str], depth: int
    ) -> None:
        """Code that reads paths from the elements of a list of structs."""
        groups: dict[Any, list[tuple[Path, Path]]] = {}
        for whole, rest in wanted:
            groups.setdefault(rest[0], []).append((whole, rest[1:]))
        for index, group in groups.items():
            child = self.name("v")
            self.line(depth, f"{child} = {self.lookup(name, index)}")
            self.line(depth, f"if {child} is not None:")
            self.members(child, elements.shape, group, found, depth + 1)
            absent = dict.fromkeys(found[whole] for whole, _ in group)
            self.line(depth, "else:")
            self.line(depth + 1, f"{' = '.join(absent)} = None")

    def column(self, field: FieldPlan, shape: Shape) -> str | None:
        """An expression for a list of what the field's first step makes of every record; None where there is no quick way."""
        if len(field.paths) != 1 or not field.steps or field.steps[0].takes_null or field.fill is not None:
            return None
        quick, value = column_of(field.steps[0].function), self.value("record", shape, field.paths[0])
        if quick is None or value is None:
            return None
        return f"{self.bind(quick)}([{value} for record in records])"

    def value(self, name: str, shape: Shape, path: Path) -> str | None:
        """An expression for a value of a struct; None where the path goes on below what the shape knows, or through a list."""
        assert isinstance(path[0], str)
        attribute, inner = shape.members[path[0]]
        if len(path) == 1:
            return f"{name}.{attribute}" if inner is None else None
        if not isinstance(inner, Shape):
            return None
        child = self.name("v")
        value = self.value(child, inner, path[1:])
        return None if value is None else f"({value} if ({child} := {name}.{attribute}) is not None else None)"

    @staticmethod
    def side_by_side(names: list[str]) -> str:
        return names[0] if len(names) == 1 else f"zip({', '.join(names)})"

    def lookup(self, name: str, step: str | int) -> str:
        if isinstance(step, str):
            return f"{name}.get({self.bind(step)})"
        fits = f"len({name}) > {step}" if step >= 0 else f"len({name}) >= {-step}"
        return f"{name}[{step}] if {fits} else None"

    def field(self, field: FieldPlan, found: dict[Path, str], depth: int) -> str:
        """Code from the values read to the value of one field."""
        origin = self.origin(field, [found[path] for path in field.paths])
        if origin.isidentifier() and not (field.steps or field.each or field.required or field.default is not UNSET):
            return origin
        value = self.name("f")
        self.line(depth, f"{value} = {origin}")
        for step in field.steps:
            call = f"{value} = {self.bind(step.function)}({value})"
            if step.takes_null:
                self.line(depth, call)
            else:
                self.line(depth, f"if {value} is not None:")
                self.line(depth + 1, call)
        if field.each is not None:
            self.each(field.each, value, depth)
        if field.default is not UNSET:
            self.line(depth, f"if {value} is None:")
            self.line(depth + 1, f"{value} = {self.constant(field.default)}")
        if field.required:
            self.line(depth, f"if {value} is None:")
            self.line(depth + 1, "raise Unmapped")
        return value

    def origin(self, field: FieldPlan, names: list[str]) -> str:
        if field.constant is not UNSET:
            return self.constant(field.constant)
        if field.fill is not None:
            given = " and ".join(f"{name} is not None" for name in dict.fromkeys(names))
            return f"{self.bind(field.fill)}({', '.join(names)}) if {given} else None"
        *others, last = names
        return "".join(f"{name} if {name} is not None else " for name in others) + last

    def constant(self, value: Any) -> str:
        name = self.bind(value)
        return f"copied({name})" if isinstance(value, dict | list) else name

    def each(self, plan: Plan, value: str, depth: int) -> None:
        """Code for a nested mapping over the list that `value` holds."""
        made, element = self.name("m"), self.name("e")
        self.line(depth, f"if {value} is not None:")
        self.line(depth + 1, f"if not isinstance({value}, list):")
        self.line(depth + 2, "raise Unmapped")
        self.line(depth + 1, f"{made} = []")
        self.line(depth + 1, f"for {element} in {value}:")
        self.expect_object(plan, element, depth + 2)
        values = self.fields(plan, element, depth + 2)
        pairs = zip(plan.fields, values, strict=True)
        content = ", ".join(f"{self.bind(field.target)}: {name}" for field, name in pairs)
        self.line(depth + 2, f"{made}.append({{{content}}})")
        self.line(depth + 1, f"{value} = {made}")


def _find(path: Path, value: Any) -> Any:
    found = read_path(path, value)
    return None if found is MISSING else found
