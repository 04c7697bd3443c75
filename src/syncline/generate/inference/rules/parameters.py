"""What the parameters of a request are for, by their names, types and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from syncline.generate.inference.operation import Parameter
from syncline.generate.inference.rules.words import flat

LIMITS = (
    "limit", "perpage", "pagesize", "size", "pagelimit", "maxresults", "itemsperpage", "resultsperpage", "hitsperpage", "take",
    "top", "count", "rows", "num", "first", "pagelen", "rpp", "maxitems", "max", "pagecount", "numresults", "nbresults", "step",
    "length", "n", "results", "recordsperpage", "resultsize", "maxrecords", "nb", "pageitems", "perpagecount", "limitperpage",
    "pagelength", "batchsize", "amount", "entriesperpage", "fetchsize", "maxcount", "numitems", "numrecords", "maxpagesize",
)  # fmt: skip
OFFSETS = (
    "offset", "skip", "pageoffset", "startindex", "startat", "startrow", "startfrom", "firstresult", "start", "from",
    "resultoffset", "startposition", "begin", "offsetby", "startrecord", "rowoffset", "skipcount", "startpos", "first",
    "recordoffset", "index", "beginindex",
)  # fmt: skip
PAGES = (
    "page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage", "currpage", "pg", "p", "pagenr", "pageid", "paged",
    "whichpage", "resultpage",
)  # fmt: skip
CURSORS = (
    "cursor", "pagetoken", "nexttoken", "nextpagetoken", "pagecursor", "startingafter", "after", "pageafter", "marker",
    "continuationtoken", "continuation", "nextcursor", "bookmark", "scrollid", "paginationtoken", "pagestate", "aftercursor",
    "exclusivestartkey", "lastkey", "nextpage", "nextpagekey", "next", "startcursor", "resumptiontoken", "lastevaluatedkey",
    "offsettoken", "pagekey", "startkey", "continuetoken", "listpagetoken", "skiptoken", "cursormark", "pagingtoken", "afterid",
    "sinceid", "lastid", "pageid", "iterator", "token", "startafter", "lastseenid", "maxid", "continuefrom",
)  # fmt: skip

_INNER = re.compile(r"\[([A-Za-z_]+)\]$")
"""What stands innermost in `criteria[currentPage]`."""
_COUNTS = re.compile(
    r"\b(max(imum)?|number|limit|how many|amount|count|size)\b.{0,60}\b(results?|records?|items?|rows?|entries|objects?|page|"
    r"return|elements?|\w+s)\b",
    re.I,
)
_SKIPS = re.compile(
    r"\b(skip|offset|start(ing)? (at|from|with|index|position|row|record)|index of the first|first (result|record|item|row)|"
    r"zero.based|0.based|beginning)\b",
    re.I,
)
_NUMBERS = re.compile(r"\bpage\b", re.I)
_FOLLOWS = re.compile(
    r"\b(cursor|token|continu|next (page|set|batch)|previous (response|request|call|page)|last (id|item|record)|paginat\w*)\b",
    re.I,
)


def numeric(parameter: Parameter) -> bool:
    """Whether a number may be sent: declared so, or not declared at all."""
    if parameter.schema.type in ("integer", "number"):
        return True
    value = parameter.default if parameter.default is not None else parameter.example
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return True
    return parameter.schema.type in ("any", "string") and parameter.schema.format not in (
        "date-time",
        "date",
        "uri",
        "uuid",
    )


def find_limit(query: Mapping[str, Parameter], besides: Iterable[str] = ()) -> Parameter | None:
    """The parameter for a page's length."""
    taken = set(besides)
    for parameter in _in_order(query, LIMITS):
        if parameter.name in taken or not numeric(parameter):
            continue
        plain = flat(parameter.name)
        if plain in (
            "count",
            "first",
            "max",
            "n",
            "results",
            "amount",
            "length",
            "num",
            "step",
            "nb",
            "top",
            "take",
            "size",
        ):
            if parameter.description and not _COUNTS.search(parameter.description):
                continue
            if parameter.schema.type == "boolean":
                continue
        if plain == "pagecount" and "number of pages" in parameter.description.lower():
            continue
        return parameter
    return None


def find_offset(query: Mapping[str, Parameter]) -> Parameter | None:
    """The parameter for the number of records before the page."""
    for parameter in _in_order(query, OFFSETS):
        if not numeric(parameter) or parameter.schema.type == "boolean":
            continue
        plain, said = flat(parameter.name), parameter.description
        if plain in ("from", "start", "first", "begin", "index", "beginindex"):
            # these name dates, ids and places as often
            told = parameter.schema.type in ("integer", "number") or bool(_SKIPS.search(said))
            if not told or re.search(
                r"\b(date|time|timestamp|day|epoch|price|year|address|currency|stop)\b", said, re.I
            ):
                continue
            if plain in ("from", "begin", "index") and not (_SKIPS.search(said) or find_limit(query, {parameter.name})):
                continue
            if plain == "first" and not re.search(r"first (result|record|item|row)|start|offset|index", said, re.I):
                continue
        return parameter
    return None


def find_page(query: Mapping[str, Parameter]) -> Parameter | None:
    """The parameter for a page's number."""
    for parameter in _in_order(query, PAGES):
        if not numeric(parameter):
            continue
        said = parameter.description
        short = flat(parameter.name) in ("p", "pg", "pageid", "paged") and not _NUMBERS.search(said)
        if short and (said or find_limit(query, {parameter.name}) is None):
            continue
        if parameter.schema.type == "string" and re.search(r"\b(cursor|token|encoded|opaque)\b", said, re.I):
            continue
        return parameter
    return None


def find_cursor(query: Mapping[str, Parameter]) -> Parameter | None:
    """The parameter that carries back what the answer before gave."""
    for parameter in _in_order(query, CURSORS):
        plain, said = flat(parameter.name), parameter.description
        if parameter.schema.type == "boolean" or parameter.schema.format in ("date-time", "date"):
            continue
        if plain in (
            "after",
            "next",
            "token",
            "pageid",
            "continuation",
            "maxid",
            "lastid",
            "iterator",
            "marker",
            "nextpage",
        ):
            if re.search(r"\b(date|time|timestamp|access token|api token|auth\w*)\b", said, re.I):
                continue
            if plain in ("token", "pageid", "next") and not _FOLLOWS.search(said):
                continue
        return parameter
    # a page that is an opaque text is a cursor
    for parameter in _in_order(query, ("page", "offset", "start")):
        if re.search(r"\b(cursor|opaque|encoded|token)\b", parameter.description, re.I) and parameter.schema.type in (
            "string",
            "any",
        ):
            return parameter
    return None


def _in_order(query: Mapping[str, Parameter], names: tuple[str, ...]) -> list[Parameter]:
    """Those of the parameters that have one of these names, in the order of the names."""
    by_name: dict[str, list[Parameter]] = {}
    for parameter in query.values():
        by_name.setdefault(flat(parameter.name), []).append(parameter)
        inner = _INNER.search(parameter.name)
        if inner is not None:
            by_name.setdefault(flat(inner[1]), []).append(parameter)
    return [parameter for name in names for parameter in by_name.get(name, ())]
