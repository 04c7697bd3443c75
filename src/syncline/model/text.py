"""Text in a configuration: plain, a reference to a secret, or the secret itself, which cannot be printed."""

from __future__ import annotations

import re
from typing import Annotated, Any, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
LITERAL_SECRET = "literal_secret"  # noqa: S105 – the name of a mistake, not a secret


class Reference:
    """Text with at least one `${…}` in it, not yet resolved. Equal by its text; safe to print."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def names(self) -> list[str]:
        """What stands between the braces, in order: `NAME`, `env:NAME`, `file:/run/secrets/x`, …"""
        return REFERENCE.findall(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other.text == self.text

    def __hash__(self) -> int:
        return hash(("Reference", self.text))

    def __repr__(self) -> str:
        return f"Reference({self.text!r})"

    def __str__(self) -> str:
        return self.text


class Secret:
    """A value that cannot be printed, formatted, pickled or encoded; `reveal()` is the only way to it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        return self.__value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__value

    def __hash__(self) -> int:
        return hash(("Secret", self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def reveal(text: str | Reference | Secret) -> str:
    """The text to send. A reference that nobody resolved is a programming error, not a value."""
    if isinstance(text, Secret):
        return text.reveal()
    if isinstance(text, Reference):
        raise TypeError(f"{text.text} was not resolved before use")
    return text


class _TextRule:
    """Reads text of a configuration: with a `${…}` it becomes a Reference, otherwise it stays as it is."""

    def __init__(self, *, secret: bool) -> None:
        self.secret = secret

    def read(self, value: Any) -> str | Reference | Secret:
        if isinstance(value, Reference | Secret):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError(
                "text_type",
                "text is expected, not {found}; put it in quotes",
                {"found": type(value).__name__ if value is not None else "nothing"},
            )
        if REFERENCE.search(value):
            return Reference(value)
        if self.secret:
            raise PydanticCustomError(
                LITERAL_SECRET,
                "a secret stands in the file; move it to the environment and write {example} here",
                {"example": "${NAME}"},
            )
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": r"\$\{[^{}]+\}"} if self.secret else {"type": "string"}


Text = Annotated[str | Reference | Secret, _TextRule(secret=False)]
SecretText = Annotated[Reference | Secret, _TextRule(secret=True)]
