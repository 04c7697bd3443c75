"""The practice shop keeps its promises: the same for the same seed, right in what it answers, faulty where it says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from syncline.model import Rate
from syncline.rehearsal.shop import Faults, Shop
from syncline.rehearsal.shop.goods import Goods
from tests.rehearsal.conftest import Visit

CALM = Faults.none()
ODD = {"Authorization": "Basic no base 64"}


def only(**switches: object) -> Faults:
    return msgspec.structs.replace(CALM, **switches)


def test_the_same_seed_gives_the_same_shop() -> None:
    first, again, other = (Goods(orders=300, seed=seed) for seed in (7, 7, 8))

    def bodies(goods: Goods) -> list[bytes]:
        return [entry.body for entry in goods.listing(None, None, None)]

    assert bodies(first) == bodies(again)
    assert bodies(first) != bodies(other)


def test_orders_are_those_of_a_real_shop() -> None:
    goods = Goods(orders=2_000, seed=7)
    entries = list(goods.listing(None, None, None))
    orders = goods.orders()
    assert len({order["id"] for order in orders}) == 2_000
    assert all(order["id"] > 2**53 for order in orders), "ids that a float cannot hold"
    assert 700 < sum(len(entry.body) for entry in entries) / 2_000 < 1_300
    assert [entry.key for entry in entries] == sorted(entry.key for entry in entries)
    assert len({entry.key[0] for entry in entries}) < 2_000, "some orders share their time of update"
    assert any(order["note"] for order in orders) and any(order["note"] is None for order in orders)
    for order in orders:
        lines = sum((line["unit_price"] * line["quantity"] for line in order["line_items"]), Decimal(0))
        assert Decimal(order["total_price"]) == lines + order["shipping_price"]


async def test_numbers_keep_every_digit_on_the_way(visit: Visit) -> None:
    async with visit(Shop(orders=50, faults=CALM)) as client:
        _, text = await _authorised_get(client, "/v2/orders?limit=50")
        assert '"tax_rate":0.20' in text
        assert await client.orders() == client.shop.goods.orders()


async def _authorised_get(client, path: str) -> tuple[int, str]:
    await client.authorise()
    return await client.once("GET", path)


@pytest.mark.parametrize("limit", [1, 7, 50, 250])
async def test_pages_give_every_order_once(visit: Visit, limit: int) -> None:
    async with visit(Shop(orders=100, faults=CALM)) as client:
        assert [order["id"] for order in await client.orders(limit)] == [o["id"] for o in client.shop.goods.orders()]
        assert set(client.seen) == {200, 401}


async def test_a_change_moves_orders_to_the_end_and_into_the_next_incremental_listing(visit: Visit) -> None:
    async with visit(Shop(orders=200, faults=CALM)) as client:
        newest = (await client.orders())[-1]["updated_at"]
        before = datetime.now(UTC)
        _, text = await client.once("POST", "/_practice/change", json={"count": 40})
        changed = msgspec.json.decode(text)["changed"]
        assert len(set(changed)) == 40
        found = await client.orders(limit=15, updated_since=newest)
        assert [order["id"] for order in found if order["updated_at"] > newest] == changed
        assert all(order["revision"] == 2 for order in found if order["id"] in changed)
        assert timedelta() <= before - datetime.fromisoformat(found[-1]["updated_at"]) <= timedelta(seconds=1)
        assert len(await client.orders()) == 200


async def test_updated_since_is_inclusive_and_reads_any_zone(visit: Visit) -> None:
    async with visit(Shop(orders=50, faults=CALM)) as client:
        listed = client.shop.goods.orders()
        moment = datetime.fromisoformat(listed[20]["updated_at"])
        for text in (listed[20]["updated_at"], moment.isoformat(), moment.isoformat().replace("+00:00", "-00:00")):
            page = await client.get("/v2/orders", updated_since=text, limit=250)
            assert page["data"][0]["updated_at"] == listed[20]["updated_at"]
            assert page["meta"]["total"] == len(page["data"])


async def test_customers_come_by_page_and_refunds_below_their_order(visit: Visit) -> None:
    async with visit(Shop(orders=400, faults=CALM)) as client:
        first = await client.get("/v2/customers", page=1, per_page=30)
        pages = [first, *[await client.get("/v2/customers", page=n, per_page=30) for n in range(2, 4)]]
        assert first["total"] == 80 and first["total_pages"] == 3
        assert [c["id"] for page in pages for c in page["customers"]] == [c["id"] for c in client.shop.goods.customers]
        assert (await client.get("/v2/customers", page=4, per_page=30))["customers"] == []
        refunded = await client.orders(status="refunded")
        assert refunded
        for order in refunded[:3]:
            refunds = (await client.get(f"/v2/orders/{order['id']}/refunds"))["data"]
            assert len(refunds) == len(order["line_items"])
        assert (await client.get(f"/v2/orders/{(await client.orders(status='paid'))[0]['id']}/refunds"))["data"] == []


async def test_products_are_a_graphql_connection(visit: Visit) -> None:
    query = "query ($first: Int, $after: String) { products(first: $first, after: $after) { nodes { id } } }"
    async with visit(Shop(orders=5, faults=CALM)) as client:
        await client.authorise()
        after, found = None, []
        while True:
            body = {"query": query, "variables": {"first": 25, "after": after}}
            _, text = await client.once("POST", "/graphql", json=body)
            products = msgspec.json.decode(text)["data"]["products"]
            found += [node["id"] for node in products["nodes"]]
            after = products["pageInfo"]["endCursor"]
            if not products["pageInfo"]["hasNextPage"]:
                break
        assert found == [product["id"] for product in client.shop.goods.products]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/orders?limit=0", 400),
        ("/v2/orders?limit=251", 400),
        ("/v2/orders?limit=١", 400),
        ("/v2/orders?cursor=nonsense", 400),
        ("/v2/orders?updated_since=yesterday", 400),
        ("/v2/orders?updated_since=2025-01-01T00:00:00", 400),
        ("/v2/orders?status=lost", 400),
        ("/v2/orders/1", 404),
        ("/v2/orders/²/refunds", 404),
        ("/v2/nothing", 404),
    ],
)
async def test_a_wrong_request_is_told_so(visit: Visit, path: str, status: int) -> None:
    async with visit(Shop(orders=5, faults=CALM)) as client:
        found, text = await _authorised_get(client, path)
        assert found == status
        assert msgspec.json.decode(text)["errors"][0]["message"]


async def test_a_token_is_needed_and_a_refresh_token_serves_once(visit: Visit) -> None:
    async with visit(Shop(orders=5, faults=CALM)) as client:
        status, _ = await client.once("GET", "/v2/orders")
        assert status == 401 and "Bearer" in client.headers[-1]["WWW-Authenticate"]
        tokens = client.shop.tokens
        form = {"client_id": tokens.client_id, "client_secret": tokens.client_secret}
        used = {**form, "grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        status, text = await client.once("POST", "/oauth/token", data=used)
        assert status == 200 and msgspec.json.decode(text)["refresh_token"] == tokens.refresh_token
        assert (await client.once("POST", "/oauth/token", data=used))[0] == 400
        wrong = {**form, "client_secret": "guess", "grant_type": "client_credentials"}
        assert (await client.once("POST", "/oauth/token", data=wrong))[0] == 401
        status, text = await client.once("POST", "/oauth/token", data={**form, "grant_type": "password"})
        assert status == 400 and "unsupported_grant_type" in text
        grant = {"grant_type": "client_credentials"}
        async with client.session.post(f"{client.url}/oauth/token", headers=ODD, data=grant) as odd:
            assert odd.status == 401
        assert client.shop.stats.tokens == 1


async def test_every_fault_comes_and_everything_still_arrives(visit: Visit) -> None:
    """Without the rate limit: this client does not wait."""
    faults = msgspec.structs.replace(Faults(), rate=None)
    async with visit(Shop(orders=5_000, faults=faults)) as client:
        assert await client.orders() == client.shop.goods.orders()
        stats = client.shop.stats
        assert min(stats.limited, stats.errors, stats.drops, stats.revoked) >= 1
        assert stats.limited == client.seen.count(429)
        assert stats.errors == client.seen.count(500)
        assert stats.tokens == client.seen.count(401) == stats.revoked + 1
        shown = msgspec.json.decode((await client.once("GET", "/_practice/stats"))[1])
        assert shown["drops"] == stats.drops and shown["requests"] == stats.requests


@pytest.mark.parametrize("seed", range(6))
async def test_a_drop_breaks_the_connection(visit: Visit, seed: int) -> None:
    async with visit(Shop(orders=20, seed=seed, faults=only(drop_every=1))) as client:
        await client.authorise()
        assert await client.once("GET", "/v2/orders") == (0, "")
        assert client.shop.stats.drops >= 1


def struck(faults: Faults, seed: int, calls: int) -> dict[str, list[int]]:
    """At which of so many calls each fault strikes."""
    counts = range(1, calls + 1)
    return {fault.name: [count for count in counts if fault.strikes(count)] for fault in faults.plan(seed)}


def test_faults_come_as_often_as_was_asked_for_at_calls_that_the_seed_decides() -> None:
    one, again, other = (struck(only(error_every=10), seed, 200)["500"] for seed in (1, 1, 2))
    assert one == again != other
    assert [(count - 1) // 10 for count in one] == list(range(20))
    dropped = struck(only(drop_every=7), 1, 200)
    assert set(dropped) == {"reset-after", "cut"}
    assert sorted(dropped["reset-after"] + dropped["cut"])[:3] == [dropped["reset-after"][0] + 7 * n for n in range(3)]


def test_each_demo_sees_every_fault_within_its_first_pages() -> None:
    for seed, pages in [(7, 50), *((seed, 120) for seed in range(50))]:
        met = struck(Faults(), seed, pages)
        assert met["429"] and met["500"] and met["token-revoked"] and (met["reset-after"] or met["cut"])


async def test_the_rate_limit_refuses_with_its_headers(visit: Visit) -> None:
    async with visit(Shop(orders=5, faults=only(rate=Rate(3, 3_600.0)))) as client:
        await client.authorise()
        statuses = [(await client.once("GET", "/v2/orders"))[0] for _ in range(5)]
        assert statuses in ([200, 200, 200, 429, 429], [200, 200, 200, 200, 429])  # a window may turn in between
        refused = client.headers[-1]
        assert 0 < int(refused["Retry-After"]) <= 3_600
        assert refused["RateLimit-Policy"] == '"default";q=3;w=3600'
        assert refused["RateLimit"].startswith('"default";r=0;t=')


async def test_orders_without_email_are_as_many_as_asked_for(visit: Visit) -> None:
    async with visit(Shop(orders=100, without_email=4, faults=CALM)) as client:
        assert sum(order["customer"]["email"] is None for order in await client.orders()) == 4
        assert all(customer["email"] for customer in client.shop.goods.customers)
