"""What an answer says of the pages around it: where the next one is, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from syncline.generate.inference.rules.words import flat
from syncline.generate.inference.schema import Schema, join

Role = Literal["cursor", "address", "total", "pages", "more"]

CURSORS = frozenset(
    {
        "nextcursor", "nextpagetoken", "nexttoken", "endcursor", "continuationtoken", "nextmarker", "scrollid", "nextpagekey",
        "cursornext", "nextpagecursor", "pagetoken", "paginationtoken", "lastevaluatedkey", "pagestate", "resumptiontoken",
        "cursor", "continuation", "nextpagestate", "bookmark", "nextoffset", "nextkey", "nextcontinuationtoken", "afterid",
        "nextid", "nextbookmark", "lastkey", "nextcursormark", "nextstartkey", "continue", "iterator", "marker", "lastid",
    }
)  # fmt: skip
ADDRESSES = frozenset(
    {
        "nexturl", "nextpageurl", "nextlink", "nexthref", "odatanextlink", "nextpageuri", "nexturi", "nextpagelink",
        "nextrecordsurl", "linknext", "urlnext", "nextpagehref",
    }
)  # fmt: skip
TOTALS = frozenset(
    {
        "total", "totalcount", "totalresults", "totalitems", "totalrecords", "totalelements", "totalrows", "totalhits", "numfound",
        "odatacount", "totalentries", "totalnumber", "totalsize", "resultcount", "recordcount", "totalobjects", "recordstotal",
        "totalmatches", "itemcount", "fullcount", "totalnumberofresults", "numberofresults", "totalresult", "allcount", "hitcount",
        "totalnum", "totalresultcount", "totalitemcount", "matches", "found", "totalrecordcount", "numresults", "nbresults",
        "dataavailable", "numbertotalitems", "totalavailable",
    }
)  # fmt: skip
PAGES = frozenset(
    {"totalpages", "pagecount", "lastpage", "pages", "totalpage", "numpages", "pagestotal", "nbpages", "numberofpages", "maxpage"}
)  # fmt: skip
MORE = frozenset(
    {
        "hasmore",
        "hasnext",
        "hasnextpage",
        "more",
        "hasmoreitems",
        "moreresults",
        "hasmoreresults",
        "hasmorepages",
        "istruncated",
    }
)
WAYS = frozenset(
    {
        "links",
        "link",
        "paging",
        "pagination",
        "meta",
        "cursors",
        "cursor",
        "pageinfo",
        "page",
        "metadata",
        "responsemetadata",
        "pager",
    }
)
MAX_DEPTH = 4


class Marker(msgspec.Struct, frozen=True):
    """A field beside the records, and what it is for."""

    role: Role
    keys: tuple[str, ...]
    schema: Schema
    sure: bool

    @property
    def path(self) -> str:
        return join(*self.keys)


def markers(answer: Schema | None) -> list[Marker]:
    """Every field of an answer that tells of other pages; the records themselves are not looked into."""
    return [] if answer is None else list(_markers(answer, (), 0))


def of_role(found: list[Marker], role: Role) -> Marker | None:
    """The surest one of this role, of equal ones the first."""
    some = [marker for marker in found if marker.role == role]
    return next((marker for marker in some if marker.sure), some[0] if some else None)


def _markers(schema: Schema, keys: tuple[str, ...], depth: int) -> Iterator[Marker]:
    for name, inner in schema.properties.items():
        here = (*keys, name)
        role, sure = _role(here, inner)
        if role is not None:
            yield Marker(role, here, inner, sure)
        elif inner.type == "object" and depth < MAX_DEPTH and not _is_data(name, inner):
            yield from _markers(inner, here, depth + 1)


def _is_data(name: str, schema: Schema) -> bool:
    """Whether this is a record rather than a part of the frame."""
    return flat(name) not in WAYS and any(flat(key) == "id" for key in schema.properties)


def _role(keys: tuple[str, ...], schema: Schema) -> tuple[Role | None, bool]:
    plain = flat(keys[-1])
    around = flat(keys[-2]) if len(keys) > 1 else ""
    if plain in ("next", "nextpage", "after", "href") or plain in CURSORS or plain in ADDRESSES:
        return _following(plain, around, keys, schema)
    if schema.type in ("integer", "number", "any", "string"):
        if plain in TOTALS:
            return "total", schema.type in ("integer", "number")
        if plain == "count" and len(keys) <= 3:
            return "total", False
        if plain in PAGES:
            return "pages", True
    if plain in MORE and schema.type in ("boolean", "any", "string"):
        return "more", True
    return None, False


def _following(plain: str, around: str, keys: tuple[str, ...], schema: Schema) -> tuple[Role | None, bool]:
    if plain == "href":
        following = len(keys) > 1 and flat(keys[-2]) in ("next", "nextpage")
        return ("address", True) if following else (None, False)
    if schema.type not in ("string", "any", "integer", "null", "number"):
        return None, False
    said = schema.description.lower()
    sample = next((str(value) for value in schema.samples if value), "")
    web = schema.format in ("uri", "url", "uri-reference") or sample.startswith(("http", "/", "?"))
    if plain in ADDRESSES or web:
        return "address", True
    if schema.type in ("integer", "number") and plain in ("next", "nextpage"):
        return None, False  # the number of the next page, which counting gives as well
    if plain in ("next", "nextpage", "after"):
        if "url" in said or "uri" in said or "link" in said or around in ("links", "link"):
            return "address", True
        if "token" in said or "cursor" in said or around in ("cursors", "cursor"):
            return "cursor", True
        if plain == "after":
            return ("cursor", True) if around in WAYS else (None, False)
        return "address", False
    if plain in ("marker", "iterator", "continue", "lastid", "bookmark", "cursor") and "url" in said:
        return "address", True
    return "cursor", plain not in ("marker", "continue", "lastid", "iterator", "bookmark")
