"""Finding out how a list goes on: by what its answer says, and by asking for the second page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from syncline.errors import PaginationError
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.operation import Operation
from syncline.generate.inference.probing.asking import Asker, Look, query_of
from syncline.generate.inference.rules.markers import markers, of_role
from syncline.generate.inference.rules.paging import find_pagination
from syncline.generate.inference.rules.words import flat
from syncline.model import Request
from syncline.pagination import Cursor, Link, NextUrl, Offset, PageNumber, Pagination, Unpaged
from syncline.pagination.link_header import links_in
from syncline.pagination.reading import identity, whole_number

LIMITS = (
    "limit", "per_page", "page_size", "pageSize", "size", "_limit", "perPage", "count", "$top", "take", "page[size]", "_size",
    "n", "maxResults", "max_results", "rows",
)  # fmt: skip
PAGES = ("page", "_page", "page_number", "pageNumber", "p", "page[number]")
OFFSETS = ("offset", "skip", "start", "_start", "$skip", "startIndex")
TOTAL_HEADERS = ("X-Total-Count", "X-Total", "Total-Count", "X-Paging-TotalResults", "totalrecordcount")
SMALL = 2
LEAST = 10
"""Records without which a page of fixed length is not looked for: a shorter list is probably whole."""
PROVEN = 0.97


class Pages:
    """Experiments with one list: `first` is its answer as asked for, `records` leads to the list in it."""

    def __init__(
        self, asker: Asker, path: str, first: Look, operation: Operation, *, records: str, key: str | None
    ) -> None:
        self._asker, self._path, self._first = asker, path, first
        self._operation, self._records, self._key = operation, records, key
        self._names = [self._name(record) for record in first.records(records)]

    def _name(self, record: Any) -> str:
        return identity(record, self._key)

    async def find(self, told: Guess[Pagination] | None = None) -> Guess[Pagination]:
        """The kind of pagination, tried out where that is possible. `told` is what a document says."""
        size = await self._length()
        look = self._first if size is None else size[1]
        for part, why in self._candidates(look, size[0] if size else None, told):
            if await self._leads_on(part):
                return Guess(
                    self._finished(part, look), PROVEN, (*why, "asked for its second page, it gave other records")
                )
        if size is not None:
            counted = await self._counted(size[0])
        else:
            counted = await self._unsized()
        if counted is not None:
            return Guess(self._finished(counted[0], look), PROVEN, counted[1])
        return self._untested(told, size[0] if size else None)

    def _candidates(
        self, look: Look, size: str | None, told: Guess[Pagination] | None
    ) -> Iterator[tuple[Pagination, tuple[str, ...]]]:
        """What the answer itself shows, then what a document says."""
        length = {} if size is None else {"limit_param": size, "limit": SMALL}
        if any("next" in link.relations for link in links_in(look.headers.getall("Link", []))):
            yield Link.model_validate(length), ("the answer has a Link header with rel=next (RFC 8288)",)
        found = [
            marker for marker in markers(self._operation.answer) if not marker.path.startswith(self._records + ".")
        ]
        address, cursor, more = of_role(found, "address"), of_role(found, "cursor"), of_role(found, "more")
        if address is not None:
            seen = _value(look, address.keys)
            if isinstance(seen, str) and (seen.startswith(("http", "/", "?")) or "?" in seen):
                yield (
                    NextUrl.model_validate({"next": address.path, **length}),
                    (f"the answer has {address.path!r}, an address",),
                )
        if cursor is not None and _value(look, cursor.keys) not in (None, "", False):
            for name in _cursor_params(cursor.keys[-1], self._operation):
                settings = {"next": cursor.path, "param": name, **length}
                yield Cursor.model_validate(settings), (f"the answer has {cursor.path!r}, sent back as {name!r}",)
        if more is not None and self._key is not None and _value(look, more.keys) is True:
            for name in ("starting_after", "after", "cursor"):
                settings = {"last_record": self._key, "param": name, "has_more": more.path, **length}
                yield (
                    Cursor.model_validate(settings),
                    (f"the answer has {more.path!r}; {name!r} takes the last record's key",),
                )
        if told is not None and told.known and told.value is not None and not isinstance(told.value, Unpaged):
            yield _small(told.value), ("a document says so", *told.evidence)

    async def _leads_on(self, part: Pagination) -> bool:
        """Whether two steps of this pagination bring different records, walked as a run would walk them."""
        start = part.start()
        first = await self._step(part, start)
        if first is None:
            return False
        answer = first.answer(self._records)
        try:
            following = part.advance(start, answer)
        except PaginationError:
            return False
        if following is None or not answer.records:
            return False
        second = await self._step(part, following)
        if second is None or not second.records(self._records):
            return False
        before = {self._name(record) for record in answer.records}
        return not before & {self._name(record) for record in second.records(self._records)}

    async def _step(self, part: Pagination, position: dict[str, Any]) -> Look | None:
        base = Request(url="https://probe.invalid/", params=tuple(self._first.params.items()))
        request = part.apply(base, position)
        params = {name: str(value) for name, value in request.params}
        if request.url == base.url:
            if params == self._first.params:
                return self._first
            return await self._asker.try_get(self._path, params)
        return await self._asker.try_get(request.url)

    async def _length(self) -> tuple[str, Look] | None:
        """The parameter that sets a page's length, found by asking for a small one under many names at once."""
        shown = [name for name in self._first.params if flat(name) in {flat(one) for one in LIMITS}]
        shown += [name for name in _linked(self._first) if flat(name) in {flat(one) for one in LIMITS}]
        shown += [name for name in _declared(self._operation) if name not in shown]
        if len(self._names) <= SMALL:
            return (shown[0], self._first) if shown else None
        return await self._which(
            list(dict.fromkeys(shown)) or list(LIMITS), str(SMALL), self._is_just(self._names[:SMALL])
        )

    async def _counted(self, size: str) -> tuple[Pagination, tuple[str, ...]] | None:
        """Pages by number or by offset, with pages of two records."""
        names = self._names
        if len(names) < SMALL * 2:
            return None
        length = {size: str(SMALL)}
        second, third = names[SMALL : SMALL * 2], names[SMALL * 2 : SMALL * 3]
        found = await self._which(list(OFFSETS), str(SMALL), self._is_just(second), length)
        proof = f"with {size}={SMALL}"
        if found is not None:
            part = Offset.model_validate({"offset_param": found[0], "limit_param": size, "limit": 100})
            return part, (f"{proof}, {found[0]}={SMALL} gave the third record and the fourth",)
        for start, wanted in ((1, second), (0, third)):
            if not wanted:
                continue
            found = await self._which(list(PAGES), "2", self._is_just(wanted), length)
            if found is not None:
                settings: dict[str, Any] = {"page_param": found[0], "size_param": size, "size": 100}
                if start != 1:
                    settings["start"] = start
                return PageNumber.model_validate(settings), (
                    f"{proof}, {found[0]}=2 gave the records of the {'second' if start else 'third'} page",
                )
        return None

    async def _unsized(self) -> tuple[Pagination, tuple[str, ...]] | None:
        """Pages of a length that nobody can set: whatever brings other records, and as many."""
        if len(self._names) < LEAST:
            return None
        found = await self._which(list(PAGES), "2", self._others)
        if found is not None:
            first = await self._with([found[0]], "1", None)
            start = 1 if first is not None and self._is(first, self._names) else 0
            settings = {"page_param": found[0], "size_param": None, "size": None, "start": start}
            return PageNumber.model_validate(settings), (f"{found[0]}=2 gave other records",)
        count = str(len(self._names))
        found = await self._which(list(OFFSETS), count, self._others)
        if found is None:
            return None
        part = Offset.model_validate({"offset_param": found[0], "limit_param": None, "limit": None})
        return part, (f"{found[0]}={count} gave other records",)

    def _others(self, look: Look) -> bool:
        """Whether these are records, none of which is on the first page."""
        names = {self._name(record) for record in look.records(self._records)}
        return bool(names) and not names & set(self._names)

    async def _which(
        self, names: list[str], value: str, fits: Callable[[Look], bool], besides: Mapping[str, str] | None = None
    ) -> tuple[str, Look] | None:
        """The one of these parameters with which the list `fits`: all at once, then by halves.

        An API that refuses parameters it does not know is asked for the first three of them one by one.
        """
        look = await self._with(names, value, besides)
        if look is None:
            for name in names[:3] if len(names) > 1 else ():
                alone = await self._with([name], value, besides)
                if alone is not None and fits(alone):
                    return name, alone
            return None
        if not fits(look):
            return None
        while len(names) > 1:
            half = names[: len(names) // 2]
            tried = await self._with(half, value, besides)
            names = half if tried is not None and fits(tried) else names[len(half) :]
        alone = await self._with(names, value, besides)
        return (names[0], alone) if alone is not None and fits(alone) else None

    async def _with(self, names: Iterable[str], value: str, besides: Mapping[str, str] | None) -> Look | None:
        return await self._asker.try_get(
            self._path, {**self._first.params, **(besides or {}), **dict.fromkeys(names, value)}
        )

    def _is_just(self, wanted: Sequence[str]) -> Callable[[Look], bool]:
        return lambda look: self._is(look, wanted)

    def _is(self, look: Look, wanted: Sequence[str]) -> bool:
        return [self._name(record) for record in look.records(self._records)] == list(wanted)

    def _finished(self, part: Pagination, look: Look) -> Pagination:
        """The part as a file would have it: usual lengths, and the total where an answer tells it."""
        changes: dict[str, Any] = {}
        for name in ("limit", "size"):
            if getattr(part, name, None) == SMALL:
                changes[name] = 100
        if isinstance(part, Offset) and part.overlap == 0:
            changes["overlap"] = None
        header = next((name for name in TOTAL_HEADERS if whole_number(look.headers.get(name)) is not None), None)
        total = of_role(markers(self._operation.answer), "total")
        length = len(look.records(self._records))
        if header is not None:
            changes["total_header"] = header
        elif total is not None and total.sure:
            counted = whole_number(_value(look, total.keys))
            if counted is not None and counted > length:
                changes["total_path"] = total.path
        return part.model_copy(update=changes)

    def _untested(self, told: Guess[Pagination] | None, size: str | None) -> Guess[Pagination]:
        """Where nothing led on: all was there already, or nobody can know."""
        if told is not None and told.known:
            sure = min(told.confidence or 0.0, 0.7)
            return Guess(told.value, sure, (*told.evidence, "the live list is too short to try it out"))
        found = find_pagination(self._operation, self._key)
        if size is not None:
            return Guess(
                Unpaged(), 0.5, (f"{size!r} sets the length of the answer, and nothing that was tried leads further",)
            )
        if found.known and not isinstance(found.value, Unpaged):
            return Guess(found.value, min(found.confidence or 0.0, 0.7), found.evidence)
        count = len(self._names)
        if not count:
            return unknown("the list is empty, so that nothing could be tried out")
        sure = 0.8 if count >= 10 else 0.5
        return Guess(Unpaged(), sure, (f"one answer held {count} records, and no parameter for pages changed it",))


def _value(look: Look, keys: Sequence[str]) -> Any:
    value = look.document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _cursor_params(field: str, operation: Operation) -> list[str]:
    """Names under which a cursor may be sent back, the likeliest first."""
    declared = [name for name in operation.query() if "cursor" in flat(name) or "token" in flat(name)]
    plain = flat(field)
    named = {
        "nextcursor": ["cursor"], "endcursor": ["after"], "nextpagetoken": ["pageToken", "page_token"], "after": ["after"],
        "nexttoken": ["nextToken", "next_token"], "next": ["next", "_next", "cursor"], "continuationtoken": ["continuationToken"],
        "nextmarker": ["marker"], "scrollid": ["scroll_id"],
    }.get(plain, [])  # fmt: skip
    return list(dict.fromkeys([*declared, *named, field, "cursor"]))[:4]


def _declared(operation: Operation) -> list[str]:
    known = {flat(name) for name in LIMITS}
    return [name for name in operation.query() if flat(name) in known]


def _linked(look: Look) -> list[str]:
    """Parameters of the address that a Link header or a field gives for the next page."""
    addresses = [link.target for link in links_in(look.headers.getall("Link", [])) if "next" in link.relations]
    if isinstance(look.document, dict):
        addresses += [value for value in look.document.values() if isinstance(value, str) and "?" in value][:5]
    return [name for address in addresses for name in query_of(address)]


def _small(part: Pagination) -> Pagination:
    """The same with pages of two records, none read twice, so that a short list has a second page, too."""
    changes: dict[str, Any] = {}
    for param, length in (("limit_param", "limit"), ("size_param", "size")):
        if getattr(part, param, None) is not None:
            changes[length] = SMALL
    if isinstance(part, Offset):
        changes["overlap"] = 0
    try:
        return part.model_copy(update=changes)
    except ValidationError:
        return part
