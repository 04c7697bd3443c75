"""Read by Airflow: what the operator makes of every way in which a run can end. The programs are the test's."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow_syncline.operator import SynclineOperator

PROGRAMS = Path(os.environ["TEST_PROGRAMS"])
FILE = os.environ["SHOP_ORDERS_FILE"]


def task(**rest: Any) -> SynclineOperator:
    given = {"file": FILE, "cwd": os.environ["SYNCLINE_WORK"], "retries": 3, "retry_delay": timedelta(0)} | rest
    given.setdefault("program", str(PROGRAMS / "syncline"))
    return SynclineOperator(task_id="only", **given)


with DAG("no_file", schedule=None):
    task(file="nowhere.yaml", connections={"SHOP": "shop"})

with DAG("templated", schedule=None):
    # limited to a stream there is not, so that the report tells what the template became
    task(streams=["{{ dag.dag_id }}"], connections={"SHOP": "shop"})

for ending in ("held", "deferred", "flaky", "partial"):
    with DAG(ending, schedule=None):
        task(program=str(PROGRAMS / ending))

with DAG("partial_allowed", schedule=None):
    task(program=str(PROGRAMS / "partial"), allow_partial=True)

with DAG("killed", schedule=None):
    task(program=str(PROGRAMS / "killer"), connections={"SHOP": "slow"}, cwd=os.environ["KILLED_WORK"], retries=0)

with DAG("after_the_kill", schedule=None):
    task(connections={"SHOP": "slow"}, cwd=os.environ["KILLED_WORK"])

with DAG("database", schedule=None):
    task(
        program=str(PROGRAMS / "variables"),
        connections={"WAREHOUSE": "warehouse"},
        environment={"DAY": "{{ dag.dag_id }}"},
    )
