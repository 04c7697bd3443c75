"""Metrics: counted from events, accepted by Prometheus's own tool, and complete where rules and dashboard ask for them."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from syncline import events
from syncline.engine import Report
from syncline.operate.metrics import Metrics
from syncline.operate.monitor import Monitor
from syncline.operate.served import Served
from syncline.spec import loads
from tests.support.services import cannot

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SCOPE = events.Scope(run_id="r", integration="shop", stream="orders")
FILE = """\
name: shop
schedule: every 15 minutes
source: {kind: rest, base_url: https://api.shop.example}
streams: [{name: orders, path: /orders, primary_key: id}]
destination: {kind: sql, url: "sqlite:///shop.db"}
"""


def sent(status: int = 200, seconds: float = 0.2) -> events.RequestSent:
    return events.RequestSent(
        method="GET", url="https://x/?key=canary", status=status, attempt=1, seconds=seconds, size=100
    )


HAPPENED: list[events.Event] = [
    events.RunStarted(streams=("orders",)),
    events.TokenObtained(reason="first use"),
    sent(),
    sent(503, 0.04),
    sent(429, 40.0),
    events.RetryScheduled(attempt=1, seconds=1.0, reason="503"),
    events.Waiting(seconds=2.5, reason="429", until=NOW),
    events.PageRead(number=1, records=10, total=None),
    events.SchemaChanged(table="orders", change="add column x"),
    events.BatchWritten(written=7, unchanged=1, rejected=2, filtered=0),
    events.CircuitChanged(state="open", reason="503"),
    events.QuotaLeft(ratio=0.25),
    events.CredentialEnding(credential="token", ends_at=NOW + timedelta(days=1)),
    events.AlertTold(alert="failed", address="https://x"),
    events.AlertUndelivered(alert="failed", address="https://x", reason="no"),
    events.RunFinished(status="failed", seconds=12.5),
]


@pytest.fixture
def text() -> str:
    monitor = Monitor()
    metrics = Metrics(monitor)
    with events.listening(monitor, metrics), events.within(run_id="r", integration="shop", stream="orders"):
        for event in HAPPENED:
            events.emit(event)
    done = Report(run_id="r", integration="shop", started_at=NOW, finished_at=NOW - timedelta(minutes=5))
    hostile = Served(path=Path("x.yaml"), label='odd"\\\nname', mistake={"what": "no"})
    one = Served(
        path=Path("shop.yaml"), label="shop", integration=loads(FILE), past=[done], due=NOW + timedelta(minutes=10)
    )
    return metrics.text([one, hostile], NOW)


@pytest.mark.parametrize(
    "line",
    [
        'syncline_records_total{integration="shop",stream="orders",outcome="written"} 7',
        'syncline_records_total{integration="shop",stream="orders",outcome="read"} 10',
        'syncline_http_requests_total{integration="shop",method="GET",status="503"} 1',
        'syncline_http_request_duration_seconds_bucket{integration="shop",method="GET",le="0.05"} 1',
        'syncline_http_request_duration_seconds_bucket{integration="shop",method="GET",le="30"} 2',
        'syncline_http_request_duration_seconds_bucket{integration="shop",method="GET",le="+Inf"} 3',
        'syncline_http_request_duration_seconds_count{integration="shop",method="GET"} 3',
        'syncline_rate_limit_wait_seconds_total{integration="shop"} 2.5',
        'syncline_token_refresh_total{integration="shop"} 1',
        'syncline_freshness_seconds{integration="shop"} 300',
        'syncline_freshness_target_seconds{integration="shop"} 2250',
        'syncline_circuit_state{integration="shop",state="open"} 1',
        'syncline_circuit_state{integration="shop",state="closed"} 0',
        'syncline_quota_remaining_ratio{integration="shop"} 0.25',
        'syncline_runs_total{integration="shop",status="failed"} 1',
        'syncline_file_broken{integration="odd\\"\\\\\\nname"} 1',
    ],
)
def test_what_happened_is_counted(text: str, line: str) -> None:
    assert line in text.splitlines()


def test_s9_no_address_is_in_the_metrics(text: str) -> None:
    assert "canary" not in text
    assert "https://" not in text


def test_an_api_cannot_make_more_and_more_series() -> None:
    metrics = Metrics(Monitor())
    for number in range(5_000):
        metrics(SCOPE, msgspec.structs.replace(sent(), method=f"M{number}"))
    assert metrics.text([], NOW).count("syncline_http_requests_total{") == 2_000


def promtool(*words: str, given: str = "") -> str:
    tool = shutil.which("promtool")
    if tool is None:
        cannot("promtool is not installed (Debian package prometheus)")
    done = subprocess.run([str(tool), *words], input=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_accepts_the_metrics(text: str) -> None:
    assert promtool("check", "metrics", given=text).strip() == ""


def test_prometheus_accepts_the_alert_rules() -> None:
    assert "10 rules found" in promtool("check", "rules", str(DEPLOY / "prometheus/syncline.rules.yml"))


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bsyncline_[a-z_]+", text))


def test_rules_and_dashboard_ask_for_what_there_is(text: str) -> None:
    there_is = {
        name for line in text.splitlines() if not line.startswith("#") for name in names_in(line.partition("{")[0])
    }
    asked = names_in(DEPLOY.joinpath("prometheus/syncline.rules.yml").read_text())
    asked |= names_in(DEPLOY.joinpath("grafana/syncline.json").read_text())
    assert asked - there_is == set()
    assert len(asked) > 12


def test_every_metric_is_described(text: str) -> None:
    page = ROOT.joinpath("docs/how-to/metrics.md").read_text()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told - set(re.findall(r"`([a-z_]+)`", page)) == set()


def test_the_dashboard_for_grafana_is_what_its_builder_writes() -> None:
    built = runpy.run_path(str(DEPLOY / "grafana/build.py"))["text"]()
    assert DEPLOY.joinpath("grafana/syncline.json").read_text() == built
    panels = json.loads(built)["panels"]
    for one in panels:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
    corners = {(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}
    assert len(corners) == len(panels)
