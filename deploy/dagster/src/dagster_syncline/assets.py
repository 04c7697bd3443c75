"""The streams of an integration file as assets, and what a run says of each."""

# no `from __future__ import annotations`: Dagster looks at the type of `context` itself

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from syncline import Integration, Stream, load

CHECKS = {
    "no_rejects": "Every record became a row; see `syncline rejects list`",
    "nothing_in_doubt": "The fate of every record that was sent is known; see `syncline outbox list`",
}
MAY_PASS = (1, 7, 130)
"""Exit codes after which another try may help, without a person and at once."""
PATIENCE = 15.0
"""Seconds that a run may take to come to its checkpoint: ten, and some for a busy machine."""


def syncline_assets(
    file: str | Path,
    *,
    key_prefix: Sequence[str] = (),
    group_name: str | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    retry_policy: dg.RetryPolicy | None = None,
) -> dg.AssetsDefinition:
    """An asset for each stream of the file, its key the stream's name behind `key_prefix`; any of them can be materialized alone.

    Each has the file's freshness as its policy, two checks (`no_rejects`, `nothing_in_doubt`), and in its metadata what the run
    did. The run is a process of its own with this one's variables and those of `environment`; it starts in `cwd`, to which
    relative paths and the state (`.syncline/`) refer. A run that is terminated comes to its checkpoint. Raises SpecError for a
    file with a mistake.
    """
    integration, file = load(file), Path(file).resolve()
    keys = {stream.name: dg.AssetKey([*key_prefix, stream.name]) for stream in integration.streams}

    @dg.multi_asset(
        name=re.sub(r"\W", "_", integration.name),
        specs=[_spec(integration, stream, keys, group_name) for stream in integration.streams],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=text)
            for key in keys.values()
            for name, text in CHECKS.items()
        ],
        can_subset=True,
        retry_policy=retry_policy,
    )
    def assets(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        wanted = [name for name, key in keys.items() if key in context.selected_asset_keys]
        code, report = _run(context, file, wanted, os.environ | dict(environment or {}), cwd)
        for stream in report.get("streams", ()):
            if stream["status"] == "done":
                yield dg.MaterializeResult(keys[stream["name"]], metadata=_metadata(report, stream))
            yield from _checks(stream, keys[stream["name"]], context.selected_asset_check_keys)
        if code:
            raise _failure(code, report)

    return assets


def _spec(
    integration: Integration, stream: Stream, keys: Mapping[str, dg.AssetKey], group_name: str | None
) -> dg.AssetSpec:
    target = integration.target(datetime.now(UTC))
    return dg.AssetSpec(
        keys[stream.name],
        description=integration.description,
        group_name=group_name,
        deps=[keys[parent.stream] for parent in stream.parents],
        kinds={integration.destination.kind},
        metadata={"integration": integration.name, "dagster/table_name": stream.into.table or stream.name},
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(seconds=max(target, 60))) if target else None,
    )


def _run(
    context: dg.AssetExecutionContext,
    file: Path,
    streams: Sequence[str],
    environment: Mapping[str, str],
    cwd: str | Path | None,
) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "syncline.cli", "run", str(file), "--json", "--no-progress"]
    command += [f"--stream={name}" for name in streams]
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as run:
        try:
            answer, _ = run.communicate()
        except BaseException:  # Dagster ends this run: let ours come to its checkpoint
            run.terminate()
            try:
                run.wait(PATIENCE)
            finally:
                run.kill()
            raise
    try:
        report = dict(json.loads(answer))
    except ValueError:  # killed before it could say anything
        report = {}
    context.log.info("%s: %s", file.name, report.get("account"))
    return run.returncode, report


def _metadata(report: Mapping[str, Any], stream: Mapping[str, Any]) -> dict[str, Any]:
    """What the run did with this stream; counts are records, `deleted` rows."""
    told = {**stream["account"], "pages": stream["pages"], "seconds": stream["seconds"], "run_id": report["run_id"]}
    if stream["cursor"] is not None:
        told["cursor"] = str(stream["cursor"])
    return told


def _checks(
    stream: Mapping[str, Any], key: dg.AssetKey, selected: set[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    account = stream["account"]
    found = {"no_rejects": account["rejected"], "nothing_in_doubt": account["in_doubt"]}
    for name, count in found.items():
        if dg.AssetCheckKey(key, name) in selected:
            severity = dg.AssetCheckSeverity.WARN if name == "no_rejects" else dg.AssetCheckSeverity.ERROR
            yield dg.AssetCheckResult(
                passed=count == 0, asset_key=key, check_name=name, severity=severity, metadata={"records": count}
            )


def _failure(code: int, report: Mapping[str, Any]) -> dg.Failure:
    """What Dagster is to be told of a run that did not end well."""
    parts = (report, *report.get("streams", ()))
    error: dict[str, Any] = next((part["error"] for part in parts if part.get("error")), {})
    said = f"{error['code']}: {error['what']}" if error else f"syncline run left with {code}"
    if error.get("hint"):
        said += f" – {error['hint']}"
    if report.get("until"):
        said += f" – the API wants to be left alone until {report['until']}"
    metadata: dict[str, Any] = {"exit_code": code, "report": dg.MetadataValue.json(dict(report))}
    return dg.Failure(said, metadata=metadata, allow_retries=code in MAY_PASS)
