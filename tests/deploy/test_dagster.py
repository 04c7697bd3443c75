"""The assets in Dagster itself: its own executor and event log, the practice shop as API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ShopProcess
from tests.deploy.tools import DEPLOY, ROOT, installed_package, python_with

HERE = Path(__file__).parent
ORDERS, REFUNDS = (ROOT / "examples" / name for name in ("shop-orders.yaml", "shop-refunds.yaml"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_package(DEPLOY / "dagster", tmp_path_factory.mktemp("dagster-syncline"))


@pytest.fixture
def shop() -> Iterator[dict[str, Any]]:
    running = ShopProcess("--calm", "--orders", "1200", "--without-email", "2", "--latency", "0.2")
    yield running.ready
    running.close()


def command(*words: str | Path) -> list[str]:
    return [python_with("dagster"), str(HERE / "dagster_here.py"), *map(str, words)]


def environment(package: Path, work: Path, shop: dict[str, Any]) -> dict[str, str]:
    credentials = {
        "SHOP_URL": shop["url"],
        "SHOP_CLIENT_ID": shop["client_id"],
        "SHOP_CLIENT_SECRET": shop["client_secret"],
    }
    home = {"DAGSTER_HOME": str(work), "DAGSTER_DISABLE_TELEMETRY": "1"}
    return os.environ | credentials | home | {"PYTHONPATH": f"{package}:{ROOT / 'src'}"}


def materialized(package: Path, work: Path, shop: dict[str, Any], file: Path, *streams: str) -> dict[str, Any]:
    done = subprocess.run(
        command(file, work, "1", *streams),
        env=environment(package, work, shop),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_an_asset_has_the_counts_of_its_stream_and_its_checks(
    package: Path, tmp_path: Path, shop: dict[str, Any]
) -> None:
    told = materialized(package, tmp_path, shop, ORDERS)
    assert told["success"], told["failure"]
    orders = told["assets"]["orders"]
    assert (orders["read"], orders["written"], orders["rejected"], orders["pages"]) == (1200, 1198, 2, 12)
    assert orders["cursor"] and orders["run_id"]
    assert told["checks"] == {"orders.no_rejects": False, "orders.nothing_in_doubt": True}
    assert told["specs"] == {"orders": {"deps": [], "kinds": ["sql"], "table": "orders", "fresh": 2.5 * 15 * 60}}


def test_a_stream_is_materialized_alone_and_children_depend_on_their_parent(
    package: Path, tmp_path: Path, shop: dict[str, Any]
) -> None:
    told = materialized(package, tmp_path, shop, REFUNDS, "customers")
    assert told["success"], told["failure"]
    assert set(told["assets"]) == {"customers"}
    assert {name.partition(".")[0] for name in told["checks"]} == {"customers"}
    assert told["specs"]["refunds"]["deps"] == ["refunded_orders"]


def test_what_needs_a_person_fails_with_what_to_do_and_is_not_tried_again(
    package: Path, tmp_path: Path, shop: dict[str, Any]
) -> None:
    told = materialized(package, tmp_path, {**shop, "client_secret": "wrong"}, ORDERS)
    assert not told["success"]
    assert told["assets"] == {}
    assert told["tries"] == 1
    assert told["failure"].startswith("auth: ")
    assert " – check client_id and client_secret" in told["failure"]


def test_what_may_pass_by_itself_is_tried_again(package: Path, tmp_path: Path, shop: dict[str, Any]) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(ORDERS.read_text().replace("attempts: 5", "attempts: 1"))
    told = materialized(package, tmp_path, {**shop, "url": "http://127.0.0.1:1"}, file)
    assert told["tries"] == 2
    assert told["failure"].startswith("transport: ")


def test_a_run_that_is_terminated_comes_to_its_checkpoint_and_the_next_goes_on_there(
    package: Path, tmp_path: Path, shop: dict[str, Any]
) -> None:
    log = tmp_path / ".syncline/logs/shop-orders.jsonl"
    with subprocess.Popen(
        command(ORDERS, tmp_path, "0"),
        env=environment(package, tmp_path, shop),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        while run.poll() is None and not (log.exists() and "schema_changed" in log.read_text()):
            time.sleep(0.02)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    (report,) = (json.loads(file.read_text()) for file in tmp_path.glob(".syncline/runs/shop-orders/*/run.json"))
    kept = report["streams"][0]["account"]["read"]
    assert report["status"] == "interrupted"
    assert 0 < kept < 1200
    told = materialized(package, tmp_path, shop, ORDERS)
    assert told["success"], told["failure"]
    assert told["assets"]["orders"]["read"] == 1200 - kept


def test_the_example_loads_with_its_schedule(package: Path, tmp_path: Path, shop: dict[str, Any]) -> None:
    program = Path(python_with("dagster")).with_name("dagster")
    known = environment(package, tmp_path, shop) | {
        "SHOP_ORDERS_FILE": str(ORDERS),
        "SLACK_WEBHOOK": "https://alerts.invalid/",
    }
    words = ["definitions", "validate", "-f", str(DEPLOY / "dagster/example_definitions.py")]
    done = subprocess.run([program, *words], env=known, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Validation successful" in done.stdout + done.stderr
