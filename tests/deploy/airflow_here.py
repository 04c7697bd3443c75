"""Run by Airflow's own Python: DAGs of the folder, once each; prints what became of them as a line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.providers_manager import ProvidersManager
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def ran(dag: DAG) -> dict[str, Any]:
    run = dag.test()
    return {
        one.task_id: {"state": str(one.state), "value": one.xcom_pull(task_ids=one.task_id), "try": one.try_number}
        for one in run.get_task_instances()
    }


initdb()
bag = DagBag(sys.argv[1])
if bag.import_errors:
    sys.exit(str(bag.import_errors))
told: dict[str, Any] = {name: ran(bag.dags[name]) for name in sys.argv[2:]}
with create_session() as session:
    told["events"] = [{"uri": event.asset.uri, "extra": event.extra} for event in session.scalars(select(AssetEvent))]
    told["queued"] = [queued.target_dag_id for queued in session.scalars(select(AssetDagRunQueue))]
told["connection"] = ProvidersManager().hooks["syncline"].hook_name
print(json.dumps(told, default=str))
