"""The DuckDB example against the practice shop, with its faults; and a second runner that finds the file taken."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import aiohttp
import duckdb
import pytest

from syncline.databases import parse_address
from syncline.engine import arun
from syncline.errors import LeaseError
from syncline.rehearsal.shop import Shop
from tests.support.clock import SimulatedClock

EXAMPLE = Path(__file__).parents[2] / "examples/shop-orders-duckdb.yaml"


@pytest.mark.slow
async def test_the_example_keeps_orders_and_their_items_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    clock = SimulatedClock(datetime.now(UTC))
    shop = Shop(orders=1_200, seed=7, clock=clock)
    async with shop.serve() as url:
        around = {"SHOP_URL": url, "SHOP_CLIENT_ID": shop.tokens.client_id}
        around["SHOP_CLIENT_SECRET"] = shop.tokens.client_secret
        first = await arun(EXAMPLE, environment=around, clock=clock)
        assert (first.status, first.account.written, first.account.adds_up) == ("done", 1_200, True), first.error
        async with aiohttp.ClientSession() as session:
            await session.post(f"{url}/_practice/change", json={"count": 12})
        second = await arun(EXAMPLE, environment=around, clock=clock)
        assert (second.status, second.account.written) == ("done", 12), second.error
        meant = sorted(shop.goods.orders(), key=lambda order: order["id"])
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT id, amount FROM orders ORDER BY id").fetchall()
        items = connection.execute(
            "SELECT _parent_id, _position, sku, quantity FROM orders_items ORDER BY 1, 2"
        ).fetchall()
    assert rows == [(order["id"], Decimal(order["total_price"])) for order in meant]
    assert items == [
        (order["id"], place, item["sku"], item["quantity"])
        for order in meant
        for place, item in enumerate(order["line_items"])
    ]


def test_r31_a_file_that_another_process_has_is_said_within_a_second(tmp_path: Path):
    path = tmp_path / "taken.duckdb"
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print(1, flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert json.loads(holder.stdout.readline()) == 1
        began = time.monotonic()
        with pytest.raises(LeaseError, match=str(holder.pid)) as caught:
            parse_address(f"duckdb:///{path}").open()
        assert time.monotonic() - began < 2
        assert caught.value.exit_code == 75
    finally:
        holder.communicate(timeout=10)
