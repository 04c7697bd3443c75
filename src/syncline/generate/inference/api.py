"""An API as far as it is known: one value, whatever it was learned from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from syncline.auth.auth import Auth
from syncline.generate.inference.guess import Finding, Guess, unknown
from syncline.model.part import to_data
from syncline.pagination import Pagination
from syncline.resilience import Limits
from syncline.sources import Incremental, Parent

FieldType = Literal[
    "text", "integer", "number", "boolean", "datetime", "date", "object", "list", "null", "any"
]  # fmt: skip


class RecordField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a record. `path` leads to it in the record (`customer.email`, `lines[*].sku`).

    `required` is True where each record has it, False where some have not, None where nobody says. `nullable` likewise.
    """

    path: str
    type: FieldType
    required: bool | None = None
    nullable: bool | None = None
    format: str | None = None
    description: str = ""


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A list of records that can be read: what a stream would be made of.

    `path` lies below the base URL, with `{placeholders}`. `params` are query parameters without which it does not answer, with
    their values; `asks` names those whose value nobody but a person knows. `records` leads to the list, `.` where the answer is
    the list. `cursor_field` grows with each change of a record; `incremental` also knows how to ask for what changed.
    """

    name: str
    path: str
    method: Literal["GET", "POST"] = "GET"
    description: str = ""
    params: dict[str, Any] = {}
    asks: tuple[str, ...] = ()
    query: str | None = None
    """GraphQL: the text of the query."""
    variables: dict[str, Any] = {}
    records: Guess[str] = unknown()
    primary_key: Guess[tuple[str, ...]] = unknown()
    pagination: Guess[Pagination] = unknown()
    cursor_field: Guess[str] = unknown()
    incremental: Guess[Incremental] = unknown()
    parent: Guess[tuple[Parent, ...]] = unknown()
    """Known and None where it stands alone."""
    worth: Guess[bool] = unknown()
    """Whether it is worth syncing, and why (not)."""
    fields: tuple[RecordField, ...] = ()
    total: int | None = None
    """How many records the API counted, where it was asked."""

    @property
    def guesses(self) -> dict[str, Guess[Any]]:
        """Its guesses by their names, in the order in which people want to read them."""
        names = ("records", "primary_key", "pagination", "cursor_field", "incremental", "parent", "worth")
        return {name: getattr(self, name) for name in names}


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one API. `auth` are the ways to authorise requests, the best first; at least one guess, maybe unknown.

    `name` can stand for an integration's name. `sources` are where the knowledge comes from, `documents` addresses of pages for
    people. `headers` go with every request (a version, an Accept). `notes` say what could not be read.
    """

    name: str
    title: str = ""
    kind: Literal["rest", "graphql"] = "rest"
    description: str = ""
    base_url: Guess[str] = unknown()
    auth: tuple[Guess[Auth], ...] = (unknown(),)
    rate_limit: Guess[Limits] = unknown()
    headers: dict[str, str] = {}
    entities: tuple[Entity, ...] = ()
    sources: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def entity(self, name: str) -> Entity:
        """The entity of this name. Raises KeyError."""
        for entity in self.entities:
            if entity.name == name:
                return entity
        raise KeyError(name)

    def findings(self) -> Iterator[Finding]:
        """Every guess with its name: `base_url`, `auth`, `rate_limit`, and `orders.pagination` for each entity."""
        yield Finding("base_url", self.base_url)
        for guess in self.auth:
            yield Finding("auth", guess)
        yield Finding("rate_limit", self.rate_limit)
        for entity in self.entities:
            for name, guess in entity.guesses.items():
                yield Finding(f"{entity.name}.{name}", guess)


def plain(value: Any) -> Any:
    """Everything that is known as plain data, for programs: parts as the blocks that a file would have."""
    if isinstance(value, Guess):
        return {"value": plain(value.value), "confidence": value.confidence, "evidence": list(value.evidence)}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return to_data(value)
