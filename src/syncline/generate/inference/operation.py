"""One request that an API answers, in one form, whoever described it: what the rules look at."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from syncline.generate.inference.schema import Schema

Where = Literal["query", "header", "path", "cookie", "body"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """What can be sent with a request. `default` and `example` are values, None where there is none."""

    name: str
    where: Where = "query"
    schema: Schema = Schema()
    required: bool = False
    description: str = ""
    default: Any = None
    example: Any = None
    choices: tuple[Any, ...] = ()
    most: int | None = None
    """The largest number allowed."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A request below the base URL and its answer. `answer` is None where nobody describes it."""

    path: str
    method: str = "GET"
    name: str = ""
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    answer: Schema | None = None
    headers: dict[str, str] = {}
    """Headers of the answer, in lower case, each with its description."""
    security: tuple[tuple[str, ...], ...] | None = None
    """Alternatives of names of security schemes; None where nobody says, an empty alternative for 'none needed'."""
    deprecated: bool = False
    statuses: frozenset[str] = frozenset()
    source: str = ""

    def query(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters if parameter.where == "query"}

    @property
    def text(self) -> str:
        return f"{self.summary} {self.description}"
