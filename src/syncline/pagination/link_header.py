"""The Link header's grammar (RFC 8288, 3 and appendix B)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

MAX_LENGTH = 64_000
_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(r"""\s*;[\s;]*([^\s=;,"<>]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?""")
_REST = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")*')


class WebLink(msgspec.Struct, frozen=True):
    """One link: where it leads, what for (in lower case), and its other parameters, the first of each name."""

    target: str
    relations: frozenset[str]
    parameters: dict[str, str]


def links_in(values: Iterable[str]) -> list[WebLink]:
    """Every link of all Link headers, in order; what follows a mistake in a header is left out."""
    return [link for value in values for link in _read(value[:MAX_LENGTH])]


def _read(value: str) -> Iterable[WebLink]:
    at = 0
    while target := _TARGET.match(value, at):
        at = target.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(value, at):
            at = parameter.end()
            name, quoted, plain = parameter.groups()
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
            parameters.setdefault(name.lower(), text)
        relations = frozenset(parameters.get("rel", "").lower().split())
        yield WebLink(target=target[1], relations=relations, parameters=parameters)
        rest = _REST.match(value, at)
        at = rest.end() if rest else at
