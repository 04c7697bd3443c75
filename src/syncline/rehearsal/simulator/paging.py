"""The API's side of every pagination: which part of a list a call asks for, and how the answer says what comes after it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from syncline.model import MISSING, kind_of, put_path, read_path
from syncline.model.paths import parse_path
from syncline.pagination.reading import whole_number
from syncline.rehearsal.simulator.blueprint import key_number
from syncline.rehearsal.simulator.selection import asks_for_edges
from syncline.rehearsal.simulator.wire import Call
from syncline.rehearsal.simulator.world import Listing
from syncline.spec import Stream

SIZE = 50
"""Records on a page for which no length was asked."""
MOST = 1_000
"""Records on a page, however many are asked for."""
AFTER = "after"
"""The parameter by which our own links lead on."""


class Unreadable(ValueError):
    """A call that asks for a part of the list that nobody can find."""


class Part(msgspec.Struct, kw_only=True):
    """A part of a list, on its way into an answer. Places count from 0 within the listing.

    `following` is where the next page begins, None at the end.
    """

    stream: Stream
    call: Call
    listing: Listing
    stride: int
    line: int
    moment: int = 0
    """When it was asked for, in milliseconds since 1970."""
    place: int = 0
    size: int = SIZE
    indices: list[int] = []
    following: int | None = None
    turn: int = 0
    """Tells cursors apart that lead to the same place."""
    records: list[Any] = []

    def read(self) -> Part:
        """The part with its records' indices."""
        self.indices, end = self.listing.take(self.place, self.size)
        more, _ = self.listing.take(end, 1)
        self.following = end if more else None
        return self

    @property
    def numbers(self) -> list[int]:
        return [self.line * self.stride + index for index in self.indices]

    def mark(self, place: int) -> str:
        """An opaque cursor to a place, which stays right when records come and go before it."""
        before = self.listing.index(place - 1) if place else -1
        return base64.urlsafe_b64encode(f"{self.line}:{before}:{self.turn}".encode()).decode().rstrip("=")

    def marked(self, mark: Any) -> int:
        """The place that a cursor leads to. Raises Unreadable."""
        try:
            text = str(mark)
            line, before, _ = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
            index = int(before)
        except (ValueError, binascii.Error):
            raise Unreadable(f"the cursor {mark!r} is none of ours") from None
        if int(line) != self.line:
            raise Unreadable(f"the cursor {mark!r} belongs to another list")
        return 0 if index < 0 else self.behind(index)

    def behind(self, index: int) -> int:
        place = self.listing.place(index)
        if place is None:
            raise Unreadable("the cursor leads to a record that this list does not have")
        return place + 1


Locate = Callable[[Any, Part], None]
Phrase = Callable[[Any, Part, Any], tuple[Any, dict[str, str]]]


def locate(part: Part) -> Part:
    """Find out which places the call asks for. Raises Unreadable."""
    pagination = part.stream.pagination
    find = _LOCATE.get(kind_of(type(pagination)), _locate_all)
    find(pagination, part)
    part.size = min(part.size, MOST)
    return part.read()


def phrase(part: Part) -> tuple[Any, dict[str, str]]:
    """The answer's document and its headers."""
    stream, pagination = part.stream, part.stream.pagination
    kind = kind_of(type(pagination))
    document: Any = {}
    if stream.single:
        one = part.records[0] if part.records else {}
        document = put_path(document, stream.records, one) if stream.records not in (None, ".") else one
    elif kind == "graphql":
        document = _connection(pagination, part)
    elif stream.records in (None, "."):
        document = part.records
    else:
        document = put_path(document, stream.records.removesuffix("[*]"), part.records)
    headers: dict[str, str] = {}
    if kind in _PHRASE:
        document, headers = _PHRASE[kind](pagination, part, document)
    if pagination.total_path is not None:
        document = put_path(document, pagination.total_path, part.listing.total)
    if pagination.total_header is not None:
        headers[pagination.total_header] = str(part.listing.total)
    return document, headers


def _value(part: Part, place: str | None, where: str = "query") -> Any:
    """What the call has for a parameter, or at a place of its body."""
    if place is None:
        return None
    if where == "query":
        return part.call.params.get(place)
    found = read_path(parse_path(place), part.call.json)
    return None if found is MISSING else found


def _size(part: Part, place: str | None, where: str = "query") -> None:
    size = whole_number(_value(part, place, where))
    if size:
        part.size = size


def _locate_all(pagination: Any, part: Part) -> None:
    part.size = MOST


def _locate_offset(pagination: Any, part: Part) -> None:
    _size(part, pagination.limit_param, pagination.in_)
    offset = whole_number(_value(part, pagination.offset_param, pagination.in_)) or 0
    part.place = part.listing.skip(max(0, offset - pagination.first))


def _locate_page(pagination: Any, part: Part) -> None:
    _size(part, pagination.size_param, pagination.in_)
    part.size = min(part.size, MOST)
    page = whole_number(_value(part, pagination.page_param, pagination.in_))
    part.place = part.listing.skip(max(0, (pagination.first if page is None else page) - pagination.first) * part.size)


def _locate_cursor(pagination: Any, part: Part) -> None:
    where = "query" if pagination.param is not None else "body"
    _size(part, pagination.limit_param, where)
    cursor = _value(part, pagination.param or pagination.body_param, where)
    if cursor is None or cursor == "":
        return
    if pagination.last_record is None:
        part.place = part.marked(cursor)
        return
    number = key_number(cursor)
    if number is None or number // part.stride != part.line:
        raise Unreadable(f"there is no record {cursor!r}")
    part.place = part.behind(number % part.stride)


def _locate_linked(pagination: Any, part: Part) -> None:
    _size(part, pagination.limit_param)
    mark = part.call.params.get(AFTER)
    if mark is not None:
        part.place = part.marked(mark)


def _locate_connection(pagination: Any, part: Part) -> None:
    variables = (part.call.json or {}).get("variables") or {}
    size = whole_number(variables.get(pagination.size_variable)) if pagination.size_variable else None
    part.size = size or part.size
    if variables.get(pagination.variable) is not None:
        part.place = part.marked(variables[pagination.variable])


def _phrase_page(pagination: Any, part: Part, document: Any) -> tuple[Any, dict[str, str]]:
    if pagination.total_pages is not None:
        document = put_path(document, pagination.total_pages, -(-part.listing.total // part.size))
    return document, {}


def _phrase_cursor(pagination: Any, part: Part, document: Any) -> tuple[Any, dict[str, str]]:
    mark = None if part.following is None else part.mark(part.following)
    headers = {}
    if pagination.next is not None:
        document = put_path(document, pagination.next, mark)
    if pagination.next_header is not None and mark is not None:
        headers[pagination.next_header] = mark
    if pagination.has_more is not None:
        document = put_path(document, pagination.has_more, mark is not None)
    return document, headers


def _phrase_next_url(pagination: Any, part: Part, document: Any) -> tuple[Any, dict[str, str]]:
    return put_path(document, pagination.next, _link(part)), {}


def _phrase_link(pagination: Any, part: Part, document: Any) -> tuple[Any, dict[str, str]]:
    link = _link(part)
    return document, {} if link is None else {"Link": f'<{link}>; rel="next"'}


def _link(part: Part) -> str | None:
    """The address of the next page: that of this one with our own mark in it."""
    if part.following is None:
        return None
    pairs = [(name, value) for name, value in part.call.query if name != AFTER]
    parts = urlsplit(part.call.url)
    return parts._replace(query=urlencode([*pairs, (AFTER, part.mark(part.following))])).geturl()


def _connection(pagination: Any, part: Part) -> Any:
    end = part.listing.places if part.following is None else part.following
    info = {"hasNextPage": part.following is not None, "endCursor": part.mark(end) if part.records else None}
    if asks_for_edges(part.stream):
        records = {"edges": [{"node": record} for record in part.records]}
    else:
        records = {"nodes": part.records}
    return put_path({}, pagination.connection, {**records, "pageInfo": info, "totalCount": part.listing.total})


_LOCATE: dict[str, Locate] = {
    "none": _locate_all,
    "offset": _locate_offset,
    "page": _locate_page,
    "cursor": _locate_cursor,
    "link": _locate_linked,
    "next_url": _locate_linked,
    "graphql": _locate_connection,
}
_PHRASE: dict[str, Phrase] = {
    "page": _phrase_page,
    "cursor": _phrase_cursor,
    "link": _phrase_link,
    "next_url": _phrase_next_url,
}
