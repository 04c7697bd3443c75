"""GraphQL: a source with one address, and a query for each stream."""

from typing import Any, Literal

from pydantic import Field

from syncline.errors import BodyError
from syncline.http import Client
from syncline.http.graphql import complaint_of, decode_graphql_body
from syncline.model import Request, Response, register
from syncline.sources.endpoint import Endpoint
from syncline.sources.page_maker import Context
from syncline.sources.rest import HttpSource, statuses


@register("source")
class GraphQL(HttpSource):
    """A GraphQL API: one address, a query per stream."""

    kind: Literal["graphql"] = Field(default="graphql", description="A GraphQL API")

    def first_request(self, client: Client, endpoint: Endpoint, context: Context, since: Any) -> Request:
        variables = {**endpoint.variables, **context}
        if endpoint.incremental and endpoint.incremental.variable and since is not None:
            variables[endpoint.incremental.variable] = endpoint.incremental.template.format(cursor=since)
        return client.request(
            "POST",
            endpoint.path,
            params={},
            headers=endpoint.headers,
            json={"query": endpoint.query, "variables": variables},
            repeatable=True,
            retry_on=statuses(endpoint, "retry"),
            final_on=statuses(endpoint, "ignore", "fail"),
            cost=endpoint.cost,
            decode=_decode_graphql,
        )

    def misfit(self, endpoint: Endpoint) -> str | None:
        if not endpoint.query:
            return "query is missing: a GraphQL stream is read by its query text"
        if endpoint.query.lstrip().startswith(("mutation", "subscription")):
            return "query must be a query: mutations change the source, and subscriptions never end"
        return None


def _decode_graphql(response: Response) -> Any:
    """The document of an answer without errors."""
    document = decode_graphql_body(response)
    complaint = complaint_of(document)
    if complaint is None:
        return document
    raise BodyError(
        f"the GraphQL API answered with {complaint.count} errors",
        status=response.status,
        evidence=str(complaint),
        hint="correct the stream's query or variables",
    )
