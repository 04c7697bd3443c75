"""How often requests may be sent, as the file says it."""

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic_core import PydanticCustomError, core_schema

from syncline.model import Part, PathError, Rate, Reference, Secret, parse_path
from syncline.model.units import RateText


class PathLimits(Part):
    """Limits of some paths, besides those that hold for all. What the API tells in their answers holds for them alone."""

    path: str = Field(description="Which requests: the path below the host, * stands for anything: /search*")
    limits: tuple[RateText, ...] = Field(default=(), description="Windows that all hold at once for these paths.")
    burst: int | None = Field(default=None, ge=1, description="Requests of these paths that may go at once.")


class Cost(Part):
    """Where an answer says what its request cost and what is left, for APIs that count points instead of requests."""

    path: str | None = Field(default=None, description="Path to what the request cost: extensions.cost.actualQueryCost")
    requested: str | None = Field(
        default=None,
        description="Path to how much had to be left for it to be let in, where that is more than it cost in the end: "
        "extensions.cost.requestedQueryCost",
    )
    estimate: int = Field(
        default=1, ge=1, description="What a request is taken to cost before an answer to its like has said it."
    )
    available: str | None = Field(
        default=None, description="Path to what is left: extensions.cost.throttleStatus.currentlyAvailable"
    )
    capacity: str | None = Field(
        default=None, description="Path to what there is at most: extensions.cost.throttleStatus.maximumAvailable"
    )
    restore_rate: str | None = Field(
        default=None, description="Path to what is restored in a second: extensions.cost.throttleStatus.restoreRate"
    )
    resets_at: str | None = Field(
        default=None, description="Path to the moment when it starts afresh, as a date or epoch: data.rateLimit.resetAt"
    )

    @field_validator("path", "requested", "available", "capacity", "restore_rate", "resets_at")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        try:
            parse_path(value or ".")
        except PathError as error:
            raise PydanticCustomError("path", "{what}", {"what": str(error)}) from None
        return value


class _Shared:
    """`true`, a path, or an address whose password is not in the file."""

    def read(self, value: Any) -> Any:
        if isinstance(value, bool | Reference | Secret):
            return value
        if not isinstance(value, str) or not value:
            raise PydanticCustomError(
                "shared", "write true, a path, redis://host or postgresql://host/database", {"found": str(value)}
            )
        if "${" in value:
            return Reference(value)
        address = value.partition("://")[2].partition("/")[0]
        if "@" in address and ":" in address.rpartition("@")[0]:
            raise PydanticCustomError(
                "literal_secret",
                "a password stands in the address; move the address to the environment and write {example}",
                {"example": "${NAME}"},
            )
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value if isinstance(value, bool) else str(value)
            ),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, {"type": "string"}], "examples": [True, "${REDIS_URL}"]}


class Limits(Part):
    """How often requests may be sent. All windows hold at once; what the API tells can only slow them down."""

    limits: tuple[RateText, ...] = Field(
        default=(), description="Windows that all hold at once, such as [10/s, 1000/h]."
    )
    burst: int | None = Field(
        default=None,
        ge=1,
        description="Requests that may go at once; the shortest window is then paced, not used up at its start.",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        description="Requests under way at the same time in one process; without it and without limits it is found out.",
    )
    learn: bool = Field(default=True, description="Slow down by what the API's headers tell about its limits.")
    quotas: tuple[PathLimits, ...] = Field(
        default=(), description="Limits of some paths, besides; a request falls under the first whose path fits."
    )
    cost: Cost | None = Field(default=None, description="For APIs that count points: where an answer tells its cost.")
    shared: Annotated[bool | str | Reference | Secret, _Shared()] = Field(
        default=False,
        description="One limit, and one circuit, for all: true for the processes that run in this folder, a path, "
        "redis://host or postgresql://host/database.",
    )
    share_as: str | None = Field(
        default=None, max_length=100, description="Who shares with whom: the same name. Default: base_url's host."
    )


class _Shorthand:
    """Reads `10/s` and `[10/s, 1000/h]` as the long form."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rate = {"type": "string", "examples": ["10/s"]}
        return {"anyOf": [rate, {"type": "array", "items": rate}, handler(schema)]}

    @staticmethod
    def read(value: Any) -> Any:
        if isinstance(value, str | Rate):
            return {"limits": [value]}
        return {"limits": value} if isinstance(value, list | tuple) else value


LimitsField = Annotated[Limits, _Shorthand()]
