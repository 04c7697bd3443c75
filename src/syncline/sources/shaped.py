"""Pages whose records are decoded straight into a shape: what nobody reads of them never becomes an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import GenericAlias
from typing import Any

import msgspec

from syncline.http import decode_json_body
from syncline.model import Response, Shape, parse_path, shape_of
from syncline.sources.endpoint import Endpoint


class ShapedPage(msgspec.Struct, frozen=True):
    """A document of which only the records and what the pagination reads were decoded."""

    document: Any
    records: list[Any]


class ShapedDecoder:
    """Decodes the pages of one list. The first is decoded whole as well, so that whatever is odd about it is said as ever.

    A page that does not fit, for whatever reason, is decoded into plain objects.
    """

    def __init__(self, record: Shape, records: str | None, others: Sequence[str]) -> None:
        """Raises ValueError where the records' place, or what else is read, cannot be told by keys alone."""
        path = parse_path(records) if records else ()
        listed: Any = GenericAlias(list, (record.type,))
        outer = shape_of([path, *map(parse_path, others)], {path: listed}) if path else None
        if (path and (outer is None or not _is_member(outer, path))) or (others and not path):
            raise ValueError("the records' place is not a member of the document's shape")
        self._path, self._outer = path, outer
        self._decoder = msgspec.json.Decoder(listed if outer is None else outer.type, float_hook=Decimal)
        self._first = True

    def decode(self, response: Response) -> Any:
        """For use as `Request.decode`: a ShapedPage, or the plain document."""
        whole = decode_json_body(response) if self._first else None
        try:
            typed: Any = self._decoder.decode(response.body)
        except Exception:  # a wrong type, a wrong root, half a document: the plain way knows what to say
            return whole if self._first else decode_json_body(response)
        records = typed if self._outer is None else self._outer.read(self._path, typed)
        if not isinstance(records, list):
            return whole if self._first else decode_json_body(response)
        document = whole if self._first else None if self._outer is None else self._outer.open(typed)
        self._first = False
        return ShapedPage(document, records)


def _is_member(shape: Shape, path: tuple[Any, ...]) -> bool:
    inner: Shape | None = shape
    for step in path:
        if inner is None or step not in inner.members:
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
