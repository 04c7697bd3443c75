"""Pages by the number of records before them."""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.model import Request, register
from syncline.pagination.counting import (
    FIRST_PAGE,
    OPENING,
    SAME_PAGE,
    counts_its_page,
    ended_early,
    is_first_page,
    is_last,
    is_page_before,
    moved,
)
from syncline.pagination.pagination import Answer, Pagination, ParamName, PathText, Position, Settled, check_places
from syncline.pagination.reading import In, identity, put

NOT_MET_AGAIN = (
    "the last record of the page before was not met again: records were deleted (or changed places) while paging, "
    "and some may have been skipped"
)


@register("pagination")
class Offset(Pagination):
    """Skips what was read. Where no total watches over the list, each page overlaps the one before (R23).

    A position holds `offset` (the index of the next new record), `known` (the records before it, to be met again), `size`
    (the length of the first page), `total` (the API's last count), and where none is met again `before` (the first and the last
    record of the page before), `opening` (the list's first records) and `counted` (the API's count when they came).
    """

    counts_places: ClassVar[bool] = True

    kind: Literal["offset"] = Field(default="offset", description="Pages by the number of records before them")
    offset_param: ParamName = Field(default="offset", description="Parameter (or place in the body) for the offset")
    limit_param: ParamName | None = Field(
        default="limit", description="Parameter (or place in the body) for the page's length"
    )
    limit: int | None = Field(default=100, ge=1, description="Records asked for with each page")
    first: int = Field(default=0, ge=0, alias="start", description="The offset of the first record")
    in_: In = Field(default="query", alias="in", description="Where both are sent: query, or body (JSON)")
    overlap: int | None = Field(
        default=None,
        ge=0,
        description="Records of the page before to read again, to notice deletions; default: 1, or 0 where a total is given",
    )
    key: PathText | None = Field(
        default=None, description="Path to what identifies a record in the overlap; default: its id, or all of it"
    )

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.limit is not None and self.overlap is not None and self.overlap >= self.limit:
            raise PydanticCustomError(
                "offset", "overlap must be smaller than limit, or no page would bring anything new", {}
            )
        check_places(self.in_, self.offset_param, self.limit_param)
        return self

    @property
    def _asked(self) -> int | None:
        return self.limit if self.limit_param is not None else None

    def start(self) -> Position:
        return {"offset": self.first}

    def apply(self, request: Request, position: Position) -> Request:
        values = {self.offset_param: position["offset"] - len(position.get("known", ()))}
        if self.limit_param is not None and self.limit is not None:
            values[self.limit_param] = self.limit
        return put(request, values, self.in_)

    def advance(self, position: Position, answer: Answer) -> Position | None:
        length = len(answer.records)
        reached = position["offset"] - len(position.get("known", ())) + length
        total = self._last_total(position, answer)
        if reached <= position["offset"]:
            return None
        if total is not None:
            if reached - self.first >= total:
                return None
        elif is_last(length, asked=self._asked, learnt=position.get("size")):
            return None
        following: Position = {"offset": reached, "size": position.get("size", length)}
        wanted = self.overlap if self.overlap is not None else int(total is None)
        overlap = min(wanted, length - 1)  # the server may cut pages to less than the overlap
        if overlap:
            following["known"] = [identity(record, self.key) for record in answer.records[-overlap:]]
        if total is not None:
            following["total"] = total
        if not overlap and answer.records:
            following["before"] = [identity(answer.records[at], self.key) for at in (0, -1)]
            opening = [identity(record, self.key) for record in answer.records[:OPENING]]
            following["opening"] = position.get("opening", opening)
            following["counted"] = position.get("counted", total)
        return following

    def foresee(self, following: Position) -> Iterator[Position]:
        known = following.get("known", [])
        end = following.get("total", 0) + self.first
        places = range(following["offset"], end, following["size"] - len(known))
        return ({"offset": offset, "known": known} for offset in places)

    def settle(self, position: Position, answer: Answer) -> Settled:
        known: list[str] = position.get("known", [])
        overlap = self._settle_overlap(known, answer)
        if overlap.gap:
            return overlap
        length, total = len(answer.records), self._last_total(position, answer)
        if self.advance(position, answer) is None:
            early = ended_early(total, position["offset"] - self.first - len(known) + length)
            if early is not None:
                return Settled(overlap.records, early, gap=True)
        notice, gap = moved(position.get("total"), total)
        added = 0 if total is None else max(total - position.get("total", total), 0)
        if not gap and length and (again := self._again(position, answer, added)):
            return Settled(overlap.records, again, gap=True)
        if known:  # met again, so nothing before this page is missing, whatever moved the count
            return Settled(overlap.records, overlap.notice or notice)
        if "size" not in position:
            notice = self.absent_total(answer) or counts_its_page(total, length, self._asked)
        return Settled(overlap.records, notice, gap)

    def _again(self, position: Position, answer: Answer, added: int) -> str | None:
        """What to say where these are the records of a page that was read, or None.

        In a list that does not move a few of them tell.
        """
        if "before" not in position:
            return None
        first, last = position["before"]
        some = answer.records if added else answer.records[-1:]
        if is_page_before([identity(record, self.key) for record in some], first=first, last=last, added=added):
            return SAME_PAGE
        still = position.get("counted") == self._last_total(position, answer)
        some = answer.records[:OPENING] if still else answer.records
        names, read = [identity(record, self.key) for record in some], position["offset"] - self.first
        return FIRST_PAGE if is_first_page(names, position.get("opening", ()), read=read, added=added) else None

    def _last_total(self, position: Position, answer: Answer) -> int | None:
        total = self.total(answer)
        return position.get("total") if total is None else total

    def _settle_overlap(self, known: list[str], answer: Answer) -> Settled:
        records, expected = answer.records, len(known) - 1
        if not known or (len(records) > expected and identity(records[expected], self.key) == known[-1]):
            return Settled(records[len(known) :])
        names = [identity(record, self.key) for record in records]
        for index, name in reversed(list(enumerate(known))):
            if name not in names:
                continue
            at = names.index(name)
            if index == expected and at > expected:
                notice = (
                    f"records were added before this page while paging: {at - expected} came again and were dropped"
                )
            else:
                notice = "records before this page were deleted while paging; the overlap was met, so none was skipped"
            return Settled(records[at + 1 :], notice)
        return Settled(records, NOT_MET_AGAIN, gap=True)
