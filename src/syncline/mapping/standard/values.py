"""Transforms of any value: enumerations, empties, truth, JSON, hashes."""

from __future__ import annotations

import base64 as encoding
import binascii
import hashlib
from decimal import Decimal
from typing import Any

from syncline.mapping.standard.texts import need_room, need_text
from syncline.mapping.transform import ArgumentError, Step, TransformError, define, describe, show
from syncline.model import (
    MISSING,
    BodyTooDeep,
    MalformedBody,
    PathError,
    decode_json,
    encode_json,
    parse_path,
    read_path,
)

GROUP = "Any value"
HASHES = "JSON and hashes"
TRUE = frozenset({"true", "yes", "on", "1", "t", "y"})
FALSE = frozenset({"false", "no", "off", "0", "f", "n"})
SCALARS = (str, bool, int, Decimal, float)
MAX_CHOICES_SHOWN = 8


def key_of(value: Any) -> tuple[str, Any] | None:
    """What a scalar is compared by: its kind and its value, so that true is not 1 and "1" is not 1."""
    if value.__class__ is float:
        value = Decimal(repr(value))
    return (describe(value), value) if value is None or isinstance(value, SCALARS) else None


@define(GROUP, inverse="map")
def map_(choices: dict[Any, Any], *otherwise: Any) -> Step:
    """One value for another; what is not among `choices` is an error, unless a second argument says what it becomes.

    "active" | map({active: 1, inactive: 0}) → 1
    "odd" | map({active: 1, inactive: 0}, null) → null
    """
    if not choices or len(otherwise) > 1:
        raise ArgumentError("map is written map({from: to, …}) or map({from: to, …}, otherwise)")
    if None in choices:
        raise ArgumentError("map: null is not a choice, it stays null; write default_if_empty, or default: beside it")
    table = {key_of(key): result for key, result in choices.items()}
    names = ", ".join(map(show, list(choices)[:MAX_CHOICES_SHOWN])) + (
        ", …" if len(choices) > MAX_CHOICES_SHOWN else ""
    )

    def step(value: Any) -> Any:
        key = key_of(value)
        if key in table:
            return table[key]
        if otherwise:
            return otherwise[0]
        raise TransformError(f"{show(value)} is none of {names}")

    return step


@define(GROUP)
def null_if(*values: Any) -> Step:
    """Null where the value is one of these.

    "n/a" | null_if("n/a", "-") → null
    """
    if not values:
        raise ArgumentError('null_if is written null_if("-", …)')
    nulls = frozenset(map(key_of, values))
    return lambda value: None if key_of(value) in nulls else value


@define(GROUP)
def null_if_empty(value: Any) -> Any:
    """Null where there is nothing in it: empty text, or text of white space only, an empty list or object.

    "  " | null_if_empty → null
    """
    return None if _is_empty(value) else value


@define(GROUP, takes_null=True)
def default_if_empty(replacement: Any) -> Step:
    """The replacement for null, empty or blank text, an empty list or object.

    "" | default_if_empty("unknown") → "unknown"
    null | default_if_empty(0) → 0
    """
    return lambda value: replacement if value is None or _is_empty(value) else value


@define(GROUP)
def boolean(value: Any) -> bool:
    """True or false from true/false, yes/no, on/off, t/f, y/n in any case, and 1/0; all else is an error.

    "Yes" | boolean → true
    0 | boolean → false
    """
    if value.__class__ is bool:
        return value
    spelled = str(value).lower() if value.__class__ is int and value in (0, 1) else value
    if spelled.__class__ is str:
        if spelled.lower() in TRUE:
            return True
        if spelled.lower() in FALSE:
            return False
    raise TransformError(f"{show(value)} is neither true nor false")


@define(GROUP)
def get(path: str) -> Step:
    """What stands at a path inside the value; null where nothing does.

    "{\\"a\\": [7]}" | parse_json | get("a[0]") → 7
    """
    try:
        steps = parse_path(path)
    except PathError as error:
        raise ArgumentError(f"get: {error}") from None

    def step(value: Any) -> Any:
        found = read_path(steps, value)
        return None if found is MISSING else found

    return step


@define(HASHES, inverse="parse_json")
def json(value: Any) -> str:
    """The value as JSON text, with all digits.

    [1, "a"] | json → "[1,\\"a\\"]"
    """
    try:
        text = encode_json(value).decode()
    except UnicodeEncodeError:
        raise TransformError("a text in it has a lone surrogate, which JSON cannot spell") from None
    except (TypeError, RecursionError):
        raise TransformError(f"{describe(value)} of this make has no JSON form") from None
    need_room(len(text))
    return text


@define(HASHES, inverse="json")
def parse_json(value: Any) -> Any:
    """The value that a JSON text spells; numbers stay exact.

    "[1.10]" | parse_json → [1.10]
    """
    need_room(len(need_text(value)))
    try:
        return decode_json(value)
    except (MalformedBody, BodyTooDeep) as error:
        raise TransformError(f"{show(value)} is no JSON: {error}") from None
    except UnicodeEncodeError:
        raise TransformError("the text has a lone surrogate") from None


@define(HASHES)
def sha256(value: Any) -> str:
    """The SHA-256 of the text's UTF-8, in hexadecimal.

    "abc" | sha256 | truncate(8) → "ba7816bf"
    """
    return hashlib.sha256(_utf8(value)).hexdigest()


@define(HASHES)
def md5(value: Any) -> str:
    """The MD5 of the text's UTF-8, in hexadecimal: a checksum, no protection.

    "abc" | md5 | truncate(8) → "90015098"
    """
    return hashlib.md5(_utf8(value), usedforsecurity=False).hexdigest()


@define(HASHES, inverse="from_base64")
def base64(value: Any) -> str:
    """The text's UTF-8 in Base64.

    "abc" | base64 → "YWJj"
    """
    need_room(len(need_text(value)) * 4)
    return encoding.b64encode(_utf8(value)).decode()


@define(HASHES, inverse="base64")
def from_base64(value: Any) -> str:
    """The text whose UTF-8 stands there in Base64.

    "YWJj" | from_base64 → "abc"
    """
    try:
        return encoding.b64decode(need_text(value), validate=True).decode()
    except (binascii.Error, ValueError):
        raise TransformError(f"{show(value)} is no text in Base64") from None


def _utf8(value: Any) -> bytes:
    try:
        return need_text(value).encode()
    except UnicodeEncodeError:
        raise TransformError("the text has a lone surrogate") from None


def _is_empty(value: Any) -> bool:
    if value.__class__ is str:
        return not value.strip()
    return value.__class__ in (list, dict) and not value
