"""Parts: the frozen models that an integration is made of, and the register of their kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from syncline.model.names import did_you_mean
from syncline.model.text import Reference

ENTRY_POINTS = "syncline.kinds"
NESTED = "nested_part"


class Part(BaseModel):
    """One piece of an integration: its fields are its configuration, its methods its behaviour.

    Parts are values: frozen, compared by content, with unknown fields refused.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True, hide_input_in_errors=True
    )

    @classmethod
    def unsaid(cls) -> Self:
        """The part of which a file says nothing: what its fields default to. Equal to `cls()`, for which a validator of its own
        would be built at each start."""
        return cls.model_construct()

    def to_data(self) -> Any:
        """Plain data that reads back as an equal value; what equals its default is left out."""
        data: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name == "kind" or field.is_required() or value != field.get_default(call_default_factory=True):
                data[field.alias or name] = self._field_to_data(name, value)
        return data

    def _field_to_data(self, name: str, value: Any) -> Any:
        if isinstance(value, Part | Reference) or type(value) in (dict, tuple, list):
            return to_data(value)
        serializer = getattr(self.__pydantic_serializer__, "to_python", None)
        if serializer is None or value is None or type(value) in (str, int, bool):
            return value
        return self.model_dump(include={name})[name]


def to_data(value: Any) -> Any:
    """The plain data of parts within lists and dictionaries."""
    if isinstance(value, Part):
        return value.to_data()
    if isinstance(value, Reference):
        return value.text
    if isinstance(value, dict):
        return {key: to_data(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return [to_data(inner) for inner in value]
    return value if type(value) in (str, int, float, bool, type(None)) else str(value)


_families: dict[str, dict[str, type[Part]]] = {}
_announced: dict[str, dict[str, str]] = {}
_looked_for_plugins: set[str] = set()
_broken: dict[str, str] = {}

P = TypeVar("P", bound=Part)


def kind_of(part: type[Part]) -> str:
    """The name a part goes by in the file: its `kind: Literal["…"]`."""
    return str(get_args(part.model_fields["kind"].annotation)[0])


def register(family: str) -> Callable[[type[P]], type[P]]:
    """Make a part known under its kind, in a family: `auth`, `pagination`, `source` or `destination`.

    A package announces its own through the entry-point group `syncline.kinds`, with names of the form `auth.my_kind`.
    Raises ValueError where the class has no `kind` or where another class has it already.
    """

    def enter(part: type[P]) -> type[P]:
        if "kind" not in part.model_fields or not get_args(part.model_fields["kind"].annotation):
            raise ValueError(f'{part.__name__} needs a field: kind: Literal["its_name"] = "its_name"')
        name = kind_of(part)
        known = _families.setdefault(family, {})
        if name not in known and _announced.get(family, {}).get(name, part.__module__) != part.__module__:
            import_module(_announced[family][name])
        if name in known and _full_name(known[name]) != _full_name(part):
            raise ValueError(f"{family} kind {name!r} is taken by {_full_name(known[name])}")
        known[name] = part
        return part

    return enter


def _full_name(part: type[Part]) -> str:
    return f"{part.__module__}.{part.__qualname__}"


def announce(family: str, homes: Mapping[str, str]) -> None:
    """Make kinds known by the modules that register them, which are imported when one of theirs is asked for."""
    _announced.setdefault(family, {}).update(homes)


def kinds(family: str) -> Mapping[str, type[Part]]:
    """Every kind of a family, those of installed packages included."""
    if family not in _looked_for_plugins:
        # late: a tenth of a small run's start
        from importlib.metadata import entry_points

        _looked_for_plugins.add(family)
        for point in entry_points(group=ENTRY_POINTS):
            if point.name.startswith(f"{family}."):
                try:
                    point.load()
                except Exception as error:  # whatever a stranger's module raises; it is told to who asks for its kind
                    package = f"package {point.dist.name!r}" if point.dist else repr(point.value)
                    _broken[point.name] = f"{package}, which cannot be imported: {type(error).__name__}: {error}"
    for home in _announced.get(family, {}).values():
        import_module(home)
    return dict(sorted(_families.get(family, {}).items()))


def _find(family: str, name: str) -> type[Part] | None:
    if name not in _families.get(family, {}) and name in _announced.get(family, {}):
        import_module(_announced[family][name])
    return _families.get(family, {}).get(name) or kinds(family).get(name)


class _PartRule:
    """Reads `{kind: …, …}` into the part of that kind; kinds registered later are found as well."""

    def __init__(self, family: str, shorthand: Callable[[Any], Any] | None) -> None:
        self.family, self.shorthand = family, shorthand

    def read(self, value: Any, info: core_schema.ValidationInfo) -> Part:
        if isinstance(value, Part):
            # whoever made the value has imported its class, which is registered by then
            if isinstance(value, tuple(_families.get(self.family, {}).values())):
                return value
            raise PydanticCustomError(
                "part_type",
                "a {family} is expected, not {found}",
                {"family": self.family, "found": type(value).__name__},
            )
        if self.shorthand is not None:
            value = self.shorthand(value)
        if not isinstance(value, dict):
            raise PydanticCustomError(
                "part_type",
                "a {family} is written as a block with a kind; there is: {known}",
                {"family": self.family, "known": ", ".join(kinds(self.family))},
            )
        if "kind" not in value:
            known = kinds(self.family)
            raise PydanticCustomError("kind_missing", "kind is missing; there is: {known}", {"known": ", ".join(known)})
        part = _find(self.family, str(value["kind"]))
        if part is None and (reason := _broken.get(f"{self.family}.{value['kind']}")):
            raise PydanticCustomError(
                "kind_broken",
                "{family} kind {name} comes from {reason}",
                {"family": self.family, "name": repr(value["kind"]), "reason": reason, "loc": ["kind"]},
            )
        if part is None:
            hint = did_you_mean(str(value["kind"]), kinds(self.family))
            raise PydanticCustomError(
                "kind_unknown",
                "there is no {family} kind {name}; {hint}",
                {"family": self.family, "name": repr(value["kind"]), "hint": hint, "loc": ["kind"]},
            )
        return read_part(part, value, info.context)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(to_data)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"x-syncline-family": self.family}


def read_part(part: type[Part], value: Any, context: Any = None) -> Part:
    """Validate inside another validation without losing where each mistake stands."""
    try:
        return part.model_validate(value, context=context)
    except ValidationError as error:
        raise PydanticCustomError(
            NESTED, "{count} mistakes", {"count": error.error_count(), "errors": error.errors()}
        ) from None


def part_field(family: str, shorthand: Callable[[Any], Any] | None = None) -> Any:
    """The annotation of a field that holds a part of `family`; `shorthand` turns a short spelling into a block first."""
    return Annotated[Part, _PartRule(family, shorthand)]
