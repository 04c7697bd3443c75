"""Which stream a call asks for, and which of its lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from syncline.model import reveal
from syncline.rehearsal.simulator.blueprint import key_number
from syncline.rehearsal.simulator.wire import Call
from syncline.rehearsal.simulator.world import nested
from syncline.sources import HttpSource
from syncline.sources.endpoint import PLACEHOLDER
from syncline.spec import Stream


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How the calls of one stream look."""

    stream: Stream
    method: str
    path: re.Pattern[str]
    fixed: dict[str, str]

    def fits(self, call: Call) -> dict[str, str] | None:
        """What the call names by parents and partition, or None where it is another's."""
        found = self.path.fullmatch(call.path)
        if found is None or call.method != self.method:
            return None
        params = call.params
        if any(params.get(name) != value for name, value in self.fixed.items()):
            return None
        if self.stream.query is not None and (call.json or {}).get("query") != self.stream.query:
            return None
        named = {name: unquote(value) for name, value in found.groupdict().items()}
        partitions = self.stream.partitions
        if partitions is not None and partitions.param is not None:
            named[partitions.name] = params.get(partitions.param, "")
        return named


def routes_of(source: HttpSource, streams: Mapping[str, Stream]) -> list[Route]:
    """Those that say most of their calls come first, so that a more general one does not take them."""
    base = urlsplit(reveal(source.base_url)).path.rstrip("/")
    routes = [_route(base, stream) for stream in streams.values()]
    return sorted(routes, key=lambda route: (len(route.stream.placeholders), -len(route.fixed)))


def _route(base: str, stream: Stream) -> Route:
    path = stream.path if not stream.path or stream.path.startswith("/") else f"/{stream.path}"
    pieces = PLACEHOLDER.split(base + path)
    pattern = "".join(f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    paging = _moving(stream)
    return Route(
        stream=stream,
        method="POST" if stream.query is not None else stream.method,
        path=re.compile(pattern),
        fixed={name: _spelled(value) for name, value in stream.params.items() if name not in paging},
    )


def _moving(stream: Stream) -> set[str]:
    """Parameters that the pagination sets itself."""
    names = (
        getattr(stream.pagination, name, None)
        for name in ("param", "offset_param", "limit_param", "page_param", "size_param")
    )
    return {str(name) for name in names if name is not None}


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else reveal(value)


def line_of(stream: Stream, named: Mapping[str, str]) -> int | None:
    """The number of the list that is asked for, or None where there is no such list."""
    line = 0
    for parent in stream.parents:
        number = key_number(named.get(parent.as_, ""))
        if number is None:
            return None
        line = nested(line, number)
    if stream.partitions is None:
        return line
    values = [str(value) for value in stream.partitions.values]
    asked = named.get(stream.partitions.name, "")
    return line * len(values) + values.index(asked) if asked in values else None
