"""The careful way through a mapping: one record, one step at a time, and for every failure its path and its reason."""

from __future__ import annotations

import copy
import re
from decimal import DecimalException
from typing import Any

from syncline.mapping.mapping import UNSET
from syncline.mapping.plan import FieldPlan, Plan
from syncline.mapping.standard.numbers import words_of
from syncline.mapping.transform import TransformError, describe, show
from syncline.model import MISSING, read_path

_PLAIN_KEY = re.compile(r'[^.\[\]"\s][^.\[\]"]*')
_SURROGATE = re.compile("[\ud800-\udfff]")


class FieldError(Exception):
    """Why a record does not become a row: the path of the target and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path or ".", reason


def interpret(plan: Plan, record: Any, at: str = "") -> tuple[Any, ...]:
    """The row of one record. Raises FieldError."""
    if plan.needs_object and not isinstance(record, dict):
        raise FieldError(at, f"an object is expected, not {describe(record)}")
    return tuple(_field(field, record, join_path(at, field.target)) for field in plan.fields)


def join_path(at: str, key: str) -> str:
    """A path with one more key, in the path grammar, and printable whatever the key holds."""
    if _PLAIN_KEY.fullmatch(key) is None:
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        key = f'"{escaped}"'
    key = key.encode("utf-8", "backslashreplace").decode()
    return f"{at}.{key}" if at else key


def _field(field: FieldPlan, record: Any, at: str) -> Any:
    value = _origin(field, record, at)
    for step in field.steps:
        if value is not None or step.takes_null:
            value = _apply(step.name, step.function, value, at)
    if value is not None and field.each is not None:
        value = _each(field.each, value, at)
    if value is None and field.default is not UNSET:
        value = copy.deepcopy(field.default)
    if value is None and field.required:
        raise FieldError(at, _why_missing(field, record))
    return value


def _origin(field: FieldPlan, record: Any, at: str) -> Any:
    if field.constant is not UNSET:
        return copy.deepcopy(field.constant)
    found = [read_path(path, record) for path in field.paths]
    values = [None if value is MISSING else value for value in found]
    if field.fill is not None:
        if any(value is None for value in values):
            return None
        return _apply("template", lambda _: field.fill(*values), None, at)
    return next((value for value in values if value is not None), None)


def _apply(name: str, function: Any, value: Any, at: str) -> Any:
    try:
        return function(value)
    except MemoryError:
        raise
    except TransformError as error:
        raise FieldError(at, f"{name}: {error}") from None
    except DecimalException as error:
        raise FieldError(at, f"{name}: {words_of(error)}") from None
    except Exception as error:  # somebody's function; whatever it raises costs this record and no other
        reason = show(str(error))[1:-1]
        raise FieldError(at, f"{name}: {type(error).__name__}{f': {reason}' if reason else ''}") from None


def _each(plan: Plan, value: Any, at: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise FieldError(at, f"each: a list is expected, not {describe(value)}")
    targets = [field.target for field in plan.fields]
    return [
        dict(zip(targets, interpret(plan, element, f"{at}[{number}]"), strict=True))
        for number, element in enumerate(value)
    ]


def _why_missing(field: FieldPlan, record: Any) -> str:
    if len(field.spelled) != 1:
        return f"required, but {' and '.join(field.spelled) or 'a part of the template'} is null or absent"
    found = read_path(field.paths[0], record)
    state = "absent" if found is MISSING else "null" if found is None else "null after its transforms"
    return f"required, but {field.spelled[0]} is {state}"


def check_text(value: Any, at: str) -> None:
    """Raises FieldError for a lone surrogate in any text of the value, which no encoding can hold; NUL is text."""
    waiting = [(value, at)]
    while waiting:  # no recursion: records may nest deeper than Python calls do
        value, at = waiting.pop()
        if isinstance(value, str):
            if not value.isascii() and (match := _SURROGATE.search(value)):
                where = f"U+{ord(match[0]):04X} at character {match.start() + 1}"
                raise FieldError(at, f"lone surrogate {where}: the text cannot be encoded")
        elif isinstance(value, dict):
            waiting += [(inner, join_path(at, str(key))) for key, inner in reversed(value.items())]
            waiting += [(key, join_path(at, key)) for key in value if isinstance(key, str)]
        elif isinstance(value, list | tuple):
            waiting += [(inner, f"{at}[{number}]") for number, inner in reversed(list(enumerate(value)))]
