"""Pages by their number."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from syncline.model import MISSING, Request, compile_path, register
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
from syncline.pagination.reading import In, put, whole_number

MAX_KEY = 200


@register("pagination")
class PageNumber(Pagination):
    """Counts pages. A total (of records or of pages) is needed to notice deletions while paging (R23).

    A position holds `page`, `read` (records so far), `size` (the length of the first page), `total` and `pages` (the API's
    last counts), `before` (what identifies the first and the last record of the page before), and `opening` (the same of the
    list's first records).
    """

    counts_places: ClassVar[bool] = True

    kind: Literal["page"] = Field(default="page", description="Pages by their number")
    page_param: ParamName = Field(default="page", description="Parameter (or place in the body) for the page's number")
    size_param: ParamName | None = Field(
        default="per_page", description="Parameter (or place in the body) for its length"
    )
    size: int | None = Field(default=100, ge=1, description="Records asked for with each page")
    first: int = Field(default=1, ge=0, alias="start", description="The number of the first page")
    in_: In = Field(default="query", alias="in", description="Where both are sent: query, or body (JSON)")
    total_pages: PathText | None = Field(default=None, description="Path to the number of pages: meta.total_pages")
    key: PathText = Field(default="id", description="Path to what identifies a record, to notice one that comes twice")

    @model_validator(mode="after")
    def _is_sent_somewhere(self) -> Self:
        check_places(self.in_, self.page_param, self.size_param)
        return self

    @property
    def _asked(self) -> int | None:
        return self.size if self.size_param is not None else None

    def start(self) -> Position:
        return {"page": self.first}

    def apply(self, request: Request, position: Position) -> Request:
        values = {self.page_param: position["page"]}
        if self.size_param is not None and self.size is not None:
            values[self.size_param] = self.size
        return put(request, values, self.in_)

    def advance(self, position: Position, answer: Answer) -> Position | None:
        length = len(answer.records)
        read = position.get("read", 0) + length
        pages, total = self._pages(answer), self._last_total(position, answer)
        if length == 0:
            return None
        if pages is not None:
            if position["page"] - self.first + 1 >= pages:
                return None
        elif total is not None:
            if read >= total:
                return None
        elif is_last(length, asked=self._asked, learnt=position.get("size")):
            return None
        before = [self._key_of(answer.records[at]) for at in (0, -1)]
        opening = position.get("opening") or [self._key_of(record) for record in answer.records[:OPENING]]
        counts = {"total": total, "pages": pages}
        return {
            "page": position["page"] + 1,
            "read": read,
            "size": position.get("size", length),
            **{name: value for name, value in counts.items() if value is not None},
            **{name: keys for name, keys in (("before", before), ("opening", opening)) if None not in keys},
        }

    def foresee(self, following: Position) -> Iterator[Position]:
        page, size = following["page"], following["size"]
        last = following.get("pages", 0) + self.first - 1
        if "total" in following and "pages" not in following:
            last = page - 1 - (following["read"] - following["total"]) // size
        return ({"page": number} for number in range(page, last + 1))

    def holds(self, position: Position, answer: Answer) -> bool:
        return super().holds(position, answer) and self._pages(answer) in (None, position.get("pages"))

    def settle(self, position: Position, answer: Answer) -> Settled:
        records, total = answer.records, self._last_total(position, answer)
        notice, gap = moved(position.get("total"), total)
        if notice is None:
            notice, gap = moved(position.get("pages"), self._pages(answer), "pages")
        if not gap and self.advance(position, answer) is None:
            early = ended_early(total, position.get("read", 0) + len(records))
            if early is not None:
                return Settled(records, early, gap=True)
        keys = [self._key_of(record) for record in records] if "before" in position else []
        again = None if gap or not keys else self._again(position, keys, total)
        if again is not None:
            notice, gap = again, True
        elif notice is None and keys and position["before"][1] in keys:
            notice = "records were added while paging: the last record of the page before came again"
        if "read" not in position:
            notice = self.absent_total(answer) or (
                None if self.total_pages else counts_its_page(total, len(records), self._asked)
            )
        return Settled(records, notice, gap)

    @staticmethod
    def _again(position: Position, keys: list[Any], total: int | None) -> str | None:
        """What to say where these are the records of a page that was read, or None."""
        first, last = position["before"]
        added = 0 if total is None else max(total - position.get("total", total), 0)
        if is_page_before(keys, first=first, last=last, added=added):
            return SAME_PAGE
        opening = position.get("opening", ())
        return FIRST_PAGE if is_first_page(keys, opening, read=position["read"], added=added) else None

    def _pages(self, answer: Answer) -> int | None:
        return None if self.total_pages is None else whole_number(compile_path(self.total_pages)(answer.document))

    def _last_total(self, position: Position, answer: Answer) -> int | None:
        total = self.total(answer)
        return position.get("total") if total is None else total

    def _key_of(self, record: Any) -> str | int | None:
        value = compile_path(self.key)(record)
        plain = value is not MISSING and isinstance(value, str | int) and not isinstance(value, bool)
        return value if plain and len(str(value)) <= MAX_KEY else None
