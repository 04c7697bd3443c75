"""Pages whose records are decoded straight into a shape: what nobody reads of them never becomes an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import GenericAlias
from typing import Any

import msgspec

from syncline.http import decode_json_body
from syncline.model import Elements, Response, Shape, parse_path, shape_of
from syncline.model.paths import Path
from syncline.sources.endpoint import Endpoint

NARROW = {str: str, int: int, bool: bool}
"""Types that JSON tells apart, so that a decoder can be held to them."""


class ShapedPage(msgspec.Struct, frozen=True):
    """A document of which only the records and what the pagination reads were decoded. `shape` is the records'."""

    document: Any
    records: list[Any]
    shape: Shape


class ShapedDecoder:
    """Decodes the pages of one list. The first is decoded whole as well, so that whatever is odd about it is said as ever.

    Values that were of one type so far are decoded as that type: it costs nothing, and whoever writes them need not look. A page
    with another type widens the shape; one that does not fit at all is decoded into plain objects.
    """

    def __init__(self, record: Shape, records: str | None, others: Sequence[str]) -> None:
        """Raises ValueError where the records' place, or what else is read, cannot be told by keys alone."""
        self._path = parse_path(records) if records else ()
        self._others = [parse_path(other) for other in others]
        if self._others and not self._path:
            raise ValueError("the records' place is not a member of the document's shape")
        self._wide = _Way(record, self._path, self._others)
        self._narrow: _Way | None = None
        self._met: dict[Path, set[type]] = {}
        self._first = True

    def decode(self, response: Response) -> Any:
        """For use as `Request.decode`: a ShapedPage, or the plain document."""
        if self._first:
            return self._decode_first(response)
        if self._narrow is None:
            self._narrow = self._narrowed()
        for way in (self._narrow, self._wide):
            found = way.decode(response.body)
            if found is None:
                continue
            if way is not self._narrow:
                self._learn(found[1])
            return ShapedPage(way.open(found[0]), found[1], way.shape)
        return decode_json_body(response)

    def _decode_first(self, response: Response) -> Any:
        whole = decode_json_body(response)
        found = self._wide.decode(response.body)
        if found is None:
            return whole
        self._first = False
        self._learn(found[1])
        return ShapedPage(whole, found[1], self._wide.shape)

    def _learn(self, records: list[Any]) -> None:
        """Take note of what was met: the next page is decoded as that. Many streams have no other."""
        for path, kinds in self._wide.shape.met(records).items():
            self._met.setdefault(path, set()).update(kinds)
        self._narrow = None

    def _narrowed(self) -> _Way:
        types = {path: next(iter(kinds)) for path, kinds in self._met.items() if len(kinds) == 1}
        types = {path: kind for path, kind in types.items() if kind in NARROW}
        return _Way(self._wide.shape.narrowed(types), self._path, self._others)


class _Way:
    """A decoder of whole documents, for records of one shape."""

    def __init__(self, shape: Shape, path: Path, others: Sequence[Path]) -> None:
        listed: Any = GenericAlias(list, (shape.type,))
        self.shape, self._path = shape, path
        self._outer = shape_of([path, *others], {path: listed}) if path else None
        if path and (self._outer is None or not _is_member(self._outer, path)):
            raise ValueError("the records' place is not a member of the document's shape")
        self._decoder = msgspec.json.Decoder(listed if self._outer is None else self._outer.type, float_hook=Decimal)

    def decode(self, body: bytes) -> tuple[Any, list[Any]] | None:
        """The struct and the records in it; None where the body is not of this shape."""
        try:
            typed: Any = self._decoder.decode(body)
        except Exception:  # a wrong type, a wrong root, half a document: the plain way knows what to say
            return None
        records = typed if self._outer is None else self._outer.read(self._path, typed)
        return (typed, records) if isinstance(records, list) else None

    def open(self, typed: Any) -> Any:
        return None if self._outer is None else self._outer.open(typed)


def _is_member(shape: Shape, path: tuple[Any, ...]) -> bool:
    inner: Shape | Elements | None = shape
    for step in path:
        if not isinstance(inner, Shape) or not isinstance(step, str) or step not in inner.members:
            return False
        inner = inner.members[step][1]
    return inner is None


def shaped_decoder(endpoint: Endpoint, record: Shape) -> ShapedDecoder | None:
    """The decoder of this stream's pages, or None where somebody wants more of them than a shape has."""
    others = endpoint.pagination.document_paths
    plain = endpoint.format == "json" and not endpoint.single and not endpoint.context_names
    if others is None or not plain or not endpoint.primary_key:
        return None
    try:
        return ShapedDecoder(record, endpoint.records, others)
    except ValueError:
        return None


class Reread(Sequence[Any]):
    """The plain records of a shaped page, decoded again when somebody asks for one: those that were rejected."""

    def __init__(self, body: bytes, decode: Any) -> None:
        self._body, self._decode = body, decode
        self._records: list[Any] | None = None

    def all(self) -> list[Any]:
        if self._records is None:
            self._records = self._decode(self._body)
        return self._records

    def __getitem__(self, index: Any) -> Any:
        return self.all()[index]

    def __len__(self) -> int:
        return len(self.all())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())
