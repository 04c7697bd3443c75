"""Where in an answer the records stand."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.operation import Operation
from syncline.generate.inference.rules.markers import markers, of_role
from syncline.generate.inference.rules.parameters import find_cursor, find_offset, find_page
from syncline.generate.inference.rules.words import flat, named, segments, singular, words
from syncline.generate.inference.schema import Schema, join

ENVELOPES = frozenset(
    {
        "data", "items", "item", "results", "result", "records", "rows", "list", "entries", "content", "value", "values",
        "elements", "objects", "hits", "nodes", "edges", "docs", "documents", "features", "resources", "collection",
        "members", "payload", "response", "body", "page", "entities", "resultlist", "datas", "matches",
    }
)  # fmt: skip
ASIDES = frozenset(
    {
        "errors", "error", "links", "link", "warnings", "included", "facets", "aggregations", "meta", "notices",
        "includes", "sort", "debug", "validationerrors", "breadcrumbs", "expand", "orders by",
        "errormessages", "suggestions", "schema", "attributions", "includedresources",
        "expands", "copyrights", "appliedfilters", "relatedsearches", "availablefilters", "highlights",
    }
)  # fmt: skip
MAYBE_ASIDES = frozenset(
    {"messages", "notices", "notifications", "permissions", "scopes", "fields", "filters", "columns"}
)
FRAME = frozenset(
    {
        "total", "totalcount", "count", "page", "pages", "perpage", "pagesize", "limit", "offset", "next", "previous", "prev",
        "first", "last", "self", "hasmore", "hasnext", "links", "link", "meta", "metadata", "pagination", "paging", "success",
        "status", "statuscode", "code", "message", "messages", "errors", "error", "object", "url", "href", "cursor", "nextcursor",
        "nextpagetoken", "nexttoken", "totalpages", "totalresults", "totalitems", "currentpage", "lastpage", "from", "to", "size",
        "requestid", "type", "kind", "etag", "version", "copyright", "query", "took", "timestamp", "numberofelements",
        "totalelements", "sort", "islastpage", "start", "warnings", "facets", "included", "includes", "jsonapi", "response",
        "totalrecords", "totalrows", "resultcount", "params", "paginginfo", "pageinfo", "pageable", "empty", "number",
        "nextpage", "nexthref", "nextlink", "odatacontext", "odatanextlink", "odatacount", "context", "info", "summary", "debug",
        "generated", "lastupdated", "search", "executiontime", "elapsed", "apiversion", "help", "description", "nextmarker",
        "responsestatus", "statusmessage", "expand", "_links", "remaining", "haslessthanresults", "resultsize", "maxresults",
        "returned", "found", "nextrecordsurl", "done", "more", "result", "ok", "license", "totalsize", "crs", "bbox", "numfound",
        "itemsperpage", "startindex", "resultsperpage", "nextrecords", "apikey", "action", "time", "duration", "cost", "embedded",
        "nextpageurl", "prevpageurl", "lastpageurl", "firstpageurl", "path", "servertime", "nbresults", "numresults",
        "totalpagecount", "hasnextpage", "haspreviouspage", "pagecount", "server knowledge", "serverknowledge", "totalhits",
    }
)  # fmt: skip
MAX_DEPTH = 3


class Place(msgspec.Struct, frozen=True):
    """A list within an answer: the keys that lead to it, and its elements."""

    keys: tuple[str, ...]
    items: Schema
    score: float
    why: str


def find_records(operation: Operation) -> tuple[Guess[str], Schema | None]:
    """Where the list of records stands, and the form of one record; unknown where the answer is no list."""
    answer = operation.answer
    if answer is None:
        return unknown(f"nobody describes the answer of {operation.method} {operation.path}"), None
    if answer.type == "array":
        items = answer.items or Schema()
        return Guess(".", 0.97, ("the answer is a list itself",)), items
    if answer.type != "object" or not answer.properties:
        return unknown("the answer is no list and no object with known keys"), None
    places = sorted(_places(answer, operation, (), 0), key=lambda place: -place.score)
    if not places or not _is_a_list(answer, places[0], operation):
        return unknown("the answer describes one thing, and holds no list of its own"), None
    best = places[0]
    second = places[1].score if len(places) > 1 else -1.0
    confidence = min(0.6 + best.score / 20 + min(best.score - second, 4.0) / 20, 0.97)
    path = join(*best.keys)
    if _is_edges(best):
        node = best.items.properties["node"]
        return Guess(f"{path}[*].node", confidence, (f"{path} holds edges, each with its node",)), node
    return Guess(path, confidence, (best.why,)), best.items


def _is_edges(place: Place) -> bool:
    return place.keys[-1] == "edges" and place.items.at("node") is not None


def _places(schema: Schema, operation: Operation, keys: tuple[str, ...], depth: int) -> Iterator[Place]:
    for name, inner in schema.properties.items():
        if inner.type == "array":
            yield _judged(schema, name, inner, operation, keys)
        elif inner.type == "object" and depth + 1 < MAX_DEPTH and flat(name) not in ASIDES:
            yield from _places(inner, operation, (*keys, name), depth + 1)


def _judged(around: Schema, name: str, inner: Schema, operation: Operation, keys: tuple[str, ...]) -> Place:
    items = inner.items or Schema()
    score, reasons = _worth_of_items(items)
    if flat(name) in ENVELOPES:
        score += 2.5
        reasons.append("has a usual name for lists")
    if named_after(name, operation.path):
        score += 3
        reasons.append("is named after the path")
    elif any(_same_thing(name, segment) for segment in named(operation.path)[-3:]):
        score += 2
        reasons.append("is named after a part of the path")
    lists = [key for key, other in around.properties.items() if other.type == "array" and flat(key) not in ASIDES]
    if lists == [name]:
        score += 1
        reasons.append("is the only list there")
        if not _besides(around, name, operation):
            score += 1.5
            reasons.append("and nothing but it is")
    if _is_aside(name, items) and len(around.properties) > 1:
        score -= 6
    # the way to it: through envelopes it costs nothing, through things of their own it costs much
    for number, key in enumerate(keys):
        below = (*keys[number + 1 :], name)[0]
        free = (
            flat(key) in ENVELOPES or key == "_embedded" or _same_thing(key, below) or named_after(key, operation.path)
        )
        score -= 0.5 if free else 2.5
    return Place((*keys, name), items, score, f"{join(*keys, name)} {', '.join(reasons) or 'is a list'}")


def _is_aside(name: str, items: Schema) -> bool:
    """Whether a list is there beside the records: complaints, links, counts of facets. Messages with ids are records."""
    plain = flat(name)
    if plain in MAYBE_ASIDES and any(flat(key).endswith("id") for key in items.properties):
        return False
    return plain in ASIDES or plain in MAYBE_ASIDES or "facet" in plain or "suggest" in plain


def _worth_of_items(items: Schema) -> tuple[float, list[str]]:
    if items.type == "object" and items.properties:
        identified = any(flat(key) in ("id", "uuid", "_id", "guid") for key in items.properties)
        return (4.5, ["holds objects with an id"]) if identified else (3.5, ["holds objects"])
    return (0.5 if items.type == "object" else 1.0 if items.type == "any" else 0.0), []


def named_after(name: str, path: str) -> bool:
    """Whether a key is named as the path ends: `orders` or `orderList` in /orders."""
    return any(_same_thing(name, segment) for segment in named(path)[-1:])


def _same_thing(name: str, other: str) -> bool:
    """Whether two names are of the same thing, several of it or one: `orderList`, `orders`, `order`."""
    key, resource = words(name), words(other)
    if len(key) > 1 and key[-1] in ("list", "array", "collection", "data", "results", "items", "ids", "result"):
        key = key[:-1]
    return bool(key and resource) and tuple(map(singular, key)) in (
        tuple(map(singular, resource)),
        (singular(resource[-1]),),
    )


def _is_a_list(answer: Schema, place: Place, operation: Operation) -> bool:
    """Whether the answer is there for the list in it, or describes one thing that has a list among its parts."""
    steps = segments(operation.path)
    one_thing = bool(steps) and steps[-1].startswith("{") and steps[-1].endswith("}")
    holder = answer.at(*place.keys[:-1]) if len(place.keys) > 1 else answer
    assert holder is not None
    if not _is_paged(operation) and not _leads_there(answer, place, operation):
        return False
    usual = flat(place.keys[-1]) in ENVELOPES or named_after(place.keys[-1], operation.path)
    if place.score >= 2 and _is_paged(operation):
        return True
    others = _besides(holder, place.keys[-1], operation)
    identified = any(flat(name) in ("id", "uuid", "_id") for name in others)
    if place.score < 2 or (one_thing and not (usual and not others)):
        return False
    if identified:
        return usual and not one_thing and len(others) <= 2
    return usual or len(others) <= 3


def _leads_there(answer: Schema, place: Place, operation: Operation) -> bool:
    """Whether the objects around a list are there for it, and not things that have the list somewhere among their parts."""
    around: Schema | None = answer
    for key in place.keys[:-1]:
        assert around is not None
        most = 5 if flat(key) in ENVELOPES or key == "_embedded" else 2
        if len(_besides(around, key, operation)) > most:
            return False
        around = around.properties.get(key)
    return True


def _besides(holder: Schema, name: str, operation: Operation) -> list[str]:
    """What stands beside a list and is neither its frame nor repeated from the path."""
    asked = {flat(step) for step in segments(operation.path) if step.startswith("{")}
    return [
        other
        for other in holder.properties
        if other != name and not other.startswith(("@", "_")) and flat(other) not in FRAME and flat(other) not in asked
    ]


def _is_paged(operation: Operation) -> bool:
    """Whether pages can be asked for, which makes sense for lists only."""
    query = operation.query()
    if find_page(query) or find_offset(query) or find_cursor(query):
        return True
    found = markers(operation.answer)
    return of_role(found, "address") is not None or of_role(found, "cursor") is not None
