"""Chains of transforms and how they are written: `trim | replace("-", "") | map({active: 1, inactive: 0})`.

The grammar, which is all there is (nothing is ever evaluated):

    chain  = step ("|" step)*
    step   = name ["(" [value ("," value)*] ")"]            name: `trim`, or `package.module:function`
    value  = "text" | 'text' | word | number | true | false | null | [value, …] | {value: value, …}
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NoReturn

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from syncline.mapping.transform import ArgumentError, find_transform, known_transforms
from syncline.model.names import did_you_mean

MAX_LENGTH = 10_000
MAX_STEPS = 32
MAX_DEPTH = 8

_NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?", re.ASCII)
_WORD = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,1000}(\.[0-9]{1,1000})?([eE][+-]?[0-9]{1,3})?(?![\w.])", re.ASCII)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPACE = re.compile(r"\s*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


class ChainError(ValueError):
    """Text that is no chain of transforms; the message says where and what to write."""


class Call(msgspec.Struct, frozen=True):
    """One step: a transform's name and its arguments."""

    name: str
    arguments: tuple[Any, ...] = ()

    @property
    def is_function(self) -> bool:
        """Whether it names a Python function, `package.module:function`."""
        return ":" in self.name

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(write_value, self.arguments))})" if self.arguments else self.name


class Chain(msgspec.Struct, frozen=True):
    """Steps to be taken from left to right; `str()` gives the spelling that reads back as the same chain."""

    calls: tuple[Call, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.calls))


def parse_chain(text: str) -> Chain:
    """Read a chain. Raises ChainError. Names and arguments are checked by `check_call`."""
    reader = _Reader(text)
    calls = [reader.call()]
    while reader.take("|"):
        calls.append(reader.call())
    reader.end()
    return _bounded(calls)


def parse_value(text: str) -> Any:
    """Read one value of the grammar. Raises ChainError."""
    reader = _Reader(text)
    value = reader.value()
    reader.end()
    return value


def write_value(value: Any) -> str:
    """The spelling of a value that `parse_value` reads back."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        return f'"{escaped}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_value(key)}: {write_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(write_value, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "null" if value is None else str(value)


def check_call(call: Call) -> None:
    """Raises ChainError for an unknown name or arguments that make no sense; a Python function is looked for later."""
    if call.is_function:
        return
    found = find_transform(call.name)
    if found is None:
        raise ChainError(f"there is no transform {call.name!r}; {did_you_mean(call.name, known_transforms())}")
    try:
        found.bind(call.arguments)
    except ArgumentError as error:
        raise ChainError(str(error)) from None


def inverse_of(chain: Chain) -> Chain | None:
    """The chain that leads back, where every step names its inverse."""
    back: list[Call] = []
    for call in reversed(chain.calls):
        found = None if call.is_function else find_transform(call.name)
        if found is None or found.inverse is None:
            return None
        arguments = call.arguments
        if call.name == "map":
            swapped = {to: value for value, to in call.arguments[0].items() if not isinstance(to, list | dict)}
            if len(swapped) != len(call.arguments[0]):
                return None
            arguments = (swapped,)
        step = Call(found.inverse, arguments)
        try:
            check_call(step)
        except ChainError:
            step = Call(found.inverse)
        back.append(step)
    return Chain(tuple(back))


class _Reader:
    """Reads one text from left to right, never back."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ChainError(f"a chain of {len(text)} characters is too long; {MAX_LENGTH} are allowed")
        self.text, self.at = text, 0
        self._skip()

    def call(self) -> Call:
        name = self._match(_NAME) or self._fail("a transform's name")
        arguments: list[Any] = []
        if self.take("("):
            while not self.take(")"):
                if arguments:
                    self._need(",", '"," or ")"')
                arguments.append(self.value())
        return Call(name, tuple(arguments))

    def value(self, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise ChainError(f"an argument nests more than {MAX_DEPTH} deep")
        if self.take("["):
            return self._list(depth)
        if self.take("{"):
            return self._object(depth)
        return self._scalar()

    def take(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        self._skip()
        return True

    def end(self) -> None:
        if self.at < len(self.text):
            self._fail('"|" or the end')

    def _list(self, depth: int) -> list[Any]:
        elements: list[Any] = []
        while not self.take("]"):
            if elements:
                self._need(",", '"," or "]"')
            elements.append(self.value(depth + 1))
        return elements

    def _object(self, depth: int) -> dict[Any, Any]:
        pairs: dict[Any, Any] = {}
        while not self.take("}"):
            if pairs:
                self._need(",", '"," or "}"')
            key = self._scalar()
            self._need(":", '":"')
            if key in pairs:
                raise ChainError(f"the key {write_value(key)} stands twice")
            pairs[key] = self.value(depth + 1)
        return pairs

    def _scalar(self) -> Any:
        if match := _TEXT.match(self.text, self.at):
            self._step(match)
            return _ESCAPE.sub(_unescape, match[1] if match[1] is not None else match[2])
        if match := _NUMBER.match(self.text, self.at):
            self._step(match)
            return Decimal(match[0]) if match[1] or match[2] else int(match[0])
        word = self._match(_WORD)
        if word is None:
            self._fail("a value: text in quotes, a word or a number")
        return _CONSTANTS.get(word, word)

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self._step(match)
        return match[0]

    def _step(self, match: re.Match[str]) -> None:
        self.at = match.end()
        self._skip()

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _need(self, mark: str, words: str) -> None:
        if not self.take(mark):
            self._fail(words)

    def _fail(self, words: str) -> NoReturn:
        found = repr(self.text[self.at : self.at + 20]) if self.at < len(self.text) else "the end"
        raise ChainError(f"{words} is expected at character {self.at + 1}, not {found}")


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5 and not 0xD800 <= int(code[1:], 16) <= 0xDFFF:
        return chr(int(code[1:], 16))
    if code not in _ESCAPES:
        raise ChainError(f"\\{code} is no escape; there is \\n \\t \\r \\\" \\' \\\\ \\uXXXX")
    return _ESCAPES[code]


def _bounded(calls: list[Call]) -> Chain:
    if len(calls) > MAX_STEPS:
        raise ChainError(f"a chain of {len(calls)} transforms is too long; {MAX_STEPS} are allowed")
    return Chain(tuple(calls))


class ChainRule:
    """Reads `trim | lower`, or a list of steps, `[trim, {multiply: 100}]`, and checks names and arguments."""

    def read(self, value: Any) -> Chain:
        try:
            chain = value if isinstance(value, Chain) else self._from_data(value)
            for call in chain.calls:
                check_call(call)
        except ChainError as error:
            raise PydanticCustomError("transform", "{why}", {"why": str(error)}) from None
        return chain

    def _from_data(self, value: Any) -> Chain:
        if isinstance(value, str):
            return parse_chain(value)
        if isinstance(value, list) and value:
            return _bounded([call for step in value for call in self._step(step)])
        raise ChainError("a transform is written as text, trim | lower, or as a list, [trim, {multiply: 100}]")

    def _step(self, step: Any) -> tuple[Call, ...]:
        if isinstance(step, str):
            return parse_chain(step).calls
        if isinstance(step, dict) and len(step) == 1:
            name, argument = next(iter(step.items()))
            if isinstance(name, str) and _NAME.fullmatch(name):
                arguments = argument if isinstance(argument, list) else [argument]
                return (Call(name, tuple(map(exact, arguments))),)
        raise ChainError("a step of the list is text, or one name with its arguments: {multiply: 100}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "object"]}}]}


def exact(value: Any, depth: int = 0) -> Any:
    """A constant of the file with its floats as decimals of the same spelling."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if depth > 100:
        raise ChainError("a constant nests more than 100 deep")
    if isinstance(value, dict):
        return {key: exact(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [exact(inner, depth + 1) for inner in value]
    return value
