"""Pages by a cursor that the answer before gave."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.errors import PaginationError
from syncline.model import MISSING, Request, compile_path, register
from syncline.pagination.counting import is_last
from syncline.pagination.pagination import (
    Answer,
    Pagination,
    ParamName,
    PathText,
    Place,
    Position,
    Settled,
    check_places,
)
from syncline.pagination.reading import explain_absence, put, yes_or_no

END = (MISSING, None, "", False, 0, "0")
"""What APIs write where no cursor follows; 0 comes first in none, and ends the pass in some."""


@register("pagination")
class Cursor(Pagination):
    """Sends back what the last answer gave: a cursor in its body or in a header, or a value of its last record.

    A position holds `cursor`, `size` (the length of the first page) where pages end by being short, and the counts.
    """

    kind: Literal["cursor"] = Field(default="cursor", description="Pages by a cursor that the answer before gave")
    next: PathText | None = Field(default=None, description="Path to the next cursor: meta.next_cursor")
    next_header: str | None = Field(default=None, description="Header with the next cursor")
    last_record: PathText | None = Field(
        default=None, description="Path in the last record to the value that is the next cursor: id"
    )
    param: str | None = Field(default=None, description="Query parameter that carries the cursor")
    body_param: Place | None = Field(default=None, description="Place in the JSON body that carries the cursor")
    limit_param: ParamName | None = Field(
        default=None, description="Parameter (or place in the body) for the page's length"
    )
    limit: int | None = Field(default=None, ge=1, description="Records asked for with each page")
    has_more: PathText | None = Field(default=None, description="Path to a flag that says whether a page follows")

    @model_validator(mode="after")
    def _knows_from_and_to(self) -> Self:
        if sum(source is not None for source in (self.next, self.next_header, self.last_record)) != 1:
            raise PydanticCustomError(
                "cursor", "say where the cursor comes from: one of next, next_header, last_record", {}
            )
        if (self.param is None) == (self.body_param is None):
            raise PydanticCustomError("cursor", "say where the cursor is sent: one of param, body_param", {})
        if (self.limit_param is None) != (self.limit is None):
            raise PydanticCustomError("cursor", "limit_param and limit come together", {})
        check_places("body" if self.body_param is not None else "query", self.limit_param)
        return self

    @property
    def document_paths(self) -> tuple[str, ...] | None:
        if self.last_record is not None:
            return None
        return tuple(path for path in (self.next, self.has_more, self.total_path) if path is not None)

    def apply(self, request: Request, position: Position) -> Request:
        values: dict[str, Any] = {}
        if self.limit_param is not None:
            values[self.limit_param] = self.limit
        if "cursor" in position:
            values[self.param or self.body_param or ""] = position["cursor"]
        return put(request, values, "query" if self.param is not None else "body") if values else request

    def advance(self, position: Position, answer: Answer) -> Position | None:
        more = None if self.has_more is None else yes_or_no(compile_path(self.has_more)(answer.document))
        if more is False:
            return None
        if self.last_record is not None:
            return self._after_last_record(position, answer, more)
        cursor = self._next(answer)
        if cursor in END:
            if more:
                raise self._no_cursor(answer)
            return None
        if not answer.records and cursor == position.get("cursor"):
            return None
        if cursor is True or (isinstance(cursor, dict | list) and self.body_param is None):
            kind = {bool: "the flag true", list: "a list"}.get(type(cursor), "an object")
            raise PaginationError(
                f"{kind} stands where the next cursor is expected, and a query parameter cannot carry it",
                hint="point 'next' at the cursor itself; a flag belongs to has_more; a list or object needs body_param",
            )
        return {"cursor": cursor, **self.counts(position, answer)}

    def settle(self, position: Position, answer: Answer) -> Settled:
        full = self.limit is not None and len(answer.records) >= self.limit
        absence = None
        if self.next is not None and self.has_more is None and full and self._next(answer) is MISSING:
            why = explain_absence(self.next, answer.document)
            absence = f"the page is full, but no cursor follows at {self.next!r}: {why}"
        return self.settle_followed(position, answer, absence)

    def _next(self, answer: Answer) -> Any:
        if self.next_header is not None:
            return answer.headers.get(self.next_header, MISSING)
        return compile_path(self.next or ".")(answer.document)

    def _after_last_record(self, position: Position, answer: Answer, more: bool | None) -> Position | None:
        length, path = len(answer.records), self.last_record or "."
        learnt = position.get("size")
        if length == 0 or (more is None and is_last(length, asked=self.limit, learnt=learnt)):
            if more:
                raise self._no_cursor(answer)
            return None
        cursor = compile_path(path)(answer.records[-1])
        if cursor is MISSING or cursor is None:
            raise PaginationError(
                f"the last record has no {path!r}, which is the next cursor",
                hint="correct last_record in the pagination block",
                evidence=explain_absence(path, answer.records[-1]),
            )
        return {
            "cursor": cursor,
            "size": length if learnt is None else learnt,
            **self.counts(position, answer),
        }

    def _no_cursor(self, answer: Answer) -> PaginationError:
        if self.next is not None:
            evidence = explain_absence(self.next, answer.document)
        else:
            evidence = f"the page has {len(answer.records)} records"
        return PaginationError(
            f"the answer says at {self.has_more!r} that more follows, but gives no cursor",
            hint="correct next (or next_header, last_record) in the pagination block",
            evidence=evidence,
        )
