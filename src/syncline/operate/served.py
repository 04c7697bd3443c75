"""One integration that a server runs: when it is due, and what became of its runs."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from syncline.engine import Report
from syncline.secrets import redactor
from syncline.spec import Alert, Integration, Schedule

KEPT = 60
"""Runs that are remembered of each integration."""
LONGEST_PAUSE = 300.0
"""Seconds from one failed realtime run to the next, however many failed before."""


def redacted(report: Report) -> Report:
    """The report without any known secret in its texts: as it is shown and kept."""
    return Report.from_data(redactor.data(report.to_data()))


class Running(msgspec.Struct, kw_only=True):
    """A run under way; setting `stop` brings it to its next checkpoint and to its end."""

    stop: asyncio.Event
    since: datetime


class Served(msgspec.Struct, kw_only=True):
    """A file of the folder. `due` is when it runs next; `past` are its runs, the newest last."""

    path: Path
    integration: Integration | None = None
    label: str = ""
    """The integration's name in the file as it could last be read."""
    mistake: dict[str, Any] | None = None
    due: datetime | None = None
    wanted: bool = False
    paused: bool = False
    running: Running | None = None
    alerts: tuple[Alert, ...] = ()
    """Of the file as it was when it could last be read: a broken file has to be told too."""
    past: list[Report] = []
    known_as: str = ""
    """The name whose past this is."""
    gone: bool = False

    @property
    def name(self) -> str:
        return self.label or self.path.stem

    @property
    def schedule(self) -> Schedule | None:
        return self.integration.schedule if self.integration is not None else None

    @property
    def priority(self) -> int:
        return self.schedule.priority if self.schedule is not None else 0

    def ready(self, now: datetime) -> bool:
        """Whether it is to run now; never while it runs."""
        if self.running is not None or self.integration is None or self.gone:
            return False
        return self.wanted or (self.due is not None and self.due <= now and not self.paused)

    def plan_first(self, now: datetime) -> None:
        """Set `due` at the start: at once where a run was missed, else at the next time that the schedule names."""
        schedule, last = self.schedule, self.past[-1] if self.past else None
        if schedule is None:
            self.due = None
        elif last is not None and last.until is not None and last.until > now:
            self.due = last.until
        elif schedule.realtime or (schedule.catch_up and last is not None and schedule.after(last.started_at) <= now):
            self.due = now
        else:
            self.plan(now)

    def plan(self, moment: datetime) -> None:
        """Set `due` to the schedule's first time after this moment, later by a chance that is the same after a restart."""
        schedule = self.schedule
        if schedule is None:
            self.due = None
            return
        due = schedule.after(moment)
        if schedule.realtime:
            due = moment + min((due - moment) * 2 ** min(self.failures, 10), timedelta(seconds=LONGEST_PAUSE))
        if schedule.jitter:
            chance = random.Random(f"{self.name} {due.isoformat()}").random()  # noqa: S311 – it spreads load
            due += timedelta(seconds=schedule.jitter * chance)
        self.due = due

    def done(self, report: Report, now: datetime) -> None:
        """Remember a run. What the API put off goes on when the API said; times that passed meanwhile are passed over."""
        self.running = None
        self.past = [*self.past, redacted(report)][-KEPT:]
        self.plan(now)
        if report.until is not None and report.until > now:
            self.due = report.until

    def resume(self, now: datetime) -> None:
        self.paused = False
        if self.due is not None and self.due <= now and self.schedule is not None and not self.schedule.catch_up:
            self.plan(now)

    @property
    def failures(self) -> int:
        """How many runs have failed in a row, up to the last."""
        count = 0
        for report in reversed(self.past):
            if report.status != "failed":
                break
            count += 1
        return count

    @property
    def fresh_at(self) -> datetime | None:
        """When the data was last brought up to date."""
        for report in reversed(self.past):
            if report.status == "done":
                return report.finished_at
        return None
