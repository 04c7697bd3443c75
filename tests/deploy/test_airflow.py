"""The operator in Airflow itself: its tables in SQLite, its own runner of tasks, the practice shop as API.

All DAGs run in one process of Airflow's, since its start is what takes long; each test looks at one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ShopProcess
from tests.deploy.tools import DEPLOY, ROOT, installed_package, python_with

HERE = Path(__file__).parent
SECRET = "a-secret-that-nobody-may-read"
PROGRAMS = {
    "syncline": f'exec {sys.executable} -m syncline.cli "$@"',
    # the task's own process is told to stop, as by Airflow, when the first page is being written
    "killer": f"""(until grep -q schema_changed .syncline/logs/*.jsonl 2>/dev/null; do sleep 0.05; done; kill -TERM $PPID) &
exec {sys.executable} -m syncline.cli "$@" """,
    "held": 'echo \'{"status": "held", "error": {"code": "lease", "what": "shop-orders is held"}}\'; exit 75',
    "deferred": """test -e came && { date -u +%s > came; echo '{"status": "done", "run_id": "r", "streams": []}'; exit 0; }
date -u +%s > came; date -u -d '+2 seconds' +'{"status": "deferred", "until": "%Y-%m-%dT%H:%M:%SZ"}' | tee put-off; exit 6""",
    "flaky": 'test -e tried && echo \'{"status": "done", "run_id": "r", "streams": []}\' || { touch tried; exit 1; }',
    "partial": 'echo \'{"status": "partial", "run_id": "r", "streams": []}\'; exit 5',
    "variables": 'echo "{\\"url\\": \\"$WAREHOUSE_URL\\", \\"day\\": \\"$DAY\\", \\"run_id\\": \\"r\\", \\"streams\\": []}"',
}
DAGS = [
    "shop_orders", "no_file", "templated", "held", "deferred", "flaky", "partial", "partial_allowed", "database",
    "killed", "after_the_kill",
]  # fmt: skip

pytestmark = pytest.mark.slow


class Told(dict[str, Any]):
    """What Airflow's tables say after all DAGs have run, and its log."""

    log = ""
    home: Path

    def only(self, dag: str) -> tuple[str, Any]:
        """State and return value of a DAG's only task."""
        return self[dag]["only"]["state"], self[dag]["only"]["value"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    home = tmp_path_factory.mktemp("airflow")
    for name in ("dags", "programs", "work", "killed"):
        home.joinpath(name).mkdir()
    for file in (DEPLOY / "airflow/example_dag.py", HERE / "airflow_dags.py"):
        shutil.copy(file, home / "dags")
    for name, text in PROGRAMS.items():
        program = home / "programs" / name
        program.write_text(f"#!/bin/sh\nexport PYTHONPATH={ROOT / 'src'}\n{text}\n")
        program.chmod(0o755)
    shop, slow = ShopProcess("--calm", "--orders", "300"), ShopProcess("--calm", "--orders", "600", "--latency", "0.3")
    try:
        return run_all(home, environment(home, shop.ready, slow.ready))
    finally:
        shop.close()
        slow.close()


def environment(home: Path, shop: dict[str, Any], slow: dict[str, Any]) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(installed_package(DEPLOY / "airflow", home / "package")),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_SHOP": connection(shop),
        "AIRFLOW_CONN_SLOW": connection(slow),
        "AIRFLOW_CONN_WAREHOUSE": f"postgres://me:{SECRET}@db.internal:5432/shop?sslmode=require",
        "SHOP_ORDERS_FILE": str(ROOT / "examples/shop-orders.yaml"),
        "SYNCLINE_WORK": str(home / "work"),
        "SYNCLINE_PROGRAM": str(home / "programs/syncline"),
        "KILLED_WORK": str(home / "killed"),
        "TEST_PROGRAMS": str(home / "programs"),
        "SLACK_WEBHOOK": "https://alerts.invalid/",
    }


def connection(shop: dict[str, Any]) -> str:
    extra = {name: shop[name] for name in ("client_id", "client_secret")}
    return json.dumps({"conn_type": "syncline", "host": shop["url"], "extra": extra})


def run_all(home: Path, environment: dict[str, str]) -> Told:
    command = [python_with("airflow"), str(HERE / "airflow_here.py"), str(home / "dags"), *DAGS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    log, _, last = done.stdout.rstrip().rpartition("\n")
    told = Told(json.loads(last))
    told.log, told.home = log + done.stderr, home
    return told


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return int(database.execute("SELECT count(*) FROM orders").fetchone()[0])


def test_the_example_writes_and_tells_its_report_and_its_asset(told: Told) -> None:
    task = told["shop_orders"]["orders"]
    report = task["value"]
    assert (task["state"], report["status"], report["account"]["written"]) == ("success", "done", 300)
    assert rows(told.home / "work") == 300
    (event,) = told["events"]
    assert event["uri"] == "postgres://warehouse/shop/public/orders"
    assert event["extra"]["run_id"] == report["run_id"]
    assert event["extra"]["written"] == 300


def test_what_is_logged_has_the_run_in_it_and_no_secret(told: Told) -> None:
    assert '"event":"run_finished"' in told.log
    assert SECRET not in told.log


def test_a_mistake_in_the_file_is_not_tried_again(told: Told) -> None:
    state, report = told.only("no_file")
    assert state == "failed"
    assert report["exit_code"] == 2
    assert told["no_file"]["only"]["try"] == 1


def test_streams_and_variables_are_templates(told: Told) -> None:
    assert "'templated'" in told.only("templated")[1]["error"]["what"]
    assert told.only("database")[1]["day"] == "database"


def test_a_databases_connection_is_its_address_with_credentials(told: Told) -> None:
    state, report = told.only("database")
    assert state == "success"
    assert report["url"].startswith("postgresql://me:")
    assert report["url"].endswith("@db.internal:5432/shop")


def test_while_somebody_else_runs_it_the_task_is_skipped(told: Told) -> None:
    assert told.only("held")[0] == "skipped"


def test_what_the_api_puts_off_is_run_again_when_the_api_said(told: Told) -> None:
    assert told.only("deferred")[0] == "success"
    until = datetime.fromisoformat(json.loads((told.home / "work/put-off").read_text())["until"])
    assert int((told.home / "work/came").read_text()) >= until.timestamp()
    assert told["deferred"]["only"]["try"] == 1


def test_what_may_pass_by_itself_is_tried_again(told: Told) -> None:
    assert told.only("flaky")[0] == "success"
    assert told["flaky"]["only"]["try"] == 2


def test_a_partial_run_fails_unless_that_is_allowed(told: Told) -> None:
    assert told.only("partial")[0] == "failed"
    assert told.only("partial_allowed")[0] == "success"


def test_a_task_that_is_killed_comes_to_its_checkpoint_and_the_next_goes_on_there(told: Told) -> None:
    state, report = told.only("killed")
    assert (state, report["status"], report["exit_code"]) == ("failed", "interrupted", 130)
    kept = report["account"]["written"]
    assert 0 < kept < 600
    state, report = told.only("after_the_kill")
    assert state == "success"
    assert report["streams"][0]["resumed"] is True
    assert report["account"]["read"] == 600 - kept
    assert rows(told.home / "killed") == 600


def test_airflow_knows_the_type_of_connection(told: Told) -> None:
    assert told["connection"] == "Syncline"
