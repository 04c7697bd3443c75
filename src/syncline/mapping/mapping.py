"""The mapping as it stands in the file: for each target, where its value comes from and what becomes of it."""

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from syncline.mapping.chain import Chain, ChainRule, exact
from syncline.mapping.template import parse_template
from syncline.model import Part, PathError, parse_path
from syncline.model.names import did_you_mean

MAX_FIELDS = 2_000
MAX_DEPTH = 8
ORIGINS = ("source", "value", "template", "coalesce")


class Unset(Enum):
    """What a constant is that was not given; null is one that was."""

    UNSET = "unset"


UNSET = Unset.UNSET


def _unset() -> Any:
    return UNSET


class _GrammarRule:
    """Text that a grammar has to accept; its error becomes the field's."""

    def __init__(self, parse: Any, what: str) -> None:
        self.parse, self.what = parse, what

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise PydanticCustomError(
                "text_type", "{what} is expected, in quotes where need be", {"what": f"text, {self.what},"}
            )
        try:
            self.parse(value)
        except PathError as error:
            raise PydanticCustomError("path", "{why}", {"why": str(error)}) from None
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}


PathText = Annotated[str, _GrammarRule(parse_path, "a path")]
TemplateText = Annotated[str, _GrammarRule(parse_template, "a template")]
Constant = Annotated[Any, BeforeValidator(exact)]


def _without_target(schema: dict[str, Any]) -> None:
    """In a block the target is the key; only in a list must it stand in the field."""
    del schema["required"]


def _both_spellings(schema: dict[str, Any]) -> None:
    """A block of targets, or a list of fields."""
    field = schema["properties"]["fields"]["items"]
    by_target = {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [{"type": "string"}, field]}}
    as_list = {"type": "array", "minItems": 1, "items": {"allOf": [field], "required": ["target"]}}
    description = schema.get("description", "")
    schema.clear()
    schema.update(title="Mapping", description=description, anyOf=[by_target, as_list])


class FieldMapping(Part):
    """Where one target's value comes from and what becomes of it."""

    model_config = ConfigDict(json_schema_extra=_without_target)

    target: str = Field(min_length=1, max_length=256, description="The name of the field to be written.")
    source: PathText | None = Field(
        default=None,
        description='Path of the value in the record: customer.email, lines[0].sku, tags[*], "quoted.key".',
    )
    value: Constant = Field(default_factory=_unset, description="A constant instead of a source.")
    template: TemplateText | None = Field(
        default=None,
        description="Text with paths in braces: '{first_name} {last_name}'. Null where one of them is null.",
    )
    coalesce: Annotated[tuple[PathText, ...] | None, Field(min_length=1, max_length=100)] = Field(
        default=None, description="Paths of which the first that is not null counts."
    )
    transform: Annotated[Chain, ChainRule()] | None = Field(
        default=None, description="What is done to the value: trim | lower, multiply(100), package.module:function."
    )
    each: "Mapping | None" = Field(
        default=None, description="A mapping for every element of the list at source; gives a list of objects."
    )
    required: StrictBool = Field(default=False, description="Reject the record where the value is absent or null.")
    default: Constant = Field(
        default_factory=_unset, description="What stands in for an absent or null value, as it is."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ORIGINS if getattr(self, name) not in (None, UNSET) or self._is_null(name)]
        if not given:
            raise PydanticCustomError("origin", "one of source, value, template, coalesce is needed", {})
        if len(given) > 1:
            raise _mistake((given[1],), "origin", f"{given[0]} is given already; keep one of {', '.join(given)}")
        if self.each is not None and given[0] in ("value", "template"):
            raise _mistake(("each",), "origin", f"each needs a list from source or coalesce, not a {given[0]}")
        return self

    def _is_null(self, name: str) -> bool:
        return name == "value" and self.value is None

    def to_data(self) -> Any:
        """The path alone where nothing else is said; the target is the mapping's to say."""
        data: dict[str, Any] = {}
        for name in ("source", "value", "template", "coalesce", "transform", "each", "required", "default"):
            value = getattr(self, name)
            if value is UNSET or (name not in ("value", "default") and value in (None, False)):
                continue
            data[name] = _plain(value)
        return data["source"] if list(data) == ["source"] else data


class Mapping(Part):
    """A vendor's record to ours: `{target: path}`, or `{target: {source, transform, required, …}}`, or a list of fields."""

    model_config = ConfigDict(json_schema_extra=_both_spellings)

    fields: tuple[FieldMapping, ...] = Field(description="The fields in the order of their columns.")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if isinstance(data, dict) and list(data) == ["fields"] and _is_normal(data["fields"]):
            entries: list[tuple[Any, Any]] = list(enumerate(data["fields"]))
        elif isinstance(data, dict):
            entries = list(data.items())
        elif isinstance(data, list | tuple):
            entries = list(enumerate(data))
        else:
            raise PydanticCustomError("mapping", "a mapping is written as a block, target: path", {})
        if not 0 < len(entries) <= MAX_FIELDS:
            raise PydanticCustomError("mapping", "a mapping has 1 to {most} fields", {"most": MAX_FIELDS})
        return {"fields": _read_fields(entries, named=isinstance(data, dict))}

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(field.target for field in self.fields)

    def to_data(self) -> dict[str, Any]:
        return {field.target: field.to_data() for field in self.fields}


def _read_fields(entries: list[tuple[Any, Any]], *, named: bool) -> tuple[FieldMapping, ...]:
    """Every field, or all mistakes at once, each located by target (or number) and key."""
    fields: list[FieldMapping] = []
    mistakes: list[InitErrorDetails] = []
    seen: set[str] = set()
    for place, data in entries:
        try:
            field = _read_field(place, data)
        except ValidationError as error:
            mistakes += _located(error, place, short=isinstance(data, str))
            continue
        except RecursionError:
            raise PydanticCustomError("mapping", "each nests too deep", {}) from None
        if field.target in seen:
            mistakes += _located(_mistake(("target",), "target", f"{field.target!r} is mapped twice"), place)
        if _depth(field) > MAX_DEPTH:
            mistakes += _located(_mistake(("each",), "each", f"each nests more than {MAX_DEPTH} deep"), place)
        seen.add(field.target)
        fields.append(field)
    if mistakes:
        raise ValidationError.from_exception_data("Mapping", mistakes, hide_input=True)
    return tuple(fields)


def _read_field(place: Any, data: Any) -> FieldMapping:
    if isinstance(data, FieldMapping):
        return data
    listed = isinstance(place, int)
    if not listed and not isinstance(place, str):
        raise _mistake((), "target", f"the target {place!r} is not text; put it in quotes")
    if isinstance(data, str) and not listed:
        return FieldMapping.model_validate({"target": place, "source": data})
    if not isinstance(data, dict):
        form = "{source: path, target: name}" if listed else f"path, or {{value: {data!r}}} for a constant"
        raise _mistake((), "mapping", f"a field is written {form}")
    if listed:
        return FieldMapping.model_validate(data)
    if "target" in data:
        raise _mistake(("target",), "target", f"the target is {place!r} already; leave this out")
    return FieldMapping.model_validate({**data, "target": place})


def _mistake(loc: tuple[str | int, ...], kind: str, why: str) -> ValidationError:
    """One mistake at a place below the model that is being validated."""
    detail = InitErrorDetails(type=_custom(kind, why), loc=loc, input=None)
    return ValidationError.from_exception_data("Mapping", [detail], hide_input=True)


def _located(error: ValidationError, place: Any, *, short: bool = False) -> list[InitErrorDetails]:
    """The mistakes of one field below its place; the short spelling has no keys to point at."""
    found: list[InitErrorDetails] = []
    for each in error.errors(include_url=False, include_input=False):
        kind, loc, why = each["type"], each["loc"], each["msg"]
        if kind == "extra_forbidden" and len(loc) == 1:
            kind = "key_unknown"  # a kind of its own, because whoever reads the file cannot know what keys there are
            known = [name for name in FieldMapping.model_fields if name != "target"]
            why = f"there is no key {loc[0]!r} here; {did_you_mean(str(loc[0]), known)}"
        found.append(InitErrorDetails(type=_custom(kind, why), loc=(place, *(() if short else loc)), input=None))
    return found


def _custom(kind: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{why}", {"why": why})


def _is_normal(fields: Any) -> bool:
    """Whether this is a tuple of fields, as Python spells it, and not a target that happens to be called fields."""
    return isinstance(fields, tuple | list) and all(isinstance(field, FieldMapping) for field in fields)


def _depth(field: FieldMapping) -> int:
    return 1 + max((_depth(inner) for inner in field.each.fields), default=0) if field.each is not None else 1


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.to_data()
    if isinstance(value, Chain):
        return str(value)
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else value
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
