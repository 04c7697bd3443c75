"""Pages of a GraphQL connection (GraphQL Cursor Connections Specification)."""

from typing import Any, Literal

from pydantic import Field

from syncline.errors import PaginationError
from syncline.model import MISSING, Request, compile_path, put_path, register
from syncline.pagination.pagination import Answer, Pagination, PathText, Position, Settled
from syncline.pagination.reading import explain_absence, whole_number


@register("pagination")
class GraphQLConnection(Pagination):
    """Asks for what lies after `pageInfo.endCursor`, while `pageInfo.hasNextPage` is true.

    A position holds `cursor` and the counts.
    """

    kind: Literal["graphql"] = Field(default="graphql", description="Pages of a GraphQL connection")
    connection: PathText = Field(description="Path to the connection, from the answer's root: data.orders")
    variable: str = Field(default="after", description="Variable of the query that carries the cursor")
    size_variable: str | None = Field(default=None, description="Variable of the query for the page's length: first")
    size: int = Field(default=100, ge=1, description="Records asked for with each page, if size_variable is given")

    def records_path(self, document: Any) -> str | None:
        has_nodes = compile_path(f"{self.connection}.nodes")(document) is not MISSING
        return f"{self.connection}.nodes" if has_nodes else f"{self.connection}.edges[*].node"

    def apply(self, request: Request, position: Position) -> Request:
        variables: dict[str, Any] = {}
        if self.size_variable is not None:
            variables[self.size_variable] = self.size
        if "cursor" in position:
            variables[self.variable] = position["cursor"]
        if not variables:
            return request
        given = request.json.get("variables") if isinstance(request.json, dict) else None
        return request.with_json(put_path(request.json, "variables", {**(given or {}), **variables}))

    def advance(self, position: Position, answer: Answer) -> Position | None:
        path = f"{self.connection}.pageInfo.hasNextPage"
        more = compile_path(path)(answer.document)
        if more is MISSING or more is None:
            raise PaginationError(
                f"the answer does not say at {path!r} whether more follows",
                hint="ask for pageInfo { hasNextPage endCursor } in the query, and check 'connection'",
                evidence=explain_absence(path, answer.document),
            )
        if not more:
            return None
        cursor = compile_path(f"{self.connection}.pageInfo.endCursor")(answer.document)
        if not isinstance(cursor, str | int) or cursor == "":
            raise PaginationError(
                "the connection has a next page but no endCursor",
                hint="ask for pageInfo { hasNextPage endCursor } in the query",
                evidence=f"endCursor is {'absent' if cursor is MISSING else repr(cursor)[:40]}",
            )
        return {"cursor": cursor, **self.counts(position, answer)}

    def settle(self, position: Position, answer: Answer) -> Settled:
        return self.settle_followed(position, answer, None)

    def total(self, answer: Answer) -> int | None:
        if self.total_path is not None or self.total_header is not None:
            return super().total(answer)
        return whole_number(compile_path(f"{self.connection}.totalCount")(answer.document))
