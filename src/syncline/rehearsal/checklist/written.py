"""The lines about what is written down: logs, secrets, alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.rehearsal.checklist.findings import Findings, many, some
from syncline.rehearsal.checklist.line import Line, failed, held, not_applicable, not_tried
from syncline.rehearsal.checklist.traces import parsed
from syncline.secrets import references

WIDEST = 160


def logs(found: Findings) -> Line:
    """Every line is an object with the run's id, and every answered request with the id that the API gave it."""
    if found.trace.listener is None:
        return not_tried("logs", "nobody listened")
    lines = parsed(found.trace.lines)
    broken = sum(not {"timestamp", "level", "event"} <= set(line) for line in lines)
    nameless = sum(not line.get("run_id") or not line.get("integration") for line in lines)
    runs = sum(len(act.passes) for act in found.trace.played)
    ids = {line["run_id"] for line in lines if line.get("run_id")}
    answers = [line for line in lines if line.get("event") == "request_sent" and _whole(line)]
    unnamed = sum(not line.get("request_id") for line in answers)
    wrong = []
    if broken:
        wrong.append(f"{broken} of {len(lines)} lines are no structured line with timestamp, level and event")
    if nameless:
        wrong.append(f"{nameless} of {len(lines)} lines do not say which run they belong to")
    if len(ids) != runs:
        wrong.append(f"{runs} runs, and {len(ids)} different run ids in their logs")
    if not answers:
        wrong.append("no request is logged")
    if unnamed:
        wrong.append(
            f"{unnamed} of {len(answers)} whole answers are logged without the request id that the API gave them"
        )
    if wrong:
        return failed("logs", *wrong)
    shown = next(line for line in found.trace.lines if '"request_id"' in line)
    return held(
        "logs",
        f"{len(lines):,} lines of JSON from {runs} runs, each with its run_id; {len(answers):,} of {len(answers):,} answers with "
        f"the API's request id",
        shown if len(shown) <= WIDEST else shown[: WIDEST - 1] + "…",
    )


def _whole(line: Mapping[str, Any]) -> bool:
    return bool(line.get("status")) and not line.get("error")


def secrets(found: Findings) -> Line:
    """Made-up secrets are found in nothing that was written."""
    trace = found.trace
    names = sorted({name for _, reference in references(found.integration) for name in reference.names()})
    if trace.leaks:
        return failed("secrets", *some(trace.leaks), fix="report this: it is a mistake in Syncline")
    if not trace.secrets:
        return held(
            "secrets", "a run needs none, and the file holds none: a literal in a secret's place would not load"
        )
    places = ", ".join(many(count, kind) for kind, count in trace.places.items())
    return held(
        "secrets",
        f"the file holds {many(len(names), 'reference')} and no value: {', '.join(names[:5])}{'…' if len(names) > 5 else ''}",
        f"{many(len(trace.secrets), 'made-up secret')} looked for in {places} ({trace.bytes / 1e6:.1f} MB): found in none",
    )


def alerts(found: Findings) -> Line:
    """Somebody is told when it fails."""
    integration = found.integration
    if not integration.alerts:
        if integration.schedule is None:
            return not_applicable("alerts", "it has no schedule: whoever starts it sees how it ends")
        return failed(
            "alerts",
            f"it runs {integration.schedule}, and nobody is told when it fails",
            fix='alerts: [{to: "${SLACK_WEBHOOK}", on: [failed]}]',
        )
    if not any("failed" in alert.on for alert in integration.alerts):
        kinds = sorted({kind for alert in integration.alerts for kind in alert.on})
        return failed("alerts", f"nobody is told when it fails, only of: {', '.join(kinds)}", fix="on: [failed]")
    told = "; ".join(f"{', '.join(alert.on)} to {_shown(alert.to)}" for alert in integration.alerts)
    return held("alerts", f"{many(len(integration.alerts), 'alert')}: {told}")


def _shown(to: object) -> str:
    text = str(to)
    return text if text.startswith("${") else f"{text.partition(':')[0]}:…"
