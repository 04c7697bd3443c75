"""How often requests may be sent, as the file says it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from syncline.model import Part, Rate
from syncline.model.units import RateText


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
    concurrency: int | None = Field(default=None, ge=1, description="Requests under way at the same time.")
    learn: bool = Field(default=True, description="Slow down by what the API's headers tell about its limits.")


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
