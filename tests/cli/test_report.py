"""`syncline report` and `syncline logs`: what a run did, afterwards."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from syncline.cli import main
from syncline.cli.verbs.logs import Tail
from tests.cli.conftest import ShopProcess, command, environment


@pytest.fixture
def ran(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(folder)
    assert main(["run", "shop.yaml", "--no-progress", "--report", "now.html"]) == 0
    capsys.readouterr()
    return folder


def test_u15_the_last_run_is_reported_as_text_json_and_page(
    ran: Path, shop: ShopProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "shop.yaml"]) == 0
    assert "adds up" in capsys.readouterr().out
    assert main(["report", "shop.yaml", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert main(["report", "shop.yaml", report["run_id"][:6], "-o", "then.html"]) == 0
    assert ran.joinpath("then.html").read_text() == ran.joinpath("now.html").read_text()
    page = ran.joinpath("now.html").read_text()
    assert "300 read = 298 written + 0 unchanged + 2 rejected" in page
    assert shop.ready["client_secret"] not in page
    (kept,) = ran.glob(".syncline/runs/shop-orders/*/run.json")
    assert json.loads(kept.read_text()) == report


def test_u14_all_of_a_folder_is_shown_in_one_file(
    ran: Path, shop: ShopProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.joinpath("broken.yaml").write_text("name: broken\n")
    assert main(["dashboard", ".", "-o", "all.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": "all.html", "integrations": 2}
    page = ran.joinpath("all.html").read_text()
    for said in ("shop-orders", "broken", "is missing", "298", "Open rejects", "customer.email", "run_finished"):
        assert said in page, said
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert shop.ready["client_secret"] not in page
    assert main(["dashboard", "nowhere"]) == 2


def test_a_run_that_is_not_there_is_told(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "shop.yaml", "zzz"]) == 2
    assert "there is no run 'zzz' of shop-orders" in capsys.readouterr().err


def test_log_lines_are_shown_by_name_file_level_and_run(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "shop-orders", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "run_started"
    run_id = lines[0]["run_id"]
    assert {line["run_id"] for line in lines} == {run_id}
    assert main(["logs", "shop.yaml", "-n", "2", "--run", run_id[:4]]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert "run_finished" in shown[-1]
    assert main(["logs", "shop.yaml", "--level", "error"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["logs", "stranger"]) == 2
    assert "there is: shop-orders" in capsys.readouterr().err


def test_a_file_that_grows_is_read_on_from_where_the_last_look_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tail = Tail(path)
    assert tail.fresh() == []
    path.write_bytes(b'{"event": "one"}\n{"event": "ha')
    assert tail.fresh() == [{"event": "one"}]
    with path.open("ab") as log:
        log.write(b'lf"}\nnot json\n')
    assert tail.fresh() == [{"event": "half"}]
    assert tail.fresh() == []
    path.write_bytes(b'{"event": "anew"}\n')  # set aside, and begun again
    assert tail.fresh() == [{"event": "anew"}]


@pytest.mark.slow
def test_followed_lines_come_as_they_are_written(ran: Path) -> None:
    words = command("logs", "shop-orders", "-f", "-n", "1", "--json")
    following = subprocess.Popen(words, cwd=ran, env=environment(), stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(30, following.kill)
    watchdog.start()
    try:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event"] == "run_finished"
        with ran.joinpath(".syncline/logs/shop-orders.jsonl").open("a") as log:
            log.write('{"level": "info", "event": "half_line"}\n')
        assert json.loads(following.stdout.readline())["event"] == "half_line"
    finally:
        watchdog.cancel()
        following.kill()
        following.communicate()
