"""Pages whose address the answer before gave, in its body or in a Link header."""

from typing import Any, Literal
from urllib.parse import urljoin

import msgspec
from pydantic import Field

from syncline.errors import PaginationError
from syncline.model import MISSING, Request, compile_path, register
from syncline.pagination.link_header import links_in
from syncline.pagination.pagination import Answer, Pagination, PathText, Position, Settled
from syncline.pagination.reading import explain_absence, shown


class Linked(Pagination):
    """Follows addresses. A position holds `url`, absolute, and the counts.

    Whether credentials go to that address is the request's way's to say (S1).
    """

    limit_param: str | None = Field(
        default=None, description="Query parameter of the first request for the page's length"
    )
    limit: int | None = Field(default=None, ge=1, description="Records asked for with each page")

    def apply(self, request: Request, position: Position) -> Request:
        if "url" in position:
            # the address is whole: it carries the parameters of the first request, or their effect
            return msgspec.structs.replace(request, url=position["url"], params=())
        if self.limit_param is not None and self.limit is not None:
            return request.with_params({self.limit_param: str(self.limit)})
        return request


@register("pagination")
class NextUrl(Linked):
    """The answer's body has the next page's address."""

    kind: Literal["next_url"] = Field(default="next_url", description="The answer's body has the next page's address")
    next: PathText = Field(description="Path to the address, absolute or relative to the page's own: links.next")

    def advance(self, position: Position, answer: Answer) -> Position | None:
        found: Any = compile_path(self.next)(answer.document)
        if found is MISSING or found is None or found is False or found == "":
            return None
        if not isinstance(found, str):
            raise PaginationError(
                f"at {self.next!r} there is no address",
                hint="point 'next' at the text inside it, such as next.href; or is it a cursor? Then write kind: cursor",
                evidence=f"there is {shown(found)}",
            )
        return {"url": _resolve(answer.url, found), **self.counts(position, answer)}

    def settle(self, position: Position, answer: Answer) -> Settled:
        full = self.limit is not None and len(answer.records) >= self.limit
        absence = None
        if full and compile_path(self.next)(answer.document) is MISSING:
            why = explain_absence(self.next, answer.document)
            absence = f"the page is full, but no address follows at {self.next!r}: {why}"
        return self.settle_followed(position, answer, absence)


@register("pagination")
class Link(Linked):
    """The answer's Link header has the next page's address, as `rel="next"` (RFC 8288)."""

    kind: Literal["link"] = Field(default="link", description="The Link header has the next page's address (RFC 8288)")

    def advance(self, position: Position, answer: Answer) -> Position | None:
        for link in links_in(answer.headers.getall("Link", [])):
            anchor = link.parameters.get("anchor")
            about_this = anchor is None or urljoin(answer.url, anchor) == answer.url
            if "next" in link.relations and about_this:
                return {"url": _resolve(answer.url, link.target), **self.counts(position, answer)}
        return None

    def settle(self, position: Position, answer: Answer) -> Settled:
        return self.settle_followed(position, answer, None)


def _resolve(base: str, target: str) -> str:
    try:
        return urljoin(base, target.strip())
    except ValueError:
        raise PaginationError(
            "the next page's address cannot be read", hint="ask the API's operator", evidence=f"it is {shown(target)}"
        ) from None
