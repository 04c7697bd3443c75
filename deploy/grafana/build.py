"""Writes syncline.json, the dashboard for Grafana: `python deploy/grafana/build.py`. A test fails when they disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ALL_STALE = "count(syncline_freshness_seconds > on(integration) syncline_freshness_target_seconds) or vector(0)"
PICK = '{integration=~"$integration"}'

PANELS: tuple[tuple[str, str, str, str, int, str], ...] = (
    # kind, title, query, legend, width of 24, unit
    ("stat", "Integrations", "count(syncline_paused)", "", 4, "short"),
    ("stat", "Running now", "sum(syncline_run_in_progress)", "", 4, "short"),
    ("stat", "Stale", ALL_STALE, "", 4, "short"),
    ("stat", "Records written, 24 h", 'sum(increase(syncline_records_total{outcome="written"}[24h]))', "", 4, "short"),
    ("stat", "Rejected, 24 h", 'sum(increase(syncline_records_total{outcome="rejected"}[24h]))', "", 4, "short"),
    ("stat", "Failed runs, 24 h", 'sum(increase(syncline_runs_total{status="failed"}[24h])) or vector(0)', "", 4, "short"),
    ("timeseries", "Age of the data, as a share of its target",
     f"syncline_freshness_seconds{PICK} / on(integration) syncline_freshness_target_seconds{PICK}",
     "{{integration}}", 12, "percentunit"),
    ("timeseries", "Records by outcome",
     'sum by (outcome) (rate(syncline_records_total{integration=~"$integration", outcome!="read"}[$__rate_interval]))',
     "{{outcome}}", 12, "rps"),
    ("timeseries", "Runs by status",
     f"sum by (status) (increase(syncline_runs_total{PICK}[$__rate_interval]))", "{{status}}", 12, "short"),
    ("timeseries", "Requests by status",
     f"sum by (status) (rate(syncline_http_requests_total{PICK}[$__rate_interval]))", "{{status}}", 12, "reqps"),
    ("timeseries", "Time to an answer, 95th percentile",
     "histogram_quantile(0.95, sum by (integration, le) "
     f"(rate(syncline_http_request_duration_seconds_bucket{PICK}[$__rate_interval])))", "{{integration}}", 12, "s"),
    ("timeseries", "Waiting for limits",
     f"rate(syncline_rate_limit_wait_seconds_total{PICK}[$__rate_interval])", "{{integration}}", 12, "percentunit"),
    ("timeseries", "Quota left", f"syncline_quota_remaining_ratio{PICK}", "{{integration}}", 12, "percentunit"),
    ("timeseries", "Circuit breakers open",
     'syncline_circuit_state{integration=~"$integration", state="open"}', "{{integration}}", 12, "short"),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    panels, left, top = [], 0, 0
    for number, (kind, title, query, legend, width, unit) in enumerate(PANELS, 1):
        height = 4 if kind == "stat" else 8
        if left + width > 24:
            left, top = 0, top + (4 if PANELS[number - 2][0] == "stat" else 8)
        place = {"h": height, "w": width, "x": left, "y": top}
        target = {"datasource": SOURCE, "expr": query, "legendFormat": legend, "refId": "A", "instant": kind == "stat"}
        panels.append(
            {
                "id": number,
                "type": kind,
                "title": title,
                "datasource": SOURCE,
                "gridPos": place,
                "targets": [target],
                "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            }
        )
        left += width
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        {
            "name": "integration",
            "type": "query",
            "datasource": SOURCE,
            "query": "label_values(syncline_paused, integration)",
            "multi": True,
            "includeAll": True,
            "refresh": 2,
            "current": {"text": "All", "value": "$__all"},
            "label": "Integration",
        },
    ]
    return {
        "uid": "syncline",
        "title": "Syncline",
        "tags": ["syncline"],
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": variables},
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    HERE.joinpath("syncline.json").write_text(text(), encoding="utf-8")
