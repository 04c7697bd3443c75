"""The verbs, end to end, as processes without a terminal."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncline.cli import main
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from syncline.spec import load
from tests.cli.conftest import PLAIN, Answering, ShopProcess, syncline, write_files
from tests.support.cost import assert_costs_at_most


def as_data(*words: str, cwd: Path, code: int = 0, **env: str) -> Any:
    done = syncline(*words, "--json", cwd=cwd, **env)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_check_says_what_is_right_and_what_it_needs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == (
        f"✓ {folder / 'shop.yaml'}: shop-orders (orders) · needs SHOP_CLIENT_ID, SHOP_CLIENT_SECRET, SHOP_URL\n"
    )


def test_check_lists_every_mistake_of_every_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "shop.yaml").read_text()
    (folder / "sub").mkdir()
    (folder / "sub/bad.yml").write_text(
        text.replace("kind: sql", "kind: sqll").replace("records: data", "record: data")
    )
    (folder / "broken.yaml").write_text("name: [x\n")
    (folder / ".hidden.yaml").write_text("nothing: here\n")
    assert main(["check", str(folder)]) == 2
    out = capsys.readouterr().out
    assert f"{folder / 'broken.yaml'}:2:1: name: a ',' or ']' is missing" in out
    assert "streams[0].record: unknown key; did you mean 'records'?" in out
    assert "destination.kind: there is no destination kind 'sqll'; did you mean 'sql'?" in out
    assert "3 mistakes in 2 of 3 files" in out
    assert "hidden" not in out
    assert main(["check", str(folder), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [file["ok"] for file in found["files"]] == [False, True, False]
    lines = (folder / "sub/bad.yml").read_text().splitlines()
    said = [lines[mistake["line"] - 1].strip() for mistake in found["files"][2]["mistakes"]]
    assert said == ["record: data", "kind: sqll"]


def test_check_of_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nothing.yaml")]) == 2
    assert "there is no file" in capsys.readouterr().out


def test_u8_fifty_files_are_checked_within_two_hundred_milliseconds(folder: Path) -> None:
    files = [folder / f"{number}.yaml" for number in range(50)]
    for number, file in enumerate(files):
        file.write_text((folder / "shop.yaml").read_text().replace("name: shop-orders", f"name: shop-{number}"))
    load(files[0])  # models are built once a process

    assert_costs_at_most(0.2, lambda: [load(file) for file in files])


def test_schema_is_json_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "streams" in schema["properties"]
    assert main(["schema", "-o", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text()) == schema
    assert main(["schema", "-o", str(tmp_path / "no/s.json")]) == 2


@pytest.mark.slow
def test_u5_preview_shows_both_sides_and_writes_nothing(folder: Path) -> None:
    before = set(folder.iterdir())
    done = syncline("preview", "shop.yaml", "-n", "3", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "3 of 300 records; nothing was written" in done.stdout
    assert done.stdout.count("source") == 3
    assert "external_id" in done.stdout
    assert set(folder.iterdir()) == before
    (stream,) = as_data("preview", "shop.yaml", "-n", "300", cwd=folder)["streams"]
    rejected = [record for record in stream["records"] if record["reason"]]
    assert all(record["path"] == "email" for record in rejected)
    assert {type(record["source"]["id"]) for record in stream["records"]} == {int}


@pytest.mark.slow
def test_status_state_and_rejects_of_a_run(tmp_path: Path, shop: ShopProcess) -> None:
    file = write_files(tmp_path, shop.ready)
    (before,) = as_data("status", "shop.yaml", cwd=tmp_path)["integrations"]
    assert before["last_run"] is None
    assert before["streams"][0]["status"] == "never run"
    assert not (tmp_path / "shop.db").exists()
    assert syncline("run", "shop.yaml", cwd=tmp_path).returncode == 0

    (after,) = as_data("status", ".", cwd=tmp_path)["integrations"]
    assert after["last_run"]["status"] == "done"
    (stream,) = after["streams"]
    assert (stream["status"], stream["items_synced"], stream["open_rejects"]) == ("idle", 298, 2)
    assert (before["freshness"]["stale"], after["freshness"]["stale"], after["freshness"]["target"]) == (
        True,
        False,
        2250,
    )
    shown = syncline("status", "shop.yaml", cwd=tmp_path, SHOP_CLIENT_SECRET="").stdout
    assert re.search(r"fresh: [\d.]+ s old of 38 min allowed · every 15 minutes, next in", shown)
    assert "2" in shown

    listed = as_data("rejects", "list", "shop.yaml", cwd=tmp_path)["rejects"]
    assert [letter["path"] for letter in listed] == ["email", "email"]
    letter = as_data("rejects", "show", "shop.yaml", str(listed[0]["id"]), cwd=tmp_path)
    assert letter["record"]["customer"]["email"] is None
    assert "customer.email" in syncline("rejects", "list", "shop.yaml", cwd=tmp_path).stdout

    again = syncline("rejects", "retry", "shop.yaml", cwd=tmp_path)
    assert again.returncode == 5
    assert "0 landed, 2 rejected again" in again.stdout
    file.write_text(
        file.read_text().replace("email: {source: customer.email, required: true, ", "email: {source: customer.email, ")
    )
    mended = as_data("rejects", "retry", "shop.yaml", "--id", str(listed[0]["id"]), cwd=tmp_path)
    assert mended == {"streams": [{"stream": "orders", "landed": 1, "rejected": 0, "in_doubt": 0}]}
    assert _count(tmp_path) == 299
    assert as_data("rejects", "drop", "shop.yaml", cwd=tmp_path) == {"dropped": [listed[1]["id"]]}
    assert as_data("rejects", "list", "shop.yaml", cwd=tmp_path) == {"rejects": []}
    statuses = [
        letter["status"] for letter in as_data("rejects", "list", "shop.yaml", "--all", cwd=tmp_path)["rejects"]
    ]
    assert statuses == ["retried", "dropped"]
    assert syncline("rejects", "drop", "shop.yaml", "--id", "999", cwd=tmp_path).returncode == 2
    assert syncline("rejects", "show", "shop.yaml", "999", cwd=tmp_path).returncode == 7


@pytest.mark.slow
def test_state_is_rewound_and_reset(tmp_path: Path, shop: ShopProcess) -> None:
    write_files(tmp_path, shop.ready)
    assert syncline("state", "reset", "shop.yaml", cwd=tmp_path).returncode == 7
    assert syncline("run", "shop.yaml", cwd=tmp_path).returncode == 0
    (shown,) = as_data("state", "show", "shop.yaml", cwd=tmp_path)["streams"]
    assert shown["cursor"] and not shown["unfinished"]
    (rewound,) = as_data("state", "rewind", "shop.yaml", "--to", "2025-01-01T00:00:00Z", cwd=tmp_path)["streams"]
    assert rewound["cursor"] == "2025-01-01T00:00:00Z"
    second = as_data("run", "shop.yaml", cwd=tmp_path)
    assert second["streams"][0]["sync_mode"] == "incremental"
    assert second["account"]["written"] == 0
    assert syncline("state", "reset", "shop.yaml", cwd=tmp_path).returncode == 0
    third = as_data("run", "shop.yaml", cwd=tmp_path)
    assert third["streams"][0]["sync_mode"] == "full_refresh"
    assert third["account"]["read"] == 300


@pytest.mark.slow
def test_run_takes_limits_streams_and_full(folder: Path) -> None:
    some = as_data("run", "shop.yaml", "--limit", "100", "--stream", "orders", cwd=folder)
    assert some["account"]["read"] == 100
    rest = as_data("run", "shop.yaml", cwd=folder)
    assert rest["streams"][0]["resumed"] is True
    assert rest["account"]["read"] == 200
    again = as_data("run", "shop.yaml", "--full", cwd=folder)
    account = {"read": 300, "written": 0, "unchanged": 298, "rejected": 2, "filtered": 0, "deleted": 0, "in_doubt": 0}
    assert again["account"] == account


@pytest.mark.slow
def test_run_logs_to_stderr_and_answers_on_stdout(folder: Path) -> None:
    done = syncline("run", "shop.yaml", "--json", "--log-format", "json", "--log-level", "debug", cwd=folder)
    report = json.loads(done.stdout)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    requests = [line for line in lines if line["event"] == "request_sent"]
    assert len(requests) == report["conduct"]["requests"]
    assert {line["run_id"] for line in lines} == {report["run_id"]}
    assert all("?" not in line["url"] for line in requests)
    assert all(line["request_id"].startswith("shop-") for line in requests if line["url"].endswith("/orders"))
    assert [line["event"] for line in lines if line["event"] != "reached"][-1] == "run_finished"


CANARY = "canary/0123456789+abc"


def echoing(status: int) -> Callable[[Call], Answer]:
    """An API that shows in its answers what it was sent."""

    def echo(call: Call) -> Answer:
        said = call.headers["Authorization"]
        document = [{"id": 1, "x": 2}] if status == 200 else {"error": said, "headers": dict(call.headers)}
        return answered(document, status, {"X-Request-Id": said})

    return echo


def run_with_canary(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    text = PLAIN.format(url=url).replace("path: /things", "path: /things\n    params: {key: '${PLAIN_TOKEN}'}")
    (folder / "plain.yaml").write_text(text)
    everything = ("--debug", "--log-format", "json", "--log-level", "debug")
    return syncline("run", "plain.yaml", *everything, *words, cwd=folder, PLAIN_TOKEN=CANARY)


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_s9_a_canary_is_not_in_logs_errors_tracebacks_or_reports(
    status: int, words: tuple[str, ...], tmp_path: Path, answering: Answering
) -> None:
    done = run_with_canary(tmp_path, answering(echoing(status)), *words)
    assert done.returncode == {200: 0, 401: 4}.get(status, 1), done.stderr
    assert "request_sent" in done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_s9_a_canary_is_not_in_the_database(status: int, tmp_path: Path, answering: Answering) -> None:
    run_with_canary(tmp_path, answering(echoing(status)))
    database = tmp_path / "plain.db"
    assert database.stat().st_size > 0
    for path in tmp_path.rglob("plain.db*"):
        assert b"canary" not in path.read_bytes(), path


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_traceback(folder: Path) -> None:
    done = subprocess.run(
        [f"{sys.executable} -m syncline.cli schema | head -c 10"],
        shell=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.stderr == ""


def _count(folder: Path) -> int:
    database = sqlite3.connect(folder / "shop.db")
    try:
        return int(database.execute("SELECT count(*) FROM orders").fetchone()[0])
    finally:
        database.close()
