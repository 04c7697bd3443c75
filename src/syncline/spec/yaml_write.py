"""YAML that every reader understands the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from syncline.spec.yaml_text import NUMBER

WIDTH = 100

_PLAIN = r"[\w/.$(<](?:[^:#]|:(?! |$)|(?<! )#)*"
_PLAIN_IN_FLOW = r"[\w/.$(<][\w ./$()<>=+*@%|-]*"
_MISREAD = (
    r"(?i:~|null|true|false|yes|no|on|off|y|n|<<|\.\.\..*"
    r"|[-+]?(?:0[xob][0-9a-f_]*|(?:[0-9][0-9_,]*)?\.?[0-9_]*(?:e[-+]?[0-9]+)?|[0-9][0-9_]*(?::[0-9]+)+(?:\.[0-9_]*)?|\.inf|\.nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)"
)
"""What some reader of YAML 1.1 or 1.2 would not take for text."""


def write(data: Any) -> str:
    """YAML that readers of 1.1 and of 1.2 understand alike; reading it gives equal data.

    Takes what JSON has, tuples, Decimals and integer keys (which are read as text). Order is kept; lists and maps of plain
    values stand on one line where they fit. Raises ValueError for what YAML cannot hold (NaN, lone surrogates).
    """
    if isinstance(data, dict) and data:
        return "".join(f"{line}\n" for line in _block_map(data, ""))
    if isinstance(data, list | tuple) and data:
        return "".join(f"{line}\n" for line in _block_list(data, ""))
    return f"{_flow(data)}\n"


def _block_map(data: dict[Any, Any], pad: str) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        name = _key_text(key)
        # YAML allows at most 1,024 characters for a key that is not announced
        head = f"{pad}{name}:" if len(name) < 1_000 else f"{pad}? {name}\n{pad}:"
        top = pad == "" and isinstance(value, dict)
        lines += _beside(head, value, pad) or [head, *_below(value, pad + "  ")] if not top else _top(head, value)
    return lines


def _top(head: str, value: dict[Any, Any]) -> list[str]:
    return [head, *_block_map(value, "  ")] if value else [f"{head} {{}}"]


def _block_list(data: Sequence[Any], pad: str) -> list[str]:
    lines: list[str] = []
    for value in data:
        item = _beside(f"{pad}-", value, pad)
        if not item:
            first, *rest = _below(value, pad + "  ")
            item = [f"{pad}- {first[len(pad) + 2 :]}", *rest]
        lines += item
    return lines


def _below(value: Any, pad: str) -> list[str]:
    return _block_map(value, pad) if isinstance(value, dict) else _block_list(value, pad)


def _beside(head: str, value: Any, pad: str) -> list[str] | None:
    """The value on its head's line, or None where it needs lines of its own."""
    if isinstance(value, str) and _literal(value):
        mark = "|" if value.endswith("\n") else "|-"
        return [f"{head} {mark}", *(f"{pad}  {line}" if line else "" for line in value.splitlines())]
    if not isinstance(value, dict | list | tuple):
        return [f"{head} {_scalar(value, _PLAIN)}"]
    if not value:
        return [f"{head} {_flow(value)}"]
    if _leaf(value) and len(line := f"{head} {_flow(value)}") <= WIDTH:
        return [line]
    return None


def _leaf(value: Any) -> bool:
    if isinstance(value, dict):
        return all(not isinstance(inner, dict) and _leaf(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return not any(isinstance(inner, dict | list | tuple) or _has_lines(inner) for inner in value)
    return not _has_lines(value)


def _has_lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _literal(text: str) -> bool:
    """Whether a text of several lines can stand as it is, after a `|`."""
    lines = text.removesuffix("\n").split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return "\n" in text and plain and bool(lines[-1]) and bool(lines[0]) and not lines[0].startswith(" ")


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key_text(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return _scalar(value, _PLAIN_IN_FLOW)


def _key_text(key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise ValueError(f"a key is text, not {key!r}")
    return _scalar(key, _PLAIN_IN_FLOW)


def _scalar(value: Any, plain: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _write_number(value)
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} cannot be written as YAML")
    if _is_plain(value, plain):
        return value
    return '"' + "".join(_escape(character) for character in value) + '"'


def _is_plain(value: str, plain: str) -> bool:
    shaped = re.fullmatch(plain, value) is not None and value.isprintable() and not value.endswith(" ")
    return shaped and re.fullmatch(_MISREAD, value) is None


def _write_number(value: float | Decimal) -> str:
    text = (repr(value) if isinstance(value, float) else str(value)).lower()
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{value!r} cannot be written as YAML")
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else text


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"a lone surrogate (U+{code:04X}) cannot be written as YAML")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
