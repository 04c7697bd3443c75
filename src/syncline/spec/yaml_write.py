"""YAML that every reader understands the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


Place = tuple[str | int, ...]
Notes = Mapping[Place, Sequence[str]]
"""For people: lines that stand as comments above the value at a place, from the root: `("streams", 0, "pagination")`."""


def write(data: Any, notes: Notes | None = None, beside: Mapping[Place, str] | None = None) -> str:
    """YAML that readers of 1.1 and of 1.2 understand alike; reading it gives equal data.

    Takes what JSON has, tuples, Decimals and integer keys (which are read as text). Order is kept; lists and maps of plain
    values stand on one line where they fit and nothing within them has a note. `beside` are short notes behind what is one line. Of
    a note each line break and whatever a reader
    of YAML may not see becomes a space. Raises ValueError for what YAML cannot hold (NaN, lone surrogates).
    """
    writer = _Writer(notes or {}, beside or {})
    if isinstance(data, dict) and data:
        return "".join(f"{line}\n" for line in writer.block_map(data, "", ()))
    if isinstance(data, list | tuple) and data:
        return "".join(f"{line}\n" for line in writer.block_list(data, "", ()))
    return f"{_flow(data)}\n"


class _Writer:
    """Writes blocks, with the notes above what they speak of."""

    def __init__(self, notes: Notes, beside: Mapping[Place, str]) -> None:
        self.notes, self.beside = notes, beside
        self.within = {place[:length] for place in (*notes, *beside) for length in range(len(place))}

    def block_map(self, data: dict[Any, Any], pad: str, place: Place) -> list[str]:
        lines: list[str] = []
        for key, value in data.items():
            here = (*place, key)
            lines += self._note(here, pad)
            name = _key_text(key)
            # YAML allows at most 1,024 characters for a key that is not announced
            head = f"{pad}{name}:" if len(name) < 1_000 else f"{pad}? {name}\n{pad}:"
            if pad == "" and isinstance(value, dict):
                lines += [head, *self.block_map(value, "  ", here)] if value else [f"{head} {{}}"]
            else:
                own = self._beside(head, value, pad, here)
                if own and len(own) == 1 and here in self.beside:
                    own = [f"{own[0]}  # {_comment(self.beside[here])}"]
                lines += own or [head, *self._below(value, pad + "  ", here)]
        return lines

    def block_list(self, data: Sequence[Any], pad: str, place: Place) -> list[str]:
        lines: list[str] = []
        for number, value in enumerate(data):
            here = (*place, number)
            lines += self._note(here, pad)
            item = self._beside(f"{pad}-", value, pad, here)
            if not item:
                first, *rest = self._below(value, pad + "  ", here)
                # a note of the first field would stand where the dash has to
                while first.lstrip().startswith("#"):
                    lines.append(first[2:])
                    first, *rest = rest
                item = [f"{pad}- {first[len(pad) + 2 :]}", *rest]
            lines += item
        return lines

    def _note(self, place: Place, pad: str) -> list[str]:
        return [f"{pad}# {_comment(line)}".rstrip() for line in self.notes.get(place, ())]

    def _below(self, value: Any, pad: str, place: Place) -> list[str]:
        return self.block_map(value, pad, place) if isinstance(value, dict) else self.block_list(value, pad, place)

    def _beside(self, head: str, value: Any, pad: str, place: Place) -> list[str] | None:
        """The value on its head's line, or None where it needs lines of its own."""
        if isinstance(value, str) and _literal(value):
            mark = "|" if value.endswith("\n") else "|-"
            return [f"{head} {mark}", *(f"{pad}  {line}" if line else "" for line in value.splitlines())]
        if not isinstance(value, dict | list | tuple):
            return [f"{head} {_scalar(value, _PLAIN)}"]
        if not value:
            return [f"{head} {_flow(value)}"]
        if place not in self.within and _leaf(value) and len(line := f"{head} {_flow(value)}") <= WIDTH:
            return [line]
        return None


def _comment(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


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
    if not re.fullmatch(NUMBER, text):
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
