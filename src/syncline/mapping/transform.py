"""What a transform is, and the register of them: a function of one value, with arguments that stand in the file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib import import_module
from typing import Any, TypeVar, overload

import msgspec

MAX_TEXT = 10_000_000
"""Characters of a text that a transform may give."""
MAX_LIST = 1_000_000
"""Elements of a list that a transform may give."""

STANDARD = tuple(f"syncline.mapping.standard.{name}" for name in ("lists", "numbers", "texts", "times", "values"))
ENTRY_POINTS = "syncline.kinds"
_ENTRY_PREFIX = "transform."

Step = Callable[[Any], Any]
Column = Callable[[list[Any]], list[Any]]
"""A step for the values of a whole page: the same results, in a part of the time, or any exception where one needs a look."""
F = TypeVar("F", bound=Callable[..., Any])


class TransformError(ValueError):
    """Why a value cannot be transformed; it becomes the reason of the rejected record."""


class ArgumentError(ValueError):
    """Arguments with which a transform makes no sense."""


class Parameter(msgspec.Struct, frozen=True):
    """One argument of a transform as its signature declares it; `type` is a key of `ARGUMENT_TYPES`."""

    name: str
    type: str
    required: bool
    repeated: bool = False
    default: Any = None

    def __str__(self) -> str:
        if self.repeated:
            return f"{self.name}…"
        return self.name if self.required else f"{self.name}={show(self.default)}"


class Transform(msgspec.Struct, frozen=True, kw_only=True):
    """A transform under its name.

    `configured` functions take the arguments once and give the step; the others take the value, then the arguments.
    `takes_null` transforms are called for null as well; the others are skipped. `inverse` names the way back, which takes
    the same arguments. `foreign` functions are not ours: what they give is checked.
    """

    name: str
    group: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    inverse: str | None = None
    takes_null: bool = False
    configured: bool = False
    foreign: bool = False

    def bind(self, arguments: tuple[Any, ...]) -> Step:
        """The step with its arguments fixed. Raises ArgumentError."""
        check_arguments(self, arguments)
        function = self.function
        if self.configured:
            return function(*arguments)  # type: ignore[no-any-return]
        if self.foreign:
            return lambda value: check_value(function(value, *arguments))
        return (lambda value: function(value, *arguments)) if arguments else function

    def signature(self) -> str:
        """As it is written in the file: `replace(old, new)`."""
        inner = ", ".join(map(str, self.parameters))
        return f"{self.name}({inner})" if inner else self.name


def by_column(step: Step, column: Column) -> Step:
    """The step, with a quick way for many values at once."""
    step.column = column  # type: ignore[attr-defined]
    return step


def column_of(step: Step) -> Column | None:
    """What makes the step's results of many values: its quick way, and where that gives up, one value after the other."""
    quick: Column | None = getattr(step, "column", None)
    if quick is None:
        return None

    def column(values: list[Any]) -> list[Any]:
        try:
            return quick(values)
        except Exception:  # a null among them, or anything else that needs a look
            return [None if value is None else step(value) for value in values]

    return column


_register: dict[str, Transform] = {}
_declared: dict[str, Callable[[], Transform]] = {}
"""Standard transforms by name: their signatures are read when a file names them."""
_looked_for_plugins: list[bool] = []


def define(group: str, *, inverse: str | None = None, takes_null: bool = False) -> Callable[[F], F]:
    """Declare one of the standard transforms; a function without a parameter `value` is a configured one."""

    def enter(function: F) -> F:
        _declared[function.__name__.rstrip("_")] = partial(_standard, function, group, inverse, takes_null)
        return function

    return enter


def _standard(function: Callable[..., Any], group: str, inverse: str | None, takes_null: bool) -> Transform:
    parameters = list(inspect.signature(function).parameters.values())
    configured = not parameters or parameters[0].name != "value"
    return Transform(
        name=function.__name__.rstrip("_"),
        group=group,
        function=function,
        parameters=tuple(map(_parameter, parameters if configured else parameters[1:])),
        inverse=inverse,
        takes_null=takes_null,
        configured=configured,
    )


@cache
def _declare_standard() -> None:
    """Late: most mappings name none, or those of modules that a run needs anyway."""
    for module in STANDARD:
        import_module(module)


def _registered(name: str) -> Transform | None:
    if name not in _register and name not in _declared:
        _declare_standard()
    if name not in _register and name in _declared:
        _register[name] = _declared[name]()
    return _register.get(name)


@overload
def transform(function: F) -> F: ...
@overload
def transform(*, name: str | None = None, inverse: str | None = None, takes_null: bool = False) -> Callable[[F], F]: ...
def transform(
    function: F | None = None, *, name: str | None = None, inverse: str | None = None, takes_null: bool = False
) -> F | Callable[[F], F]:
    """Make a function of one value (and arguments) known under its name, for use in mappings.

    It has to be pure: it may be called again for a record that failed. What it raises becomes the reason of the reject.
    Raises ValueError where the name is taken by another function.
    """

    def enter(function: F) -> F:
        known_as = name or function.__name__
        made = foreign(function, known_as, inverse=inverse, takes_null=takes_null)
        taken = _registered(known_as)
        if taken is not None and _origin(taken.function) != _origin(function):
            raise ValueError(f"the transform {known_as!r} is taken by {'.'.join(_origin(taken.function))}")
        _register[known_as] = made
        return function

    return enter if function is None else enter(function)


def foreign(
    function: Callable[..., Any], name: str, *, inverse: str | None = None, takes_null: bool = False
) -> Transform:
    """A transform out of anybody's function; one without a readable signature takes any arguments."""
    try:
        parameters = tuple(map(_parameter, list(inspect.signature(function).parameters.values())[1:]))
    except (TypeError, ValueError):
        parameters = (Parameter("arguments", "Any", required=False, repeated=True),)
    return Transform(
        name=name,
        group="yours",
        function=function,
        parameters=parameters,
        inverse=inverse,
        takes_null=takes_null,
        foreign=True,
    )


def known_transforms() -> Mapping[str, Transform]:
    """Every registered transform by name, those that installed packages announce included."""
    if not _looked_for_plugins:
        from importlib.metadata import entry_points  # late: 2 % of a small run's start

        _looked_for_plugins.append(True)
        for point in entry_points(group=ENTRY_POINTS):
            if point.name.startswith(_ENTRY_PREFIX):
                point.load()
    _declare_standard()
    for name in _declared:
        _registered(name)
    return dict(sorted(_register.items()))


def find_transform(name: str) -> Transform | None:
    return _registered(name) or known_transforms().get(name)


ARGUMENT_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "Decimal": ((int, Decimal), "a number"),
    "bool": ((bool,), "true or false"),
    "dict": ((dict,), "a list of pairs {from: to}"),
    "list": ((list,), "a list"),
    "Any": ((object,), "anything"),
}


def check_arguments(transform: Transform, arguments: tuple[Any, ...]) -> None:
    """Raises ArgumentError for too many, too few, or of the wrong type."""
    parameters = transform.parameters
    needed = sum(parameter.required for parameter in parameters)
    endless = bool(parameters) and parameters[-1].repeated
    if len(arguments) < needed or (len(arguments) > len(parameters) and not endless):
        raise ArgumentError(f"{transform.name} is written {transform.signature()}")
    for number, argument in enumerate(arguments):
        parameter = parameters[min(number, len(parameters) - 1)]
        types, words = ARGUMENT_TYPES[parameter.type]
        is_stray_bool = isinstance(argument, bool) and parameter.type not in ("bool", "Any")
        if not isinstance(argument, types) or is_stray_bool:
            if argument is None and not parameter.required and parameter.default is None:
                continue
            raise ArgumentError(f"{transform.name}: {parameter.name} is {words}, not {show(argument)}")


def check_value(value: Any, depth: int = 0) -> Any:
    """The value, where rows may hold it; for what comes from functions that are not ours. Raises TransformError."""
    kind = type(value)
    if kind is str:
        if len(value) > MAX_TEXT:
            raise TransformError(f"the result is longer than {MAX_TEXT:,} characters")
    elif kind is list or kind is tuple or kind is dict:
        if len(value) > MAX_LIST or depth > 100:
            raise TransformError(f"the result has more than {MAX_LIST:,} elements or nests more than 100 deep")
        if kind is dict:
            if not all(type(key) is str for key in value):
                raise TransformError("the result has a key that is not text")
            return {key: check_value(inner, depth + 1) for key, inner in value.items()}
        return [check_value(inner, depth + 1) for inner in value]
    elif kind is datetime:
        if value.tzinfo is None:
            raise TransformError(f"the result {value.isoformat()} has no time zone")
    elif kind not in (type(None), bool, int, float, Decimal, bytes, date):
        raise TransformError(f"the result is a {kind.__name__}, which no row can hold")
    return value


def show(value: Any) -> str:
    """A value in an error: short, one line, quoted where it is text, and printable whatever it holds."""
    if isinstance(value, str):
        shown = repr(value if len(value) <= 60 else value[:57] + "…")
        return shown.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict | list):
        return describe(value)
    try:
        text = "true" if value is True else "false" if value is False else "null" if value is None else str(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "…"


_WORDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "a number", Decimal: "a number", float: "a number", dict: "an object",
    list: "a list", type(None): "null", datetime: "a time", date: "a date", bytes: "bytes",
}  # fmt: skip


def describe(value: Any) -> str:
    """What kind of value it is, in words."""
    return _WORDS.get(type(value), f"a {type(value).__name__}")


def expected(what: str, value: Any) -> TransformError:
    """The error for a value of another kind than the transform takes."""
    kind = describe(value)
    plain = isinstance(value, dict | list | type(None))
    return TransformError(f"{what} is expected, not {kind if plain else f'{kind} {show(value)}'}")


def _parameter(parameter: inspect.Parameter) -> Parameter:
    annotation = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    base = name.removesuffix(" | None").partition("[")[0]
    repeated = parameter.kind is inspect.Parameter.VAR_POSITIONAL
    required = parameter.default is inspect.Parameter.empty and not repeated
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    known = base if base in ARGUMENT_TYPES else "Any"
    return Parameter(parameter.name.rstrip("_"), known, required=required, repeated=repeated, default=default)


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    return getattr(function, "__module__", "?"), getattr(function, "__qualname__", repr(function))
