"""The practice shop's orders, every 15 minutes; what depends on them runs when they have arrived.

The connection, once:
  airflow connections add shop --conn-type syncline --conn-host … --conn-extra '{"client_id": "…", "client_secret": "…"}'
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset, task
from airflow_syncline.operator import SynclineOperator

ORDERS = Asset("postgres://warehouse/shop/public/orders")

with DAG("shop_orders", schedule=timedelta(minutes=15), catchup=False, max_active_runs=1):
    SynclineOperator(
        task_id="orders",
        file=os.environ.get("SHOP_ORDERS_FILE", "/opt/integrations/shop-orders.yaml"),
        cwd=os.environ.get("SYNCLINE_WORK", "/opt/syncline"),
        program=os.environ.get("SYNCLINE_PROGRAM"),
        connections={"SHOP": "shop"},
        assets={"orders": ORDERS},
        retries=3,
        retry_delay=timedelta(minutes=2),
    )

with DAG("orders_arrived", schedule=[ORDERS], catchup=False):

    @task
    def count(triggering_asset_events: dict[Asset, list[object]]) -> int:
        """How many orders the runs wrote that this one was started for."""
        return sum(event.extra["written"] for event in triggering_asset_events[ORDERS])

    count()
