"""A server runs the same files for months: what a run takes it gives back."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path

import pytest

from syncline import events
from syncline.http.pools import Pools
from syncline.model import SystemClock
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile
from syncline.operate.metrics import Metrics
from syncline.operate.monitor import Monitor
from syncline.operate.server import run_file
from syncline.rehearsal.shop.faults import Faults
from syncline.rehearsal.shop.server import Shop

FILE = """\
name: shop
source:
  kind: rest
  base_url: {url}/v2
  auth: {{kind: oauth2, grant: client_credentials, token_url: "{url}/oauth/token", client_id: {client},
         client_secret: "${{SHOP_SECRET}}", scopes: [orders.read]}}
  retry: {{attempts: 5, base: 1ms}}
streams:
  - name: orders
    path: /orders
    records: data
    primary_key: id
    pagination: {{kind: cursor, next: meta.next_cursor, param: cursor, limit_param: limit, limit: 10}}
    mapping: {{id: id, total: total, email: customer.email}}
    into: {{table: orders, write: upsert}}
destination: {{kind: sql, url: "sqlite:///{folder}/shop.db"}}
"""
ROUNDS, RUNS = 4, 20
"""What is filled once, such as a cache, fills in one round and not in every one."""


def living() -> Counter[str]:
    for _ in range(3):
        gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("shared", [True, False], ids=["connections shared", "connections of its own"])
async def test_r38_a_run_leaves_no_object_and_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monitor, home, clock = Monitor(), Home(tmp_path / ".syncline"), SystemClock()
    shop = Shop(
        orders=40, seed=3, faults=Faults(rate=None, limited_every=0, error_every=0, drop_every=7, revoke_every=11)
    )
    monkeypatch.setenv("SHOP_SECRET", shop.tokens.client_secret)
    path = tmp_path / "shop.yaml"
    async with shop.serve(0) as url, Pools() as pools:
        path.write_text(FILE.format(url=url, client=shop.tokens.client_id, folder=tmp_path))

        async def run(times: int) -> None:
            for _ in range(times):
                report = await run_file(path, asyncio.Event(), clock, pools if shared else None)
                assert report.status == "done"
                home.keep_report(report)

        with events.listening(monitor, Metrics(monitor), LogFile(home)):
            for _ in range(ROUNDS):
                before, files = living(), open_files()
                await run(RUNS)
                more, more_files = living() - before, open_files() - files
                if more.total() < RUNS and more_files <= 0:
                    return
    pytest.fail(f"{more.total()} objects and {more_files} files more after {RUNS} runs: {more.most_common(8)}")
