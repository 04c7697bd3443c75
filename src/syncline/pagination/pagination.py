"""What every kind of pagination can do, and the plainest of them."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from syncline.model import Headers, Part, PathError, Request, compile_path, parse_path, part_field, register
from syncline.pagination.counting import ended_early
from syncline.pagination.reading import explain_absence, whole_number

Position = dict[str, Any]
"""Where a page lies: a small JSON object, from which any process can go on."""

_BRACKETED = re.compile(r"[\w$.-]+(\[[\w.-]*\])+")
BY_NAME = ("link", "none", "offset", "page")


class Answer(msgspec.Struct, frozen=True):
    """One page as it came. `records` are the source's own, those met again included; `url` is where it came from."""

    document: Any
    headers: Headers
    url: str
    records: list[Any]


class Settled(msgspec.Struct, frozen=True):
    """The records of a page that belong to the pass, and what the page tells about the list's calm.

    `gap` is set where records may have been skipped; `notice` says what was seen.
    """

    records: list[Any]
    notice: str | None = None
    gap: bool = False


def _read_path_text(text: str) -> str:
    try:
        parse_path(text)
    except PathError as error:
        raise PydanticCustomError("path", "{what}", {"what": str(error)}) from None
    return text


def _read_place(text: str) -> str:
    if not all(isinstance(step, str) for step in parse_path(_read_path_text(text))) or text == ".":
        raise PydanticCustomError("path", "a place in the JSON body is a path of keys: page.cursor", {})
    return text


def _read_name(text: str) -> str:
    return text if _BRACKETED.fullmatch(text) else _read_place(text)


def check_places(where: str, *names: str | None) -> None:
    """Names that are sent in the JSON body have to be places in it; `page[number]` is none."""
    for name in names if where == "body" else ():
        if name is not None:
            _read_place(name)


PathText = Annotated[str, AfterValidator(_read_path_text)]
Place = Annotated[str, AfterValidator(_read_place)]
ParamName = Annotated[str, AfterValidator(_read_name)]
"""A query parameter, also one such as `page[number]` (JSON:API, Rails, PHP), or a place in the JSON body."""


class Pagination(Part):
    """Says which request asks for a page and which page follows it. Pure: it reads answers, and others send."""

    model_config = ConfigDict(populate_by_name=True)

    counts_places: ClassVar[bool] = False
    """Whether a position is a number, that a server may miss: what it sends then is a page from elsewhere, and not the next."""

    total_path: PathText | None = Field(
        default=None, alias="total", description="Path to the number of all records, where the API tells it: meta.total"
    )
    total_header: str | None = Field(default=None, description="Header with the number of all records: X-Total-Count")

    @property
    def document_paths(self) -> tuple[str, ...] | None:
        """The paths that it reads in an answer's document; None where it looks into records too, or elsewhere."""
        return None

    def records_path(self, document: Any) -> str | None:
        """Where the records stand in a document, for a kind whose answers have a form of their own."""
        return None

    def start(self) -> Position:
        """Where the first page lies."""
        return {}

    def apply(self, request: Request, position: Position) -> Request:
        """The stream's request, asking for the page at `position`."""
        raise NotImplementedError

    def advance(self, position: Position, answer: Answer) -> Position | None:
        """Where the page after this answer lies, or None at the end. Raises PaginationError for a contradictory answer."""
        raise NotImplementedError

    def foresee(self, following: Position) -> Iterator[Position] | None:
        """Where that page and those after it lie, as far as it is known now; what `apply` needs of each, no more.

        None of a kind that never knows.
        """
        return None

    def holds(self, position: Position, answer: Answer) -> bool:
        """Whether a page that was asked for before its turn is of the list as it was when the one before it came."""
        return self.total(answer) in (None, position.get("total"))

    def settle(self, position: Position, answer: Answer) -> Settled:
        """What of the answer to keep, and whether the list moved under the pass (R23)."""
        return Settled(answer.records)

    def total(self, answer: Answer) -> int | None:
        """How many records there are in all, if the answer tells."""
        if self.total_header is not None:
            return whole_number(answer.headers.get(self.total_header))
        return whole_number(compile_path(self.total_path)(answer.document)) if self.total_path is not None else None

    def counts(self, position: Position, answer: Answer) -> Position:
        """What a position remembers of a list that is followed: the records `read`, and the least `total` that was told.

        The least, because records that come or go while the list is read are no gap. Empty where no total is configured.
        """
        if self.total_path is None and self.total_header is None:
            return {}
        totals = [total for total in (position.get("total"), self.total(answer)) if total is not None]
        read = {"read": position.get("read", 0) + len(answer.records)}
        return {**read, "total": min(totals)} if totals else read

    def settle_followed(self, position: Position, answer: Answer, absence: str | None) -> Settled:
        """How a page of a list that is followed is settled: its end is held against the total, where the API tells it.

        `absence` says what is not there that would lead on, where that may be a mistake.
        """
        if self.total_path is None and self.total_header is None:
            return Settled(answer.records, absence)
        counts = self.counts(position, answer)
        early = ended_early(counts.get("total"), counts.get("read", 0))
        if early is not None and self.advance(position, answer) is None:
            return Settled(answer.records, f"{early}; {absence}" if absence else early, gap=True)
        if "read" in counts and "read" not in position and (absent := self.absent_total(answer)):
            return Settled(answer.records, absent)
        return Settled(answer.records, None if "total" in counts else absence)

    def absent_total(self, answer: Answer) -> str | None:
        """What to say where the total is not where the configuration says, or None."""
        if self.total(answer) is not None or not answer.records:
            return None
        if self.total_header is not None:
            return f"the answer has no number in {self.total_header}"
        if self.total_path is not None:
            return f"there is no number at {self.total_path!r}: {explain_absence(self.total_path, answer.document)}"
        return None


@register("pagination")
class Unpaged(Pagination):
    """One answer holds everything."""

    kind: Literal["none"] = Field(default="none", description="One answer holds everything")

    @property
    def document_paths(self) -> tuple[str, ...] | None:
        return (self.total_path,) if self.total_path is not None else ()

    def apply(self, request: Request, position: Position) -> Request:
        return request

    def advance(self, position: Position, answer: Answer) -> Position | None:
        return None

    def settle(self, position: Position, answer: Answer) -> Settled:
        total = self.total(answer)
        if total is None or total <= len(answer.records):
            return Settled(answer.records)
        what = f"the answer holds {len(answer.records)} of {total} records: this stream needs a pagination block"
        return Settled(answer.records, what, gap=True)


def _from_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else {"kind": "none"} if value is None else value


_rule: Any = get_args(part_field("pagination", _from_name))[1]
_schema = {"x-syncline-family": "pagination", "x-syncline-also": [{"enum": [*BY_NAME, None]}]}

PaginationField = Annotated[Pagination, _rule, WithJsonSchema(_schema)]
"""A field that holds a pagination block, or the name of a kind that needs no settings; its default is `Unpaged()`."""
