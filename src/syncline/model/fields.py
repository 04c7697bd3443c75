"""Fields that several parts have: a path within a record, and one or several of something."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from syncline.model.paths import PathError, parse_path


def checked_path(value: Any) -> Any:
    """Any text is a path that can be read; what is no text is left to the field's type."""
    if isinstance(value, str):
        try:
            parse_path(value)
        except PathError as error:
            raise PydanticCustomError("path", "{what}", {"what": str(error)}) from None
    return value


RecordPath = Annotated[str, BeforeValidator(checked_path)]


class Several:
    """For `Annotated[tuple[…, ...], Several(…)]`: in a file, one alone may stand without brackets.

    `item` is the JSON schema of one.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            _several, handler(source), serialization=core_schema.plain_serializer_function_ser_schema(_short)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [self.item, {"type": "array", "items": self.item}]}


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _short(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else list(values)
