"""Live APIs are asked a handful of questions, and what they answer is believed."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from syncline.auth import ApiKey, Auth, Bearer, Digest
from syncline.errors import AuthError, ClientError, OriginError, ServerError, UsageError
from syncline.generate.inference import Api, Credentials, Guess, probe
from syncline.model import Reference, kind_of
from tests.generate.inference.small_apis import PAGERS, Shop, all_at_once, by_cursor, by_offset, by_page
from tests.support.serving import serving

ORDERS = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}
EXPECTED: dict[str, dict[str, Any]] = {
    "offset": {"kind": "offset", "total": "total"},
    "skip": {"kind": "offset", "offset_param": "skip", "limit_param": "take"},
    "page": {"kind": "page", "total_header": "X-Total-Count"},
    "page_from_zero": {"kind": "page", "size_param": "size", "start": 0, "total": "totalElements"},
    "cursor": {"kind": "cursor", "next": "meta.next_cursor", "param": "cursor", "limit_param": "limit", "limit": 100},
    "page_token": {
        "kind": "cursor", "next": "nextPageToken", "param": "pageToken", "limit_param": "pageSize", "limit": 100,
    },
    "last_id": {
        "kind": "cursor", "last_record": "id", "param": "starting_after", "has_more": "has_more", "limit_param": "limit",
        "limit": 100,
    },
    "next_url": {"kind": "next_url", "next": "links.next", "limit_param": "limit", "limit": 100},
    "link": {"kind": "link", "limit_param": "per_page", "limit": 100},
    "fixed_page": {"kind": "page", "size_param": None, "size": None},
    "fixed_offset": {"kind": "offset", "limit_param": None, "limit": None},
    "all_at_once": {"kind": "none"},
}  # fmt: skip


async def probed(shop: Shop, path: str = "/api/v2/orders", **more: Any) -> Api:
    async with serving(shop) as url:
        return await probe(url + path, rate="1000/s", **more)


@pytest.mark.parametrize("kind", PAGERS)
async def test_u4_each_way_to_page_is_found_by_trying_it(kind: str) -> None:
    shop = Shop(PAGERS[kind])
    entity = (await probed(shop)).entities[0]
    assert entity.pagination.value is not None
    assert entity.pagination.value.to_data() == EXPECTED[kind]
    assert entity.pagination.likely
    assert entity.primary_key.value == ("id",)
    assert len(shop.asked) <= 40
    assert {request.method for request in shop.asked} == {"GET"}


@pytest.mark.parametrize("kind", ["offset", "page", "cursor", "link"])
async def test_u4_an_api_that_refuses_unknown_parameters_is_understood_too(kind: str) -> None:
    known = frozenset({"limit", "offset", "page", "per_page", "cursor", "updated_since"})
    entity = (await probed(Shop(PAGERS[kind], strict=known))).entities[0]
    assert entity.pagination.value is not None
    assert kind_of(type(entity.pagination.value)) == kind


@pytest.mark.parametrize("name", ["updated_since", "updated_at[gte]", "since", "updated_at_min"])
async def test_the_filter_for_changes_is_found_by_asking_for_the_future(name: str) -> None:
    entity = (await probed(Shop(by_cursor, since=name))).entities[0]
    assert entity.cursor_field.value == "updated_at"
    assert entity.incremental.value is not None
    assert entity.incremental.value.param == name


async def test_without_a_filter_for_changes_it_is_unknown() -> None:
    entity = (await probed(Shop(by_page))).entities[0]
    assert entity.cursor_field.value == "updated_at"
    assert not entity.incremental.known


async def test_a_refusal_tells_which_credentials_are_wanted() -> None:
    api = await probed(Shop(by_page, token="t"))
    assert isinstance(api.auth[0].value, Bearer)
    assert api.entities == ()
    digest = await probed(Shop(by_page, token="t", challenge='Digest realm="shop"'))
    assert isinstance(digest.auth[0].value, Digest)
    assert not (await probed(Shop(by_page, token="t", challenge=None))).auth[0].known


async def test_credentials_go_by_reference_and_are_proved_by_an_answer_without_them() -> None:
    given = Credentials(auth=Bearer(token=Reference("${SHOP_TOKEN}")))
    api = await probed(Shop(by_page, token="t0ps3cret"), credentials=given, environment={"SHOP_TOKEN": "t0ps3cret"})
    assert api.auth[0].value == given.auth
    assert api.auth[0].confidence == 0.99
    assert "t0ps3cret" not in repr(api)


async def test_credentials_that_are_refused_are_an_error() -> None:
    given = Credentials(auth=Bearer(token=Reference("${SHOP_TOKEN}")))
    with pytest.raises(AuthError):
        await probed(Shop(by_page, token="right"), credentials=given, environment={"SHOP_TOKEN": "wrong"})


async def test_s9_a_secret_in_the_address_is_refused_and_a_reference_in_it_is_not_kept_as_a_parameter() -> None:
    shop = Shop(by_page)
    with pytest.raises(UsageError, match="api_key"):
        await probed(shop, "/api/v2/orders?api_key=t0ps3cret")
    assert shop.asked == []
    api = await probed(shop, "/api/v2/orders?status=open&api_key=${KEY}", environment={"KEY": "t0ps3cret"})
    assert shop.asked[0].query["api_key"] == "t0ps3cret"
    assert api.entities[0].params == {"status": "open"}
    assert api.auth[0].value == ApiKey(key=Reference("${KEY}"), in_="query", name="api_key")
    assert "t0ps3cret" not in repr(api)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"Authorization": "Bearer ${KEY}"}, Bearer(token=Reference("${KEY}"))),
        ({"Authorization": "Token ${KEY}"}, ApiKey(key=Reference("${KEY}"), name="Authorization", prefix="Token")),
        ({"X-Key": "${KEY}"}, ApiKey(key=Reference("${KEY}"), name="X-Key")),
    ],
)
async def test_a_header_with_a_reference_is_told_as_a_file_would_say_it(header: dict[str, str], expected: Auth) -> None:
    given = Credentials.model_validate({"headers": header})
    api = await probed(Shop(by_page), credentials=given, environment={"KEY": "t0ps3cret"})
    assert api.auth[0].value == expected
    assert not api.auth[0].likely


async def test_no_credentials_needed_is_known() -> None:
    guess = (await probed(Shop(by_page))).auth[0]
    assert guess.known
    assert guess.value is None


async def test_limits_are_told_by_headers() -> None:
    api = await probed(Shop(by_page, headers={"RateLimit-Policy": '"default";q=100;w=60'}))
    assert api.rate_limit.value is not None
    assert api.rate_limit.value.to_data() == {"limits": ["100/min"]}
    half = (await probed(Shop(by_page, headers={"X-RateLimit-Limit": "100"}))).rate_limit
    assert not half.known
    assert "100" in half.evidence[0]


async def test_totals_fields_and_base_url_are_seen() -> None:
    api = await probed(Shop(by_offset))
    entity = api.entities[0]
    assert entity.total == 45
    assert {field.path: field.type for field in entity.fields}["updated_at"] == "datetime"
    assert api.base_url.value is not None
    assert api.base_url.value.endswith("/api/v2")
    assert entity.path == "/orders"


async def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(ClientError, match="404"):
        await probed(Shop(by_page), "/api/v2/nothing")


async def test_s1_a_next_address_elsewhere_is_not_followed() -> None:
    def elsewhere(query: Any, url: str) -> Any:
        records, _, _ = all_at_once(query, url)
        frame = {"next": "https://evil.example/orders?at=2"}
        return records[:20], lambda found: {"results": found, **frame}, {}

    shop = Shop(elsewhere)
    entity = (await probed(shop)).entities[0]
    assert entity.pagination.confidence is None or entity.pagination.confidence < 0.8


async def test_s2_an_address_with_a_user_name_is_refused() -> None:
    with pytest.raises(OriginError):
        await probe("http://user@127.0.0.1:1/x")


async def test_no_more_requests_are_sent_than_allowed() -> None:
    shop = Shop(by_offset)
    await probed(shop, most=5)
    assert len(shop.asked) <= 5


async def test_an_index_leads_to_lists() -> None:
    async def index(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v2":
            return web.json_response({"orders": f"http://{request.host}/api/v2/orders", "docs": "https://shop.example"})
        return await Shop(by_page)(request)

    async with serving(index) as url:
        api = await probe(f"{url}/api/v2", rate="1000/s")
    assert [entity.path for entity in api.entities] == ["/orders"]


async def test_an_address_of_a_document_leads_to_its_lists() -> None:
    document = """
        openapi: 3.0.3
        info: {title: Shop, version: "1"}
        servers: [{url: /api/v2}]
        paths:
          /orders:
            get:
              parameters: [{name: offset, in: query, schema: {type: integer}}]
              responses:
                "200": {content: {application/json: {schema: {type: array, items: {properties: {number: {type: string}}}}}}}
          /refunds/{id}: {get: {}}
        """

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/openapi.yaml":
            return web.Response(text=document, content_type="application/yaml")
        return await Shop(by_offset)(request)

    async with serving(answer) as url:
        api = await probe(f"{url}/api/openapi.yaml", rate="1000/s")
    entity = api.entity("orders")
    assert api.title == "Shop"
    assert entity.records.value == "items"
    assert any("a document says otherwise" in line for line in entity.records.evidence)
    assert entity.primary_key.value == ("id",)


async def test_a_cursor_that_nobody_takes_back_is_not_believed() -> None:
    def ignored(query: Any, url: str) -> Any:
        records, around, headers = by_cursor({"limit": query.get("limit", "20")}, url)
        return records, around, headers

    guess = (await probed(Shop(ignored))).entities[0].pagination
    assert not guess.likely


async def test_a_parameter_that_empties_the_list_whatever_it_says_is_no_filter() -> None:
    def broken(query: Any, url: str) -> Any:
        records, around, headers = by_page(query, url)
        return ([] if "updated_since" in query else records), around, headers

    assert not (await probed(Shop(broken))).entities[0].incremental.known


async def test_s1_the_server_of_a_document_elsewhere_is_told_and_not_asked() -> None:
    document = {
        "openapi": "3.0.0",
        "servers": [{"url": "https://api.evil.example/v2"}],
        "paths": {"/orders": {"get": {"responses": {"200": {"content": {"application/json": {"schema": ORDERS}}}}}}},
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response(document)

    asked: list[str] = []
    async with serving(answer) as url:
        api = await probe(f"{url}/openapi.json", rate="1000/s")
    assert asked == ["/openapi.json"]
    assert api.base_url.value == "https://api.evil.example/v2"
    assert any("was not asked" in note for note in api.notes)


async def test_a_server_that_fails_is_asked_once() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({"message": "out of order"}, status=500)

    asked: list[str] = []
    async with serving(answer) as url:
        with pytest.raises(ServerError, match="500"):
            await probe(f"{url}/orders", rate="1000/s")
    assert len(asked) == 1


async def test_html_is_no_list_and_is_said() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html><title>Log in</title></html>", content_type="text/html")

    async with serving(answer) as url:
        api = await probe(f"{url}/orders", rate="1000/s")
    assert api.entities == ()
    assert any("something else than JSON" in note for note in api.notes)


async def test_s1_a_document_does_not_lead_the_probe_of_an_address_elsewhere() -> None:
    shop = Shop(by_page)
    async with serving(shop) as url:
        elsewhere = Api(name="shop", base_url=Guess(url[:-1], 0.9))  # the same address, one digit of its port short
        api = await probe(f"{url}/api/v2/orders", known=elsewhere, rate="1000/s")
    assert shop.asked
    assert [entity.path for entity in api.entities] == ["/orders"]
