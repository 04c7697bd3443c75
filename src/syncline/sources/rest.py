"""Sources that are asked page by page over HTTP, and the first of them: REST."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from pydantic import Field

from syncline.http import Client, Connection, Send, decode_json_body, decode_ndjson_body
from syncline.model import Clock, Request, SystemClock, put_path, register
from syncline.sources.endpoint import Endpoint
from syncline.sources.page_maker import Context
from syncline.sources.reader import Reader, fill

PARALLEL, MOST_PARALLEL = 4, 32


class HttpSource(Connection):
    """Common to every source behind HTTP: the connection, and how a stream's request is made."""

    @asynccontextmanager
    async def open(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        clock: Clock | None = None,
        transport: Send | None = None,
        **keeping: Any,
    ) -> AsyncIterator[Reader]:
        """A reader of these streams, by name; `transport` takes the network's place in tests.

        `keeping` says where tokens outlive the process and who hears of them (see `Connection.connect`).
        """
        clock = clock or SystemClock()
        async with self.connect(clock=clock, transport=transport, **keeping) as client:

            def build(endpoint: Endpoint, context: Context, since: Any) -> Request:
                return self.first_request(client, endpoint, context, since)

            yield Reader(client, endpoints, clock, build, self.parallel)

    @property
    def parallel(self) -> int:
        """How many requests of a pass are under way at once, where its stream does not say."""
        most = self.rate_limit.concurrency
        return PARALLEL if most is None else min(most, MOST_PARALLEL)

    def first_request(self, client: Client, endpoint: Endpoint, context: Context, since: Any) -> Request:
        raise NotImplementedError

    def misfit(self, endpoint: Endpoint) -> str | None:
        """What about a stream does not suit this source, or None."""
        raise NotImplementedError


@register("source")
class Rest(HttpSource):
    """A REST API: resources under one address, as JSON or as lines of JSON."""

    kind: Literal["rest"] = Field(default="rest", description="A REST API")

    def first_request(self, client: Client, endpoint: Endpoint, context: Context, since: Any) -> Request:
        params: dict[str, Any] = {name: _query_value(value) for name, value in endpoint.params.items()}
        body = endpoint.body
        if endpoint.partitions and endpoint.partitions.param:
            params[endpoint.partitions.param] = str(context[endpoint.partitions.name])
        if endpoint.incremental and since is not None:
            written = endpoint.incremental.template.format(cursor=since)
            if endpoint.incremental.param:
                params[endpoint.incremental.param] = written
            elif endpoint.incremental.body_param:
                plain = endpoint.incremental.template == "{cursor}"
                body = put_path(body, endpoint.incremental.body_param, since if plain else written)
        return client.request(
            endpoint.method,
            fill(endpoint.path, context),
            params=params,
            headers=endpoint.headers,
            json=body if body is not None or endpoint.method == "GET" else {},
            repeatable=endpoint.repeatable,
            retry_on=statuses(endpoint, "retry"),
            final_on=statuses(endpoint, "ignore", "fail"),
            cost=endpoint.cost,
            decode=decode_ndjson_body if endpoint.format == "ndjson" else decode_json_body,
        )

    def misfit(self, endpoint: Endpoint) -> str | None:
        if endpoint.query is not None:
            return "query is for kind: graphql; a REST stream has a path"
        if endpoint.incremental and endpoint.incremental.variable:
            return "incremental.variable is for kind: graphql; write param or body_param"
        return None


def statuses(endpoint: Endpoint, *policies: str) -> frozenset[int]:
    """Those for which the stream's `on_status` says one of these."""
    return frozenset(status for status, policy in endpoint.on_status.items() if policy in policies)


def _query_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value
