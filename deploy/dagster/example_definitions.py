"""The practice shop's orders as an asset, materialized every 15 minutes: `dagster dev -f example_definitions.py`."""

from __future__ import annotations

import os

import dagster as dg
from dagster_syncline import syncline_assets

orders = syncline_assets(
    os.environ.get("SHOP_ORDERS_FILE", "/opt/integrations/shop-orders.yaml"),
    key_prefix=["shop"],
    group_name="shop",
    cwd=os.environ.get("SYNCLINE_WORK", "/opt/syncline"),
    retry_policy=dg.RetryPolicy(max_retries=3, delay=120),
)


@dg.asset(deps=[dg.AssetKey(["shop", "orders"])])
def report_of_orders() -> None:
    """What is made of them."""


defs = dg.Definitions(
    assets=[orders, report_of_orders],
    schedules=[dg.ScheduleDefinition("every_15_minutes", cron_schedule="*/15 * * * *", target=[orders])],
)
