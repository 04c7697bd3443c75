"""Run by Dagster's own Python: materialize assets of a file once; prints what its event log says as a line of JSON.

`dagster_here.py FILE CWD RETRIES [STREAM…]`
"""

from __future__ import annotations

import json
import sys
from typing import Any

import dagster as dg
from dagster_syncline import syncline_assets

file, cwd, retries, *streams = sys.argv[1:]
assets = syncline_assets(
    file,
    key_prefix=["shop"],
    cwd=cwd,
    environment={"SLACK_WEBHOOK": "https://alerts.invalid/"},
    retry_policy=dg.RetryPolicy(max_retries=int(retries)) if int(retries) else None,
)
selection = [dg.AssetKey(["shop", name]) for name in streams] or None
with dg.DagsterInstance.ephemeral() as instance:
    result = dg.materialize([assets], instance=instance, selection=selection, raise_on_error=False)
    made = {
        event.asset_key.path[-1]: event.materialization.metadata for event in result.get_asset_materialization_events()
    }
    told: dict[str, Any] = {
        "success": result.success,
        "assets": {name: {key: value.value for key, value in metadata.items()} for name, metadata in made.items()},
        "checks": {
            f"{check.asset_key.path[-1]}.{check.check_name}": check.passed
            for check in result.get_asset_check_evaluations()
        },
        "failure": None,
    }
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        told["failure"] = failure.description if failure else str(event.step_failure_data.error)
    told["tries"] = 1 + sum(event.event_type == dg.DagsterEventType.STEP_RESTARTED for event in result.all_events)
told["specs"] = {
    spec.key.path[-1]: {
        "deps": [dep.asset_key.path[-1] for dep in spec.deps],
        "kinds": sorted(spec.kinds),
        "table": spec.metadata["dagster/table_name"],
        "fresh": spec.freshness_policy and spec.freshness_policy.fail_window.to_timedelta().total_seconds(),
    }
    for spec in assets.specs
}
print(json.dumps(told, default=str))
