"""How a list goes on: which kind of pagination, with which parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.operation import Operation, Parameter
from syncline.generate.inference.rules.markers import Marker, markers, of_role
from syncline.generate.inference.rules.parameters import find_cursor, find_limit, find_offset, find_page
from syncline.generate.inference.rules.words import flat
from syncline.generate.inference.schema import join
from syncline.pagination import Cursor, Link, NextUrl, Offset, PageNumber, Pagination, Unpaged

USUAL = 100
_LINK_HEADER = re.compile(
    r"\blink\b[^.]{0,30}\bheaders?\b|\bheaders?\b[^.]{0,40}\b(rel=\W{0,2}next|link)\b|rfc ?(5988|8288)", re.I
)
_AT_MOST = re.compile(
    r"\b(?:max(?:imum)?(?: (?:value|of|is|number|allowed|limit|size|page size))*|up to|at most|<=|no more than|not exceed|"
    r"between \d+ (?:and|to)|1\s*(?:-|to|\.\.))\W{0,12}(\d{1,5})\b",
    re.I,
)


def find_pagination(operation: Operation, primary_key: str | None = None, prose: str = "") -> Guess[Pagination]:
    """The kind of pagination and its settings, as far as parameters, the answer's fields and its headers tell.

    `prose` is what is said of the whole API: some describe paging once, for all lists.
    """
    query = operation.query()
    found = markers(operation.answer)
    for rule in (_by_cursor, _by_address, _by_link, _by_offset, _by_page):
        guess = rule(operation, query, found, primary_key)
        if guess is not None:
            return guess
    return _by_prose(found, prose) or _without(query, found)


def _by_cursor(
    operation: Operation, query: Mapping[str, Parameter], found: list[Marker], key: str | None
) -> Guess[Pagination] | None:
    parameter = find_cursor(query)
    if parameter is None:
        return _by_echo(operation, query)
    says = f"the parameter {parameter.name!r} takes a cursor"
    following, more = of_role(found, "cursor"), of_role(found, "more")
    length = _length(query, {parameter.name})
    address = of_role(found, "address")
    if following is not None and (following.sure or address is None or not address.sure):
        settings = {"next": following.path, "param": parameter.name, **length, **_total(found)}
        return Guess(
            _built(Cursor, settings), 0.95, (says, f"the answer has {following.path!r}, the cursor of the next page")
        )
    if address is not None or _counts(query):
        return None
    said = _HEADER_SAID.search(parameter.description)
    header = said[1] if said else next((name for name in operation.headers if flat(name) in _CURSOR_HEADERS), None)
    if header is not None:
        settings = {"next_header": header, "param": parameter.name, **length}
        return Guess(
            _built(Cursor, settings), 0.9, (says, f"the answer's header {header!r} has the cursor of the next page")
        )
    if key is not None and flat(parameter.name) in _BY_RECORD:
        settings = {"last_record": key, "param": parameter.name, **length}
        if more is not None:
            settings["has_more"] = more.path
        sure = 0.9 if more is not None or flat(parameter.name) == "startingafter" else 0.6
        return Guess(
            _built(Cursor, settings), sure, (says, f"it names the last record of the page before, by its {key!r}")
        )
    return None


def _by_echo(operation: Operation, query: Mapping[str, Parameter]) -> Guess[Pagination] | None:
    """A parameter that is described as taking back a field of the answer, whatever it is called."""
    answer = operation.answer
    if answer is None or answer.type != "object" or _counts(query):
        return None
    for parameter in query.values():
        said = parameter.description
        if not _FROM_BEFORE.search(said):
            continue
        for name, field in answer.properties.items():
            if field.type not in ("string", "integer", "any"):
                continue
            if flat(name) == flat(parameter.name) or (len(name) > 3 and re.search(rf"\b{re.escape(name)}\b", said)):
                settings = {"next": join(name), "param": parameter.name, **_length(query, {parameter.name})}
                told = f"the parameter {parameter.name!r} takes {name!r} of the answer before, its description says"
                return Guess(_built(Cursor, settings), 0.8, (told,))
    return None


_FROM_BEFORE = re.compile(
    r"\b(previous|subsequent|next (set|page|batch|request)|continue|last (response|answer|request))\b", re.I
)
_HEADER_SAID = re.compile(r"\bheaders?\b\W{1,4}([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+)", re.I)
_BY_RECORD = (
    "startingafter", "after", "afterid", "sinceid", "lastid", "startafter", "lastseenid", "marker", "exclusivestartkey",
)  # fmt: skip
_CURSOR_HEADERS = frozenset(
    {
        "xnextcursor", "nextcursor", "xnextpagetoken", "xcontinuation", "xmscontinuation", "xnexttoken",
        "xpaginationtoken", "xcursor", "continuationtoken", "xmscontinuationtoken",
    }
)  # fmt: skip


def _counts(query: Mapping[str, Parameter]) -> bool:
    return find_offset(query) is not None or find_page(query) is not None


def _by_address(
    operation: Operation, query: Mapping[str, Parameter], found: list[Marker], key: str | None
) -> Guess[Pagination] | None:
    following = of_role(found, "address")
    if following is None:
        return None
    settings = {"next": following.path, **_length(query, ()), **_total(found)}
    if following.sure:
        return Guess(
            _built(NextUrl, settings), 0.93, (f"the answer has {following.path!r}, the address of the next page",)
        )
    if _counts(query):
        return None
    return Guess(
        _built(NextUrl, settings), 0.6, (f"the answer has {following.path!r}, which may be the next page's address",)
    )


def _by_link(
    operation: Operation, query: Mapping[str, Parameter], found: list[Marker], key: str | None
) -> Guess[Pagination] | None:
    length = _length(query, ())
    if "link" in operation.headers:
        said = operation.headers["link"]
        sure = 0.93 if _counts(query) or length or "next" in said.lower() or "pag" in said.lower() else 0.7
        return Guess(_built(Link, length), sure, ("the answer has a Link header (RFC 8288)",))
    said = " ".join([operation.text, *(parameter.description for parameter in query.values())])
    if _LINK_HEADER.search(said) and (_counts(query) or length):
        return Guess(_built(Link, length), 0.85, ("its description tells of a Link header (RFC 8288)",))
    return None


def _by_offset(
    operation: Operation, query: Mapping[str, Parameter], found: list[Marker], key: str | None
) -> Guess[Pagination] | None:
    parameter = find_offset(query)
    if parameter is None:
        return None
    page = find_page(query)
    if page is not None and flat(parameter.name) in ("start", "from", "index", "first", "begin"):
        return None
    limit = find_limit(query, {parameter.name})
    size = None if limit is None else _asked(limit)
    settings: dict[str, Any] = {
        "offset_param": parameter.name,
        "limit_param": limit.name if limit else None,
        "limit": size,
        **_total(found),
    }
    if isinstance(parameter.default, int) and parameter.default == 1:
        settings["start"] = 1
    evidence = [f"the parameter {parameter.name!r} takes the number of records to skip"]
    if limit is not None:
        evidence.append(f"the parameter {limit.name!r} takes the length of a page")
    evidence += _total_evidence(found)
    return Guess(_built(Offset, settings), 0.93 if limit is not None else 0.75, tuple(evidence))


def _by_page(
    operation: Operation, query: Mapping[str, Parameter], found: list[Marker], key: str | None
) -> Guess[Pagination] | None:
    parameter = find_page(query)
    if parameter is None:
        return None
    limit = find_limit(query, {parameter.name})
    settings: dict[str, Any] = {
        "page_param": parameter.name,
        "size_param": limit.name if limit else None,
        "size": _asked(limit) if limit else None,
        **_total(found),
    }
    first, why = _first_page(parameter)
    if first != 1:
        settings["start"] = first
    pages = of_role(found, "pages")
    if pages is not None and pages.sure:
        settings["total_pages"] = pages.path
    if key is not None and key != "id":
        settings["key"] = key
    evidence = [f"the parameter {parameter.name!r} takes the number of a page", *why]
    if limit is not None:
        evidence.append(f"the parameter {limit.name!r} takes the length of a page")
    evidence += _total_evidence(found)
    return Guess(_built(PageNumber, settings), 0.93 if limit or found else 0.8, tuple(evidence))


def _first_page(parameter: Parameter) -> tuple[int, list[str]]:
    said = parameter.description
    if re.search(
        r"\b(zero|0)[- ]?(based|indexed)\b|start(s|ing)? (at|from|with) (0|zero)\b|first page is (page )?(0|zero)\b",
        said,
        re.I,
    ):
        return 0, ["pages are counted from 0, its description says"]
    if parameter.default == 0 or str(parameter.default) == "0":
        return 0, ["its default is 0, so pages are counted from 0"]
    return 1, []


def _by_prose(found: list[Marker], prose: str) -> Guess[Pagination] | None:
    """Pages that the answer counts, asked for by a parameter that only the API's description tells."""
    if of_role(found, "pages") is None and of_role(found, "more") is None:
        return None
    told = re.search(r"[?&`]{1,2}(page|page_number|pageNumber)(?:[`=]|$)", prose)
    if told is None:
        return None
    size = re.search(r"[?&`]{1,2}(per_page|page_size|pageSize|limit)(?:[`=]|$)", prose)
    pages = of_role(found, "pages")
    settings: dict[str, Any] = {
        "page_param": told[1],
        "size_param": size[1] if size else None,
        "size": USUAL if size else None,
        **_total(found),
        **({"total_pages": pages.path} if pages is not None and pages.sure else {}),
    }
    evidence = (f"the API's description tells of the parameter {told[1]!r}", "the answer tells of pages")
    return Guess(_built(PageNumber, settings), 0.75, evidence)


def _without(query: Mapping[str, Parameter], found: list[Marker]) -> Guess[Pagination]:
    parameter = find_cursor(query)
    limit = find_limit(query)
    if parameter is not None:
        return unknown(
            f"the parameter {parameter.name!r} takes a cursor, but where the answer has the next one is not described"
        )
    following = of_role(found, "cursor")
    if following is not None and following.sure:
        return unknown(f"the answer has {following.path!r}, but no parameter is described that takes it")
    if limit is not None:
        return Guess(
            Unpaged(),
            0.55,
            (
                f"there is {limit.name!r} for the length of the answer, and nothing that leads further: a long list may be cut off",
            ),
        )
    if of_role(found, "pages") is not None:
        return unknown("the answer counts pages, but no parameter is described that asks for one")
    if query:
        return Guess(Unpaged(), 0.8, ("none of its parameters is about pages", "one answer seems to hold everything"))
    return Guess(Unpaged(), 0.75, ("it takes no parameters, so that one answer holds everything",))


def _length(query: Mapping[str, Parameter], besides: Any) -> dict[str, Any]:
    limit = find_limit(query, besides)
    return {"limit_param": limit.name, "limit": _asked(limit)} if limit is not None else {}


def _asked(limit: Parameter) -> int:
    """How many records to ask for: the most that is allowed up to the usual page, the default where only that is known."""
    told = _AT_MOST.search(limit.description)
    most = limit.most or (int(told[1]) if told and int(told[1]) > 0 else None)
    if most is not None:
        return min(most, 1_000)
    default = limit.default if isinstance(limit.default, int) else None
    if default is not None and default > 0:
        return max(min(default, 1_000), 1)
    return USUAL


def _total(found: list[Marker]) -> dict[str, str]:
    total = of_role(found, "total")
    return {"total": total.path} if total is not None and total.sure else {}


def _total_evidence(found: list[Marker]) -> list[str]:
    total = of_role(found, "total")
    return [f"the answer counts all records at {total.path!r}"] if total is not None and total.sure else []


def _built(kind: type[Pagination], settings: dict[str, Any]) -> Pagination:
    try:
        return kind.model_validate(settings)
    except ValidationError:
        # names of strangers may be no paths; without the extras the bare kind remains
        kept = {
            name: value
            for name, value in settings.items()
            if name not in ("total", "limit_param", "limit", "total_pages")
        }
        return kind.model_validate(kept)
