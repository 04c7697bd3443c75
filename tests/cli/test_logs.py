"""Log lines, and what is never in them."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncline import events
from syncline.cli.logs import log_listener
from syncline.operate.log_lines import without_query
from syncline.secrets import Redactor
from tests.cli.conftest import command, environment

SCOPE = events.Scope(run_id="r1", integration="shop", stream="orders")
CANARY = "canary-0123456789"


def sent(**more: Any) -> events.RequestSent:
    fields: dict[str, Any] = {
        "method": "GET",
        "url": "http://x/",
        "status": 200,
        "attempt": 1,
        "seconds": 0.5,
        "size": 10,
    }
    return events.RequestSent(**{**fields, **more})


def lines(level: str, *happened: events.Event, known: Redactor | None = None) -> list[dict[str, Any]]:
    stream = io.StringIO()
    listen = log_listener("json", level, stream, known=known or Redactor(), now=lambda: "now")
    for event in happened:
        listen(SCOPE, event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_what_happened_and_what_it_belongs_to() -> None:
    (line,) = lines("debug", sent(attempt=2, request_id="abc-1"))
    assert line == {
        "timestamp": "now", "level": "debug", "event": "request_sent", "run_id": "r1", "integration": "shop", "stream": "orders",
        "method": "GET", "url": "http://x/", "status": 200, "attempt": 2, "seconds": 0.5, "size": 10, "request_id": "abc-1",
    }  # fmt: skip
    assert list(line)[:3] == ["timestamp", "level", "event"]


def test_levels_choose_what_is_written() -> None:
    happened = [
        sent(),
        events.StreamStarted(sync_mode="incremental", cursor=None, resumed=False),
        sent(status=503, error="server"),
        events.RunFinished(status="failed", seconds=1.0),
    ]
    assert [line["level"] for line in lines("debug", *happened)] == ["debug", "info", "warning", "error"]
    assert [line["level"] for line in lines("warning", *happened)] == ["warning", "error"]
    assert [line["event"] for line in lines("error", *happened)] == ["run_finished"]


@pytest.mark.parametrize("format", ["json", "pretty"])
def test_s9_no_query_no_user_information_no_secret_in_any_line(format: str) -> None:
    known, stream = Redactor(), io.StringIO()
    known.add(CANARY)
    listen = log_listener(format, "debug", stream, known=known)
    listen(SCOPE, sent(url=f"https://user:{CANARY}@x.example/a?key={CANARY}#f", error=f"refused {CANARY}"))
    listen(SCOPE, events.Noticed(what=f"the token {CANARY} ends", hint=CANARY))
    listen(events.Scope(run_id="r", stream=CANARY), events.RunStarted(streams=(CANARY,)))
    shown = stream.getvalue()
    assert shown.count("\n") == 3
    assert "https://x.example/a" in shown
    assert "***" in shown
    assert CANARY not in shown
    assert "key=" not in shown


def test_pretty_lines_write_times_as_people_do() -> None:
    stream = io.StringIO()
    due = datetime(2026, 1, 1, 2, tzinfo=UTC)
    log_listener("pretty", "info", stream)(SCOPE, events.FileRead(file="shop.yaml", schedule="daily at 02:00", due=due))
    assert "2026-01-01T02:00:00+00:00" in stream.getvalue()
    assert "datetime" not in stream.getvalue()


def test_pretty_lines_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    log_listener("pretty", "info", stream)(SCOPE, events.Noticed(what="\x1b[2J"))
    assert "\x1b" not in stream.getvalue()


def test_addresses_lose_what_may_be_secret() -> None:
    assert without_query("https://a:b@x.example:8/p/q?r=s#t") == "https://x.example:8/p/q"
    assert without_query("https://x.example/p@q") == "https://x.example/p@q"


def test_a_run_whose_log_nobody_reads_any_more_goes_on(folder: Path) -> None:
    with subprocess.Popen(
        command("run", "shop.yaml", "--json", "--log-format", "json"),
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stderr.close()
        report = json.loads(run.stdout.read())
    assert (run.returncode, report["status"]) == (0, "done")
