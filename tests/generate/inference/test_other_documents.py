"""GraphQL schemas, Postman collections, recordings of browsers and curl commands, by the same rules."""

from __future__ import annotations

import base64
import json
from typing import Any

import graphql
import pytest

from syncline.auth import ApiKey, Basic, Bearer, Digest, OAuth2
from syncline.generate.inference import Api, DocumentError, plain, probe, read
from syncline.generate.inference.traffic import read_har
from syncline.pagination import Cursor, GraphQLConnection, Offset, PageNumber, Unpaged
from syncline.sources import GraphQL
from tests.support.serving import serving

CANARY = "c4n4ry-0123456789abcdef"

SDL = """
scalar DateTime
type Query {
  "All orders"
  orders(first: Int, after: String, updatedSince: DateTime): OrderConnection!
  customers(offset: Int, limit: Int): [Customer!]!
  shop: Shop
  find(term: String!): [Customer!]
  tags: [String!]
}
type Shop { name: String }
type Customer { id: ID!, email: String, discount(code: String!): Float, orders(first: Int!): OrderConnection }
type Order { id: ID!, total: Float, updatedAt: DateTime!, customer: Customer, status: Status }
enum Status { OPEN SHIPPED }
type OrderEdge { cursor: String!, node: Order }
type OrderConnection { edges: [OrderEdge], pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean!, endCursor: String }
"""


def as_introspected(sdl: str) -> dict[str, Any]:
    return {"data": graphql.introspection_from_schema(graphql.build_schema(sdl))}


@pytest.fixture(params=["sdl", "introspection"])
def schema(request: pytest.FixtureRequest) -> Api:
    return read(SDL if request.param == "sdl" else json.dumps(as_introspected(SDL)))


def test_a_connection_is_read_with_a_query_that_the_schema_accepts(schema: Api) -> None:
    entity = schema.entity("orders")
    assert entity.pagination.value == GraphQLConnection(connection="data.orders", size_variable="first")
    assert entity.records.value == "data.orders.edges[*].node"
    assert entity.primary_key.value == ("id",)
    assert entity.incremental.value is not None
    assert entity.incremental.value.variable == "updatedSince"
    for one in schema.entities:
        assert one.query is not None
        assert graphql.validate(graphql.build_schema(SDL), graphql.parse(one.query)) == []


def test_lists_by_offset_and_lists_that_ask(schema: Api) -> None:
    customers = schema.entity("customers").pagination.value
    assert customers == Offset(offset_param="variables.offset", limit_param="variables.limit", in_="body")
    assert schema.entity("find").asks == ("term",)
    assert schema.entity("find").worth.value is False
    assert {entity.name for entity in schema.entities} == {"orders", "customers", "find"}


async def test_an_endpoint_is_introspected() -> None:
    from aiohttp import web

    async def answer(request: web.Request) -> web.StreamResponse:
        query = (await request.json())["query"]
        result = graphql.graphql_sync(graphql.build_schema(SDL), query)
        return web.json_response({"data": result.data, "errors": [str(error) for error in result.errors or ()]})

    async with serving(answer) as url:
        api = await probe(f"{url}/graphql", rate="1000/s")
    assert api.kind == "graphql"
    assert api.base_url.value == f"{url}/graphql"
    assert api.entity("orders").primary_key.value == ("id",)
    GraphQL(base_url=api.base_url.value)


def exchange(url: str, document: Any, *, method: str = "GET", mime: str = "application/json", **headers: str) -> Any:
    sent = [{"name": name.replace("_", "-"), "value": value} for name, value in headers.items()]
    text = document if isinstance(document, str) else json.dumps(document)
    return {
        "request": {"method": method, "url": url, "headers": sent},
        "response": {
            "status": 200,
            "headers": [{"name": "X-RateLimit-Limit", "value": "60"}],
            "content": {"mimeType": mime, "text": text},
        },
    }


def orders(start: int) -> list[dict[str, Any]]:
    return [{"id": start + n, "updated_at": "2026-03-01T10:00:00Z", "note": None} for n in range(3)]


def test_s9_a_recording_of_a_browser_is_understood_and_its_credentials_forgotten() -> None:
    base = "https://api.shop.example/api/v2"
    entries = [
        exchange(f"{base}/orders?page=1&per_page=3", {"data": orders(1)}, Authorization=f"Bearer {CANARY}"),
        exchange(f"{base}/orders?page=2&per_page=3", {"data": orders(4)}, Authorization=f"Bearer {CANARY}"),
        exchange(f"{base}/orders/17/refunds?api_key={CANARY}", orders(1)),
        exchange("https://shop.example/", "<html>", mime="text/html"),
        exchange("https://tracker.example/x", {"a": []}),
    ]
    api = read(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    entity = api.entity("orders")
    assert api.base_url.value == base
    assert entity.records.value == "data"
    assert entity.pagination.value is not None
    assert isinstance(entity.pagination.value, PageNumber)
    assert isinstance(api.auth[0].value, Bearer)
    assert api.entity("refunds").path == "/orders/{order_id}/refunds"
    assert CANARY not in repr(api) + json.dumps(plain(api))
    assert any("tracker.example" in note for note in api.notes)
    assert CANARY not in repr(read_har({"log": {"entries": entries}}, "x"))


def test_a_recorded_answer_may_be_in_base64() -> None:
    entry = exchange("https://api.shop.example/orders", "")
    entry["response"]["content"] |= {
        "encoding": "base64",
        "text": base64.b64encode(json.dumps(orders(1)).encode()).decode(),
    }
    assert read(json.dumps({"log": {"entries": [entry]}})).entity("orders").records.value == "."


def collection(**more: Any) -> dict[str, Any]:
    url = {
        "raw": "{{baseUrl}}/orders?cursor=&limit=50",
        "host": ["{{baseUrl}}"],
        "path": ["orders"],
        "query": [{"key": "cursor", "value": ""}, {"key": "limit", "value": "50"}],
    }
    answer = {"code": 200, "header": [], "body": json.dumps({"data": orders(1), "meta": {"next_cursor": "abc"}})}
    items = [
        {
            "name": "Shop",
            "item": [{"name": "List orders", "request": {"method": "GET", "url": url}, "response": [answer]}],
        },
        {"name": "Refunds", "request": "{{baseUrl}}/orders/:order_id/refunds"},
    ]
    info = {"name": "Shop", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"}
    variables = [{"key": "baseUrl", "value": "https://{{host}}/v2"}, {"key": "host", "value": "api.shop.example"}]
    return {"info": info, "item": items, "variable": variables, **more}


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ({"type": "bearer", "bearer": [{"key": "token", "value": CANARY}]}, Bearer),
        ({"type": "basic", "basic": {"username": "ada", "password": CANARY}}, Basic),
        ({"type": "apikey", "apikey": [{"key": "key", "value": "X-Key"}, {"key": "value", "value": CANARY}]}, ApiKey),
        (
            {"type": "oauth2", "oauth2": [
                {"key": "accessTokenUrl", "value": "https://shop.example/token"},
                {"key": "grant_type", "value": "client_credentials"}, {"key": "clientSecret", "value": CANARY},
            ]},
            OAuth2,
        ),
    ],
)  # fmt: skip
def test_s9_a_postman_collection_is_understood_and_its_credentials_forgotten(auth: Any, kind: type) -> None:
    api = read(json.dumps(collection(auth=auth)))
    entity = api.entity("orders")
    assert api.base_url.value == "https://api.shop.example/v2"
    assert isinstance(entity.pagination.value, Cursor)
    assert entity.primary_key.value == ("id",)
    assert isinstance(api.auth[0].value, kind)
    assert api.entity("refunds").parent.value is not None
    assert not api.entity("refunds").records.known
    assert CANARY not in repr(api) + json.dumps(plain(api))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (f"-H 'Authorization: Bearer {CANARY}'", Bearer),
        (f"-u ada:{CANARY}", Basic),
        (f"--digest -u ada:{CANARY}", Digest),
        (f"-H 'X-API-Key: {CANARY}'", ApiKey),
        (f"--oauth2-bearer {CANARY}", Bearer),
    ],
)
def test_s9_a_curl_command_is_understood_and_its_credentials_forgotten(words: str, kind: type) -> None:
    api = read(
        f"curl -sS --compressed \\\n {words} \\\n 'https://api.shop.example/v2/orders?page=1&per_page=50' -o x.json"
    )
    assert api.base_url.value == "https://api.shop.example/v2"
    (entity,) = api.entities
    assert entity.path == "/orders"
    assert isinstance(entity.pagination.value, PageNumber)
    assert not entity.records.known
    assert isinstance(api.auth[0].value, kind)
    assert CANARY not in repr(api) + json.dumps(plain(api))


def test_parameters_of_curl_may_be_data() -> None:
    api = read("curl -G https://api.shop.example/orders -d offset=0 -d limit=10")
    assert isinstance(api.entities[0].pagination.value, Offset)


@pytest.mark.parametrize(
    "text", ["milk: 2\n", "{}", "[]", "curl 'unclosed", "curl -X POST", "type Query {\n", "\x00\n"]
)
def test_what_is_no_description_is_told_so(text: str) -> None:
    from syncline.errors import UsageError

    with pytest.raises((DocumentError, UsageError)) as refused:
        read(text)
    assert refused.value.exit_code == 2


def test_a_list_without_described_pages_is_not_paged() -> None:
    entity = read(json.dumps({"log": {"entries": [exchange("https://x.example/things", orders(1))]}})).entity("things")
    assert isinstance(entity.pagination.value, Unpaged)
