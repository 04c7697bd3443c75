"""An integration, or some of its streams, as a task."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from airflow_syncline.hook import SynclineHook

NEEDS_A_PERSON = (2, 4)
"""Exit codes that no other try changes: a mistake in the file, credentials."""
PARTIAL, DEFERRED, HELD = 5, 6, 75


class SynclineOperator(BaseOperator):
    """Run an integration to its end, in a process of its own; returns the run's report.

    `file` is the integration's; `streams` names those to run (default: all), and `full` reads everything anew. The process has
    this one's variables, those of `connections` (`{"SHOP": "shop_api"}`: see SynclineHook) and of `environment`, which is
    templated; it starts in `cwd`, to which relative paths and the state (`.syncline/`) refer: a folder that every worker sees,
    where no database keeps them. `assets` names what a stream writes: `{"orders": Asset("postgres://db/shop/orders")}` tells
    Airflow of each, with the counts of that stream. `program` is Syncline's where it has an environment of its own.

    A run that failed is tried again as `retries` says, but not where a person has to do something (exit 2 and 4, and 5 unless
    `allow_partial`). What the API puts off (6) is rescheduled for the time that it named. While somebody else runs the same
    (75), this is skipped.
    """

    template_fields: Sequence[str] = ("file", "streams", "environment", "cwd")
    ui_color: str = "#d9ead3"

    def __init__(
        self,
        *,
        file: str,
        streams: Sequence[str] = (),
        full: bool = False,
        connections: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        assets: Mapping[str, Asset] | None = None,
        allow_partial: bool = False,
        cwd: str | None = None,
        program: str | None = None,
        **rest: Any,
    ) -> None:
        self.assets = dict(assets or {})
        rest["outlets"] = [*rest.get("outlets", ()), *self.assets.values()]
        super().__init__(**rest)
        self.file = file
        self.streams = list(streams)
        self.full = full
        self.connections = dict(connections or {})
        self.environment = dict(environment or {})
        self.allow_partial = allow_partial
        self.cwd = cwd
        self.program = program

    _process: subprocess.Popen[str] | None = None
    _killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """The report of the run, as `syncline run --json` prints it. Raises what makes Airflow fail, retry, wait or skip."""
        code, report = self._run()
        if code == 0 or (code == PARTIAL and self.allow_partial):
            self._tell_assets(context, report)
            return report
        context["ti"].xcom_push(key="return_value", value=report)
        raise outcome(code, report, self.file)

    def on_kill(self) -> None:
        """Let the run come to its checkpoint: ten seconds at most, also where Airflow kills this process before."""
        self._killed = True
        if self._process is not None:
            self._process.terminate()

    def _run(self) -> tuple[int, dict[str, Any]]:
        words = [self.program or _program(), "run", self.file, "--json", "--no-progress", "--log-format", "json"]
        words += [f"--stream={name}" for name in self.streams] + ["--full"] * self.full
        environment = os.environ | SynclineHook(self.connections).environment() | self.environment
        with tempfile.TemporaryFile("w+") as answer:
            self._process = subprocess.Popen(
                words,
                cwd=self.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # who kills this process does not kill the run in the middle of a page
            )
            if self._killed:
                self._process.terminate()
            assert self._process.stderr is not None
            self._log(self._process.stderr)
            code = self._process.wait()
            answer.seek(0)
            return code, _report(answer.read())

    def _log(self, lines: IO[str]) -> None:
        for line in lines:
            try:
                level = json.loads(line)["level"]
            except (ValueError, LookupError, TypeError):
                level = "info"
            self.log.log(logging.getLevelNamesMapping().get(str(level).upper(), logging.INFO), "%s", line.rstrip())

    def _tell_assets(self, context: Context, report: dict[str, Any]) -> None:
        accounts = {stream["name"]: stream["account"] for stream in report["streams"]}
        for name, asset in self.assets.items():
            context["outlet_events"][asset].extra = {"run_id": report["run_id"], **accounts.get(name, {})}


def outcome(code: int, report: dict[str, Any], file: str) -> AirflowException:
    """What Airflow is to be told of a run that did not end well."""
    said = _said(report) or f"syncline run {file} left with {code}"
    if code == HELD:
        return AirflowSkipException(said)
    if code == DEFERRED and report.get("until"):
        return AirflowRescheduleException(datetime.fromisoformat(report["until"]))
    if code in (*NEEDS_A_PERSON, PARTIAL):
        return AirflowFailException(said)
    return AirflowException(said)


def _program() -> str:
    beside = Path(sys.executable).with_name("syncline")
    found = str(beside) if beside.exists() else shutil.which("syncline")
    if found is None:
        raise AirflowFailException(
            "syncline is neither installed beside Airflow nor on PATH: give its place as `program`"
        )
    return found


def _report(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:  # killed before it could say anything
        return {}


def _said(report: dict[str, Any]) -> str:
    """The first error in the report: of the run, or of a stream, with what to do."""
    for part in (report, *report.get("streams", ())):
        if error := part.get("error"):
            return f"{error['code']}: {error['what']}" + (f" – {error['hint']}" if error.get("hint") else "")
    return ""
