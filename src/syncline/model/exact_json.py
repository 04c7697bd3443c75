"""JSON without loss: integers of any size and decimals stay exact, and every failure has a name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

MAX_DIGITS = 4_300


class MalformedBody(ValueError):
    """The bytes are not JSON; the message says what was met and where."""


class BodyTooDeep(ValueError):
    """The document nests deeper than it can be read safely."""


def decode_json(body: bytes | str) -> Any:
    """Decode one JSON document; non-integers become Decimal.

    Raises MalformedBody (also for NaN and Infinity, which JSON does not have) and BodyTooDeep.
    Lone surrogates, which msgspec refuses, come through as they stand, so that one bad text costs its record, not its page.
    """
    if not body:
        raise MalformedBody("the body is empty")
    try:
        return _decoder.decode(body)
    except RecursionError:
        raise BodyTooDeep("the document nests more than 900 levels deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as first:
        return _decode_patiently(body, first)


def _decode_patiently(body: bytes | str, first: Exception) -> Any:
    try:
        text = body.decode("utf-8-sig", "surrogatepass") if isinstance(body, bytes) else body.removeprefix("\ufeff")
        return json.loads(text, parse_float=Decimal, parse_int=_parse_int, parse_constant=_refuse_constant)
    except RecursionError:
        raise BodyTooDeep("the document nests more than 900 levels deep") from None
    except UnicodeDecodeError as error:
        raise MalformedBody(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise MalformedBody(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise MalformedBody(str(error) or str(first)) from None


def _parse_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= MAX_DIGITS else Decimal(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def encode_json(value: Any) -> bytes:
    """Encode exactly: Decimal as a number with all its digits, times as RFC 3339 text.

    Raises UnicodeEncodeError for a lone surrogate, which has no UTF-8 form.
    """
    return _encoder.encode(value)


def encode_json_lines(values: Iterable[Any]) -> bytes:
    """As `encode_json`, one document a line; a float that is no number becomes `null`, so look for those first."""
    return _encoder.encode_lines(values)
