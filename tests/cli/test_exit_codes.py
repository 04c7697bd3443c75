"""Every exit code, by a process that leaves with it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncline.databases.sqlite import SqliteDatabase
from syncline.rehearsal.simulator.wire import Answer
from syncline.state import Owner
from syncline.state.ledger import Ledger
from syncline.state.schema import prepare
from tests.cli.conftest import PLAIN, Answering, ShopProcess, command, environment, syncline, write_files

pytestmark = pytest.mark.slow


def test_u18_0_done(folder: Path) -> None:
    done = syncline("run", "shop.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "✓ shop-orders done" in done.stdout
    assert "adds up" in done.stdout
    assert "300" in done.stdout
    with sqlite3.connect(folder / "shop.db") as database:
        assert database.execute("SELECT count(*) FROM orders").fetchone() == (298,)
    database.close()


def test_u18_1_failed(folder: Path) -> None:
    done = syncline("run", "shop.yaml", cwd=folder, SHOP_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "transport: no connection" in done.stderr
    assert "fix" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runn"], "did you mean 'run'?"),
        (["--quiet", "run"], "no option --quiet before the verb"),
        (["run"], "required: FILE"),
        (["run", "shop.yaml", "--limit", "0"], "not a whole number above 0"),
        (["run", "shop.yaml", "--stream", "order"], "did you mean 'orders'?"),
        (["run", "shop.yml"], "did you mean shop.yaml?"),
        (["state", "forget", "shop.yaml"], "invalid choice"),
        (["state", "rewind", "shop.yaml"], "--to"),
        (["check", "empty"], "no YAML file"),
    ],
)
def test_u18_2_usage(folder: Path, words: list[str], said: str) -> None:
    (folder / "empty").mkdir()
    done = syncline(*words, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 12
    as_data = syncline(*words, "--json", cwd=folder)
    assert as_data.returncode == 2
    assert json.loads(as_data.stdout)["exit_code"] == 2
    assert as_data.stderr == ""


@pytest.mark.parametrize("verb", ["check", "run", "plan", "preview", "status"])
def test_u18_2_file_mistakes(tmp_path: Path, shop: ShopProcess, verb: str) -> None:
    write_files(tmp_path, shop.ready, primary_key="primarykey", sqlite="mysql")
    done = syncline(verb, "shop.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "shop.yaml:28:5: streams[0].primarykey: unknown key; did you mean 'primary_key'?" in done.stdout + done.stderr
    )


def test_u18_3_plan_has_changes_until_it_has_run(folder: Path) -> None:
    planned = syncline("plan", "shop.yaml", cwd=folder)
    assert planned.returncode == 3, planned.stderr
    assert "nothing was written" in planned.stdout
    assert not (folder / "shop.db").exists()
    assert syncline("run", "shop.yaml", cwd=folder).returncode == 0
    again = syncline("plan", "shop.yaml", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["streams"][0]["sync_mode"] == "incremental"


def test_u18_4_missing_credentials(folder: Path) -> None:
    (folder / ".env").write_text("SHOP_URL=http://127.0.0.1:9\n")
    done = syncline("run", "shop.yaml", cwd=folder)
    assert done.returncode == 4
    assert "SHOP_CLIENT_ID is not set" in done.stderr
    assert "export SHOP_CLIENT_ID=… SHOP_CLIENT_SECRET=…" in done.stderr


def test_u18_4_wrong_credentials(folder: Path) -> None:
    done = syncline("run", "shop.yaml", cwd=folder, SHOP_CLIENT_SECRET="not-the-right-one")
    assert done.returncode == 4, done.stderr
    assert "auth: " in done.stderr


def test_u18_5_partial(tmp_path: Path, shop: ShopProcess) -> None:
    write_files(
        tmp_path,
        shop.ready,
        **{"into: {table: orders, write: upsert}": "into: {write: upsert}\n    on_reject: {max_ratio: 0.1%}"},
    )
    done = syncline("run", "shop.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "partial"
    assert report["account"] == {
        "read": 300,
        "written": 298,
        "unchanged": 0,
        "rejected": 2,
        "filtered": 0,
        "deleted": 0,
        "in_doubt": 0,
    }


def test_u18_6_deferred(tmp_path: Path, answering: Answering) -> None:
    url = answering(lambda call: Answer(status=429, headers=(("Retry-After", "86400"),)))
    (tmp_path / "plain.yaml").write_text(PLAIN.format(url=url))
    done = syncline("run", "plain.yaml", cwd=tmp_path, PLAIN_TOKEN="canary-token")
    assert done.returncode == 6, done.stderr
    assert "until" in done.stdout
    as_data = json.loads(syncline("run", "plain.yaml", "--json", cwd=tmp_path, PLAIN_TOKEN="canary-token").stdout)
    until = datetime.fromisoformat(as_data["until"])
    assert 86_000 < (until - datetime.now(UTC)).total_seconds() < 86_500


def test_u18_7_destination(tmp_path: Path, shop: ShopProcess) -> None:
    write_files(tmp_path, shop.ready)
    (tmp_path / "shop.db").write_bytes(b"this is no database " * 100)
    done = syncline("run", "shop.yaml", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr


def test_u18_75_another_runner_holds_it(folder: Path) -> None:
    database = SqliteDatabase.open(folder / "shop.db")
    prepare(database)
    Ledger(database).acquire("shop-orders", Owner.current("elsewhere"), datetime.now(UTC), 60.0)
    database.close()
    done = syncline("run", "shop.yaml", cwd=folder)
    assert done.returncode == 75, done.stderr
    assert "lease: shop-orders is held by process" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_u18_130_interrupted_goes_on_from_its_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    slow = ShopProcess("--calm", "--orders", "400", "--latency", "0.3")
    try:
        write_files(tmp_path, slow.ready, **{"limit: 100": "limit: 20"})
        run = subprocess.Popen(
            command("run", "shop.yaml", "--json"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _wait_for_rows(tmp_path / "shop.db")
        run.send_signal(number)
        asked = time.monotonic()
        out, err = run.communicate(timeout=20)
        assert run.returncode == 130, err
        assert time.monotonic() - asked < 10
        report = json.loads(out)
        assert report["status"] == "interrupted"
        assert 0 < report["account"]["read"] < 400
        rest = json.loads(syncline("run", "shop.yaml", "--json", cwd=tmp_path).stdout)
        assert rest["streams"][0]["resumed"] is True
        assert report["account"]["written"] + rest["account"]["written"] == 400
    finally:
        slow.close()


def _wait_for_rows(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            database = sqlite3.connect(path)
            try:
                if database.execute("SELECT count(*) FROM orders").fetchone()[0]:
                    return
            except sqlite3.OperationalError:
                pass
            finally:
                database.close()
        time.sleep(0.05)  # another process: there is no clock to simulate
    raise AssertionError("no row came")
