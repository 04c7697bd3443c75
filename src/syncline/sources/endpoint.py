"""What a stream reads: the part of a stream that its source understands."""

import re
import string
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from syncline.model import Duration, Part, RecordPath, Several, Text
from syncline.pagination import PaginationField, Unpaged

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
KeyFields = Annotated[tuple[RecordPath, ...], Several({"type": "string"})]
OnStatus = Literal["ignore", "fail", "retry"]


class Incremental(Part):
    """Ask only for what changed since the last complete pass."""

    cursor: RecordPath = Field(description="Path to the value in each record that grows with every change: updated_at")
    param: str | None = Field(default=None, description="Query parameter that carries the cursor: updated_since")
    body_param: RecordPath | None = Field(default=None, description="Path in the JSON body that carries the cursor")
    variable: str | None = Field(default=None, description="GraphQL variable that carries the cursor")
    template: str = Field(
        default="{cursor}", description="How the cursor is written when sent, for example: updated_at:>='{cursor}'"
    )
    start: Text | None = Field(default=None, description="Cursor of the very first pass; without it everything is read")
    lookback: Duration = Field(
        default=0.0, description="How far before the last cursor to read again, for records that become visible late"
    )
    lookback_steps: int = Field(default=0, ge=0, description="The same for a cursor that is a number, in its own unit")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum(place is not None for place in (self.param, self.body_param, self.variable)) != 1:
            raise PydanticCustomError(
                "incremental", "say where the cursor is sent: one of param, body_param, variable", {}
            )
        fields = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        if fields != ["cursor"]:
            raise PydanticCustomError("incremental", "template must hold {example} once", {"example": "{cursor}"})
        return self


class Parent(Part):
    """Read this stream once for every record of another."""

    model_config = ConfigDict(populate_by_name=True)

    stream: str = Field(description="The other stream's name")
    key: RecordPath = Field(description="Path to the value in its records: id")
    as_: str = Field(alias="as", description="The name by which path, params and mapping use it: order_id")


class Partitions(Part):
    """Read this stream once for every value."""

    model_config = ConfigDict(populate_by_name=True)

    param: str | None = Field(default=None, description="Query parameter that carries the value: region")
    as_: str | None = Field(default=None, alias="as", description="Name for it in path and mapping; default: param")
    values: tuple[str | int, ...] = Field(min_length=1, description="The values, in the order in which they are read")

    @property
    def name(self) -> str:
        return self.as_ or self.param or "partition"

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if not self.param and not self.as_:
            raise PydanticCustomError("partitions", "say param (a query parameter) or as (a name used in path)", {})
        if len(set(self.values)) != len(self.values):
            raise PydanticCustomError("partitions", "values has the same value twice", {})
        return self


class Endpoint(Part):
    """One stream, as its source sees it."""

    name: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=63, description="The stream's name, also the default table"
    )
    path: str = Field(default="", description="Path below base_url, with {placeholders} from parent and partitions")
    method: Literal["GET", "POST", "PUT", "PATCH"] = Field(
        default="GET", description="HTTP method; GraphQL always posts"
    )
    params: dict[str, Text | int | bool] = Field(default={}, description="Query parameters of every request")
    headers: dict[str, Text] = Field(default={}, description="Headers of every request of this stream")
    body: Any = Field(default=None, description="JSON body of every request")
    query: str | None = Field(default=None, description="GraphQL query text")
    variables: dict[str, Any] = Field(default={}, description="GraphQL variables")
    repeatable: bool = Field(
        default=False, description="A POST that only reads (a search): it may be sent again after a failure"
    )
    records: RecordPath | None = Field(
        default=None, description="Path to the list of records in the answer; omitted: the body is the list"
    )
    single: bool = Field(default=False, description="The answer is one record, not a list of them")
    null_is_empty: bool = Field(default=False, description="This API writes null where it means an empty list")
    primary_key: KeyFields = Field(default=(), description="Path (or list of paths) to what identifies a record: id")
    pagination: PaginationField = Field(default=Unpaged.unsaid(), description="How to get from one page to the next")
    incremental: Incremental | None = Field(default=None, description="Ask only for what changed since the last pass")
    parent: Parent | tuple[Parent, ...] | None = Field(
        default=None, description="Read once for every record of another stream (or of several, nested)"
    )
    partitions: Partitions | None = Field(default=None, description="Read once for every one of these values")
    format: Literal["json", "ndjson"] = Field(default="json", description="How the answer is written")
    cost: float = Field(
        default=1.0, gt=0, description="What each request of this stream takes from the rate limit, in the API's units"
    )
    parallel: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Requests of one pass under way at once, where pages or slices are known ahead: numbered pages with a total, "
        "partitions, children; 1: one after another. Default: rate_limit.concurrency, at most 32; without it 4",
    )
    on_status: dict[int, OnStatus] = Field(
        default={}, description="What to make of a status: ignore (nothing is there), retry, or fail"
    )

    @field_validator("parent", mode="before")
    @classmethod
    def _parents(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("on_status")
    @classmethod
    def _statuses(cls, value: dict[int, OnStatus]) -> dict[int, OnStatus]:
        for status in value:
            if not 400 <= status <= 599:
                raise PydanticCustomError("status", "{status} is not a status from 400 to 599", {"status": status})
        return value

    @property
    def parents(self) -> tuple[Parent, ...]:
        return (self.parent,) if isinstance(self.parent, Parent) else self.parent or ()

    @property
    def context_names(self) -> tuple[str, ...]:
        """The names that parent and partitions put at the disposal of path, params and mapping."""
        names = tuple(parent.as_ for parent in self.parents)
        return (*names, self.partitions.name) if self.partitions else names

    @property
    def placeholders(self) -> tuple[str, ...]:
        return tuple(PLACEHOLDER.findall(self.path))
