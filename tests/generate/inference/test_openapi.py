"""OpenAPI documents become guesses with evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncline.auth import ApiKey, AwsSigV4, Basic, Bearer, Combined, OAuth2
from syncline.generate.inference import Api, read
from syncline.model import Reference
from syncline.pagination import Cursor, Link, NextUrl, Offset, PageNumber, Unpaged


def document(version: str = "3.0.3", **changes: Any) -> dict[str, Any]:
    base = {"info": {"title": "Shop API", "version": "1"}, "paths": {}}
    return base | ({"swagger": "2.0"} if version == "2.0" else {"openapi": version}) | changes


def listing(*parameters: str, answer: Any = None, **more: Any) -> dict[str, Any]:
    """A GET with these query parameters and an answer of this schema; numbers where the name is of one."""
    numbers = ("page", "limit", "offset", "size", "per_page", "skip")
    named = [
        {"name": name, "in": "query", "schema": {"type": "integer" if name in numbers else "string"}}
        for name in parameters
    ]
    schema = answer if answer is not None else array()
    response = {"description": "", "content": {"application/json": {"schema": schema}}}
    return {"get": {"parameters": named, "responses": {"200": response}, **more}}


def record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": {"type": "integer"}, **properties}}


def array(items: Any = None) -> dict[str, Any]:
    return {"type": "array", "items": items or record()}


def envelope(**others: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"data": array(), **others}}


def told(paths: dict[str, Any], **changes: Any) -> Api:
    return read(json.dumps(document(paths=paths, **changes)))


TEXT, WEB, NUMBER = {"type": "string"}, {"type": "string", "format": "uri"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("parameters", "answer", "expected"),
    [
        (("offset", "limit"), envelope(total=NUMBER), Offset(total_path="total")),
        (("skip", "limit"), None, Offset(offset_param="skip")),
        (("page", "per_page"), None, PageNumber()),
        (("page", "size"), envelope(), PageNumber(size_param="size")),
        (("cursor",), envelope(next_cursor=TEXT), Cursor(next="next_cursor", param="cursor")),
        (("page_token",), envelope(nextPageToken=TEXT), Cursor(next="nextPageToken", param="page_token")),
        (
            ("starting_after", "limit"),
            envelope(has_more={"type": "boolean"}),
            Cursor(last_record="id", param="starting_after", has_more="has_more", limit_param="limit", limit=100),
        ),
        ((), envelope(links={"type": "object", "properties": {"next": WEB}}), NextUrl(next="links.next")),
        ((), None, Unpaged()),
    ],
)
def test_pagination(parameters: tuple[str, ...], answer: Any, expected: Any) -> None:
    guess = told({"/orders": listing(*parameters, answer=answer)}).entity("orders").pagination
    assert guess.value == expected
    assert guess.confidence is not None
    assert guess.evidence


def test_a_link_header_leads_on() -> None:
    operation = listing("page", "per_page")
    operation["get"]["responses"]["200"]["headers"] = {"Link": {"schema": TEXT, "description": "the next page"}}
    guess = told({"/orders": operation}).entity("orders").pagination
    assert guess.value == Link(limit_param="per_page", limit=100)


def test_a_cursor_that_comes_from_nowhere_is_unknown() -> None:
    guess = told({"/orders": listing("cursor", answer=envelope())}).entity("orders").pagination
    assert not guess.known
    assert "cursor" in guess.evidence[0]


def test_what_is_one_thing_is_no_list() -> None:
    order = record(lines=array())
    api = told({"/orders/{order_id}": listing(answer=order), "/account": listing(answer=order)})
    assert api.entities == ()


def test_records_stand_in_the_envelope_or_are_the_answer() -> None:
    api = told({"/orders": listing(answer=envelope(errors=array())), "/refunds": listing()})
    assert api.entity("orders").records.value == "data"
    assert api.entity("refunds").records.value == "."


def test_a_key_that_addresses_single_records_is_the_primary_key() -> None:
    orders = array({"type": "object", "properties": {"number": TEXT, "name": TEXT, "customer_id": NUMBER}})
    guess = told({"/orders": listing(answer=orders), "/orders/{number}": listing()}).entity("orders").primary_key
    assert guess.value == ("number",)
    assert "{number}" in guess.evidence[0]


def test_the_key_of_the_record_around_is_not_the_key() -> None:
    notes = array({"type": "object", "required": ["account_id"], "properties": {"account_id": NUMBER, "body": TEXT}})
    assert not told({"/accounts/{account_id}/notes": listing(answer=notes)}).entity("notes").primary_key.known


def test_no_identifier_is_unknown() -> None:
    days = array({"type": "object", "properties": {"weekday": TEXT, "open": {"type": "boolean"}}})
    assert not told({"/hours": listing(answer=days)}).entity("hours").primary_key.known


def test_changes_are_asked_for_by_their_field() -> None:
    orders = array(record(updated_at={"type": "string", "format": "date-time"}))
    entity = told({"/orders": listing("updated_since", "created_before", answer=orders)}).entity("orders")
    assert entity.cursor_field.value == "updated_at"
    assert entity.incremental.value is not None
    assert entity.incremental.value.param == "updated_since"


def test_a_child_names_its_parent() -> None:
    entity = told({"/orders": listing(), "/orders/{order-id}/refunds": listing()}).entity("refunds")
    assert entity.path == "/orders/{order_id}/refunds"
    assert entity.parent.value is not None
    (parent,) = entity.parent.value
    assert (parent.stream, parent.key, parent.as_) == ("orders", "id", "order_id")


def test_a_grandchild_names_its_nearest_parent_alone() -> None:
    paths = {
        "/shops": listing(),
        "/shops/{shop_id}/orders": listing(),
        "/shops/{shop_id}/orders/{order_id}/lines": listing(),
    }
    parents = told(paths).entity("lines").parent.value
    assert parents is not None
    assert [(parent.stream, parent.as_) for parent in parents] == [("orders", "order_id")]


def test_a_list_by_another_number_is_a_parent_with_less_confidence() -> None:
    entity = told({"/orders/search": listing(), "/order/{order_id}/lines": listing()}).entity("lines")
    assert entity.parent.value is not None
    assert not entity.parent.likely


def test_a_placeholder_that_no_list_fills_is_asked_for() -> None:
    entity = told({"/shops": listing(), "/shops/{shop}/regions/{region}/orders": listing()}).entity("orders")
    assert not entity.parent.known
    assert entity.asks == ("region",)
    assert entity.worth.value is False


def test_a_parameter_that_only_a_person_knows_is_asked_for() -> None:
    operation = listing("account")
    operation["get"]["parameters"][0]["required"] = True
    entity = told({"/orders": operation}).entity("orders")
    assert entity.asks == ("account",)
    assert entity.worth.value is False


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ({"type": "http", "scheme": "bearer"}, Bearer(token=Reference("${SHOP_TOKEN}"))),
        (
            {"type": "http", "scheme": "basic"},
            Basic(username=Reference("${SHOP_USERNAME}"), password=Reference("${SHOP_PASSWORD}")),
        ),
        (
            {"type": "apiKey", "in": "query", "name": "key"},
            ApiKey(key=Reference("${SHOP_API_KEY}"), in_="query", name="key"),
        ),
        (
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token {key}`"},
            ApiKey(key=Reference("${SHOP_TOKEN}"), name="Authorization", prefix="Token"),
        ),
        (
            {
                "type": "oauth2",
                "flows": {"clientCredentials": {"tokenUrl": "https://shop.example/token", "scopes": {"read": ""}}},
            },
            OAuth2(
                token_url="https://shop.example/token",
                client_id=Reference("${SHOP_CLIENT_ID}"),
                client_secret=Reference("${SHOP_CLIENT_SECRET}"),
                scopes=("read",),
            ),
        ),
    ],
)
def test_authentication(scheme: dict[str, Any], expected: Any) -> None:
    api = told({"/orders": listing()}, components={"securitySchemes": {"one": scheme}}, security=[{"one": []}])
    assert api.auth[0].value == expected
    assert api.auth[0].likely


def test_aws_signs_for_the_service_that_the_address_names() -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}
    server = {"url": "https://apigateway.{region}.amazonaws.com", "variables": {"region": {"default": "eu-west-1"}}}
    components = {"securitySchemes": {"hmac": scheme}}
    auth = told({"/orders": listing()}, servers=[server], components=components, security=[{"hmac": []}]).auth[0].value
    assert isinstance(auth, AwsSigV4)
    assert (auth.service, auth.region) == ("apigateway", "eu-west-1")


def test_keys_that_make_sense_together_only_are_combined() -> None:
    schemes = {name: {"type": "apiKey", "in": "query", "name": name} for name in ("app_id", "app_key")}
    assert isinstance(told({"/orders": listing()}, components={"securitySchemes": schemes}).auth[0].value, Combined)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Send `Authorization: Bearer <token>`.", Bearer),
        ("Put your key into the header `X-API-Key`.", ApiKey),
        ("There is no authentication required.", type(None)),
    ],
)
def test_prose_is_believed_where_it_is_plain(said: str, kind: type) -> None:
    guess = told({"/orders": listing()}, info={"title": "Shop", "version": "1", "description": said}).auth[0]
    assert guess.known
    assert isinstance(guess.value, kind)
    assert not guess.likely


def test_authentication_that_nobody_describes_is_unknown_and_none_is_none() -> None:
    assert not told({"/orders": listing()}).auth[0].known
    free = told({"/orders": listing()}, security=[]).auth[0]
    assert free.known
    assert free.value is None


def test_limits_are_read_out_of_sentences() -> None:
    api = told(
        {}, info={"title": "Shop", "version": "1", "description": "Up to 10 requests per second, 5,000 calls a day."}
    )
    assert api.rate_limit.value is not None
    assert api.rate_limit.value.to_data() == {"limits": ["10/s", "5000/d"]}


def test_2_0_and_3_1_say_the_same() -> None:
    old = document(
        "2.0",
        host="api.shop.example",
        basePath="/v2",
        definitions={"Order": record(note={"type": "string", "x-nullable": True})},
        paths={
            "/orders": {
                "get": {
                    "parameters": [{"name": "offset", "in": "query", "type": "integer"}],
                    "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Order"}}}},
                }
            }
        },
    )
    new = document(
        "3.1.0",
        servers=[{"url": "https://api.shop.example/{version}", "variables": {"version": {"default": "v2"}}}],
        components={"schemas": {"Order": record(note={"type": ["string", "null"]})}},
        paths={"/orders": listing("offset", answer=array({"$ref": "#/components/schemas/Order"}))},
    )
    one, other = read(json.dumps(old)), read(json.dumps(new))
    assert one == other
    assert one.base_url.value == "https://api.shop.example/v2"
    assert one.entity("orders").fields[1].nullable
