"""The examples against the practice shop: all its orders through all its faults, then exactly what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from syncline.engine import Report, arun
from syncline.rehearsal.shop import Faults, Shop
from syncline.spec import dump, load, loads
from tests.support.clock import SimulatedClock
from tests.support.landed import assert_landed, rows

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def environment(shop: Shop, url: str) -> Mapping[str, str]:
    return {"SHOP_URL": url, "SHOP_CLIENT_ID": shop.tokens.client_id, "SHOP_CLIENT_SECRET": shop.tokens.client_secret}


def assert_done(report: Report) -> None:
    assert report.error is None
    assert (report.status, report.exit_code) == ("done", 0)
    assert report.account.adds_up


def as_row(order: dict[str, Any]) -> dict[str, Any]:
    """What the mapping in the example makes of an order, said once more by hand."""
    customer = order["customer"]
    return {
        "external_id": order["id"],
        "number": order["number"],
        "status": order["status"],
        "email": customer["email"],
        "customer": f"{customer['first_name']} {customer['last_name']}",
        "country": customer["address"]["country"],
        "amount": int(Decimal(order["total_price"]) * 100),
        "currency": order["currency"],
        "tax_rate": order["tax_rate"],
        "created_at": datetime.fromisoformat(order["created_at"]).isoformat(),
        "updated_at": order["updated_at"],
        "note": order["note"] or "",
        "items": [
            {name: line[name] for name in ("sku", "title", "quantity", "unit_price")} for line in order["line_items"]
        ],
    }


@pytest.mark.slow
async def test_5000_orders_arrive_through_every_fault_and_then_exactly_the_40_that_changed(tmp_path: Path) -> None:
    clock = SimulatedClock(datetime.now(UTC))
    shop = Shop(orders=5_000, seed=7, clock=clock)
    file, database = EXAMPLES / "shop-orders.yaml", tmp_path / "shop.db"
    async with shop.serve() as url:
        first = await arun(file, environment=environment(shop, url), clock=clock)
        assert_done(first)
        assert (first.account.read, first.account.written) == (5_000, 5_000)
        assert_landed(database, "orders", shop.goods.orders(), "external_id", as_row)
        stats = msgspec.structs.replace(shop.stats)
        assert min(stats.limited, stats.errors, stats.drops, stats.revoked) >= 1
        assert first.conduct.rate_limited == stats.limited
        assert first.conduct.server_errors == stats.errors
        assert first.conduct.refused == stats.unauthorised + stats.revoked == stats.tokens - 1

        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/_practice/change", json={"count": 40}) as said,
        ):
            changed = (await said.json())["changed"]
        before = {row["external_id"]: row for row in rows(database, "orders")}
        second = await arun(file, environment=environment(shop, url), clock=clock)
        assert_done(second)
        assert second.streams[0].sync_mode == "incremental"
        assert second.account.written == 40
        assert second.account.read < 60, "the lookback reads a few again, no more"
        assert_landed(database, "orders", shop.goods.orders(), "external_id", as_row)
        after = {row["external_id"]: row for row in rows(database, "orders")}
        assert {key for key in after if after[key]["updated_at"] != before[key]["updated_at"]} == set(changed)


async def test_orders_without_an_email_are_kept_with_their_reason(tmp_path: Path) -> None:
    shop = Shop(orders=300, without_email=2, faults=Faults.none())
    async with shop.serve() as url:
        report = await arun(EXAMPLES / "shop-orders.yaml", environment=environment(shop, url))
    assert_done(report)
    assert (report.account.read, report.account.written, report.account.rejected) == (300, 298, 2)
    assert len(rows(tmp_path / "shop.db", "orders")) == 298


async def test_customers_by_page_and_refunds_below_their_orders(tmp_path: Path) -> None:
    clock = SimulatedClock(datetime.now(UTC))
    shop = Shop(orders=600, seed=3, clock=clock)
    async with shop.serve() as url:
        report = await arun(EXAMPLES / "shop-refunds.yaml", environment=environment(shop, url), clock=clock)
    assert_done(report)
    database = tmp_path / "shop.db"
    assert_landed(database, "customers", shop.goods.customers, "id")
    refunded = [order for order in shop.goods.orders() if order["status"] == "refunded"]
    assert_landed(database, "refunded_orders", refunded, "id")
    refunds = [refund for order in refunded for refund in shop.goods.refunds(order)]
    assert refunds
    assert_landed(
        database, "refunds", refunds, "id",
        lambda refund: {
            "id": refund["id"], "order_id": refund["order_id"], "amount": int(Decimal(refund["amount"]) * 100),
            "currency": "EUR", "reason": refund["reason"] or "unknown",
            "created_at": datetime.fromisoformat(refund["created_at"]).isoformat(),
        },
    )  # fmt: skip


async def test_products_over_graphql(tmp_path: Path) -> None:
    shop = Shop(orders=5, faults=Faults.none())
    async with shop.serve() as url:
        report = await arun(EXAMPLES / "shop-products.yaml", environment=environment(shop, url))
    assert_done(report)
    assert report.streams[0].pages == 3
    assert_landed(tmp_path / "shop.db", "products", shop.goods.products, "id")


async def test_a_wrong_secret_ends_as_a_credentials_error_that_does_not_show_it(tmp_path: Path) -> None:
    shop = Shop(orders=5, faults=Faults.none())
    async with shop.serve() as url:
        wrong = {**environment(shop, url), "SHOP_CLIENT_SECRET": "canary-5f2a"}
        report = await arun(EXAMPLES / "shop-orders.yaml", environment=wrong)
    assert (report.status, report.exit_code) == ("failed", 4)
    assert "canary" not in json.dumps(report.to_data(), default=str)
    assert b"canary" not in (tmp_path / "shop.db").read_bytes()


@pytest.mark.parametrize("name", sorted(file.name for file in EXAMPLES.glob("*.yaml")))
def test_every_example_loads_and_reads_back_from_its_dump(name: str) -> None:
    integration = load(EXAMPLES / name)
    assert loads(dump(integration)) == integration
