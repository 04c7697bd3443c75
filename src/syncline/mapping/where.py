"""`where`: which records are wanted at all, by the values at their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from syncline.mapping.standard.values import SCALARS, key_of
from syncline.model import MISSING, PathError, compile_path, parse_path, read_path
from syncline.model.paths import EVERY

Matches = Callable[[Any], bool]


def compile_where(where: dict[str, Any]) -> Matches:
    """Whether a record has, at every path, one of the values wanted there; absent counts as null, true is not 1.

    At a path with `[*]` one element that is wanted is enough. Raises PathError.
    """
    tests = [_compile_test(path, wanted) for path, wanted in where.items()]
    return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)


def _compile_test(text: str, wanted: Any) -> Matches:
    path = parse_path(text)
    options = wanted if isinstance(wanted, list | tuple) else [wanted]
    keys = frozenset(map(key_of, options))
    many = EVERY in path
    if not many and all(type(option) is str for option in options):
        read, texts = compile_path(text), frozenset(options)

        def matches_text(record: Any) -> bool:
            found = read(record)
            return found.__class__ is str and found in texts

        return matches_text

    def matches(record: Any) -> bool:
        found = read_path(path, record)
        if many:
            return found is not MISSING and any(key_of(element) in keys for element in found)
        return key_of(None if found is MISSING else found) in keys

    return matches


def _read_where(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("where", "a filter is written as a block, path: value", {})
    mistakes: list[InitErrorDetails] = []
    for path, wanted in value.items():
        why = _mistake(path, wanted)
        if why is not None:
            kind = PydanticCustomError("where", "{why}", {"why": why})
            mistakes.append(InitErrorDetails(type=kind, loc=(str(path),), input=None))
    if mistakes:
        raise ValidationError.from_exception_data("Where", mistakes, hide_input=True)
    return value


def _mistake(path: Any, wanted: Any) -> str | None:
    try:
        parse_path(path if isinstance(path, str) else "")
    except PathError as error:
        return str(error)
    options = wanted if isinstance(wanted, list | tuple) else [wanted]
    if not options or not all(option is None or isinstance(option, SCALARS) for option in options):
        return "the value wanted here is text, a number, true, false or null, or a list of them"
    return None


Where = Annotated[dict[str, Any], BeforeValidator(_read_where)]
"""The annotation of a field that holds a filter."""
