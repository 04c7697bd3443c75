"""`syncline serve` as a process: it runs what is due, says what it refuses, and leaves in good order."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.rehearsal.simulator.wire import answered
from tests.cli.conftest import Answering, ShopProcess, command, environment, syncline, write_files
from tests.operate.test_alerts import Receiver


@pytest.fixture
def place(tmp_path: Path, shop: ShopProcess) -> Path:
    """A folder with `integrations/shop.yaml`, due every second."""
    inside = tmp_path / "integrations"
    inside.mkdir()
    write_files(inside, shop.ready, **{"every 15 minutes": "every 1 second"})
    return tmp_path


class Serving:
    def __init__(self, place: Path, *words: str, **env: str) -> None:
        self.log = place / "serve.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command("serve", "integrations", "--log-format", "json", "--port", str(self.port), *words),
                cwd=place,
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def until(self, seen: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait in real time for another process; what it shows."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := seen():
                return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def terminate(self) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15), time.monotonic() - began


@pytest.fixture
def serving(place: Path) -> Iterator[Serving]:
    running = Serving(place)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


@pytest.mark.slow
def test_r33_it_runs_reloads_refuses_and_leaves_within_ten_seconds(serving: Serving, place: Path) -> None:
    serving.until(lambda: len(serving.lines("run_finished")) >= 2)
    with sqlite3.connect(place / "shop.db") as database:
        assert database.execute("SELECT count(*) FROM orders").fetchone()[0] == 298
    text = place.joinpath("integrations", "shop.yaml").read_text()
    by_hand = text.replace("name: shop-orders", "name: by-hand").replace("schedule: every 1 second\n", "")
    place.joinpath("integrations", "by-hand.yaml").write_text(by_hand.replace("shop.db", "by-hand.db"))
    place.joinpath("integrations", "broken.yaml").write_text(
        by_hand.replace("by-hand", "broken").replace("volume:", "volme:")
    )
    (refused,) = serving.until(lambda: serving.lines("file_refused"))
    assert "broken.yaml:" in refused["what"]
    assert "did you mean 'volume'?" in refused["what"]
    assert refused["level"] == "error"
    serving.until(lambda: any(line["integration"] == "by-hand" for line in serving.lines("file_read")))
    assert syncline("schedule", "now", "by-hand", cwd=place).returncode == 0
    serving.until(lambda: any(line["integration"] == "by-hand" for line in serving.lines("run_finished")))
    check_what_it_shows(serving)
    code, seconds = serving.terminate()
    assert (code, seconds < 10) == (0, True), serving.log.read_text()
    check_what_it_leaves(place)


def check_what_it_shows(serving: Serving) -> None:
    """Metrics for machines, the board for whoever has the address that was printed, and the broken file's alert."""
    with urllib.request.urlopen(f"http://127.0.0.1:{serving.port}/metrics", timeout=10) as answer:
        numbers = answer.read().decode()
    assert re.search(r'syncline_runs_total\{integration="shop-orders",status="done"\} [1-9]', numbers)
    assert 'outcome="written"} 298' in numbers
    address = re.search(r"dashboard: (\S+)", serving.log.read_text())
    assert address is not None
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(address[1], timeout=10) as answer:
        page = answer.read().decode()
    assert "shop-orders" in page
    assert "did you mean &#x27;volume&#x27;?" in page


@pytest.mark.slow
def test_s9_a_key_that_was_given_is_not_printed(tmp_path: Path) -> None:
    inside = tmp_path / "integrations"
    inside.mkdir()
    serving = Serving(tmp_path, SYNCLINE_DASHBOARD_TOKEN="canary-of-the-dashboard")
    try:
        serving.until(lambda: "dashboard: http://127.0.0.1:" in serving.log.read_text())
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(f"http://127.0.0.1:{serving.port}/?token=canary-of-the-dashboard", timeout=10) as answer:
            assert "no integration file" in answer.read().decode()
    finally:
        assert serving.terminate()[0] == 0
    assert "canary" not in serving.log.read_text()


ALERTED = """\
name: failing
schedule: every 1 second
source: {{kind: rest, base_url: "http://127.0.0.1:{port}", retry: {{attempts: 1}}}}
streams: [{{name: orders, path: /orders, primary_key: id}}]
destination: {{kind: sql, url: "sqlite:///failing.db"}}
alerts: [{{to: "${{HOOK}}", on: [failed]}}]
"""


@pytest.mark.slow
def test_who_has_to_know_is_told_and_told_when_it_is_over(tmp_path: Path, answering: Answering) -> None:
    inside = tmp_path / "integrations"
    inside.mkdir()
    receiver = Receiver()
    inside.joinpath(".env").write_text(f"HOOK=http://{receiver.place}/hook\n")
    inside.joinpath("failing.yaml").write_text(ALERTED.format(port=9))
    serving = Serving(tmp_path)
    try:
        serving.until(lambda: receiver.got)
        told = [receiver.got[0][1]]
        assert (told[0]["integration"], told[0]["alert"], told[0]["status"]) == ("failing", "failed", "firing")
        inside.joinpath("failing.yaml").write_text(
            ALERTED.format(port=urlsplit(answering(lambda call: answered([{"id": 1}]))).port)
        )
        serving.until(lambda: len(receiver.got) > 1)
        told.append(receiver.got[1][1])
        assert (told[1]["status"], told[1]["key"]) == ("resolved", told[0]["key"])
        serving.until(lambda: [line["resolved"] for line in serving.lines("alert_told")] == [False, True])
        assert serving.terminate()[0] == 0
    finally:
        receiver.close()
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.wait()


def check_what_it_leaves(place: Path) -> None:
    reports = sorted(place.glob(".syncline/runs/shop-orders/*/run.json"))
    assert reports
    report = json.loads(reports[0].read_text())
    assert (report["version"], report["integration"], report["status"]) == (1, "shop-orders", "done")
    account = report["account"]
    assert account["read"] == sum(
        account[name] for name in ("written", "unchanged", "rejected", "filtered", "in_doubt")
    )
    lines = [json.loads(line) for line in place.joinpath(".syncline/logs/shop-orders.jsonl").read_text().splitlines()]
    assert {report["run_id"]} <= {line.get("run_id") for line in lines}
    for file in place.joinpath(".syncline").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.slow
def test_r33_a_run_in_progress_comes_to_its_checkpoint(tmp_path: Path) -> None:
    shop = ShopProcess("--calm", "--orders", "5000")
    try:
        inside = tmp_path / "integrations"
        inside.mkdir()
        changes = {"every 15 minutes": "every 1 second", "rate_limit: 500/s": "rate_limit: 5/s"}
        write_files(inside, shop.ready, **changes)
        serving = Serving(tmp_path, "--log-level", "debug")
        serving.until(lambda: len(serving.lines("batch_written")) >= 2)
        code, seconds = serving.terminate()
        assert (code, seconds < 10) == (0, True), serving.log.read_text()
        (finished,) = serving.lines("run_finished")
        assert finished["status"] == "interrupted"
        with sqlite3.connect(tmp_path / "shop.db") as database:
            rows = database.execute("SELECT count(*) FROM orders").fetchone()[0]
            (status,) = database.execute("SELECT status FROM sync_state").fetchone()
        assert 0 < rows < 5000
        assert status == "idle"
    finally:
        shop.close()


@pytest.mark.slow
def test_s9_a_run_leaves_its_report_and_log_without_secrets(folder: Path, shop: ShopProcess) -> None:
    assert syncline("run", "shop.yaml", cwd=folder).returncode == 0
    (report,) = folder.glob(".syncline/runs/shop-orders/*/run.json")
    log = folder.joinpath(".syncline/logs/shop-orders.jsonl").read_text()
    for text in (report.read_text(), log):
        assert shop.ready["client_secret"] not in text
    assert next(json.loads(line)["event"] for line in log.splitlines()) == "run_started"


@pytest.mark.slow
def test_what_is_due_next_is_listed(folder: Path) -> None:
    done = syncline("schedule", "list", "shop.yaml", "--json", cwd=folder)
    (one,) = json.loads(done.stdout)["integrations"]
    assert (one["integration"], one["schedule"], len(one["next"])) == ("shop-orders", "every 15 minutes", 3)
    syncline("schedule", "pause", "shop-orders", cwd=folder)
    assert "paused" in syncline("schedule", "list", "shop.yaml", cwd=folder).stdout
    syncline("schedule", "resume", "shop-orders", cwd=folder)
    assert "paused" not in syncline("schedule", "list", "shop.yaml", cwd=folder).stdout
    refused = syncline("schedule", "pause", "../x", cwd=folder)
    assert (refused.returncode, "is no integration's name" in refused.stderr) == (2, True)
