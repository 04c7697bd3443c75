"""Many integrations in one process: one loop, connections shared, so many at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from syncline import events
from syncline.engine.report import EXIT_CODES, Report
from syncline.engine.run import arun
from syncline.errors import SynclineError
from syncline.http.pools import Pools
from syncline.model import Clock, SystemClock
from syncline.spec import Integration

AT_ONCE = 8


def run_many(
    integrations: Sequence[Integration | str | Path],
    *,
    at_once: int = AT_ONCE,
    full: bool = False,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
) -> list[Report]:
    """Run integrations to their ends and return what each did; the blocking door of `arun_many`."""
    return asyncio.run(
        arun_many(integrations, at_once=at_once, full=full, environment=environment, clock=clock, listeners=listeners)
    )


async def arun_many(
    integrations: Sequence[Integration | str | Path],
    *,
    at_once: int = AT_ONCE,
    full: bool = False,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
    stop: asyncio.Event | None = None,
) -> list[Report]:
    """Run integrations, or those in files, `at_once` of them at a time; gives their reports in the same order.

    Those that ask the same API in the same way share their connections; what is limited by `rate_limit.shared` is limited for all
    of them. An integration that cannot run has a report that says why, and stops no other. Setting `stop` makes those under way
    checkpoint and leave, and begins no others, whose reports are `interrupted`.
    """
    clock, stop = clock or SystemClock(), stop or asyncio.Event()
    reports: dict[int, Report] = {}
    waiting = iter(enumerate(integrations))

    async def work(waiting: Iterator[tuple[int, Integration | str | Path]], pools: Pools) -> None:
        for place, integration in waiting:
            begun = Report(run_id=uuid.uuid4().hex, integration=_name(integration), started_at=clock.now())
            if stop.is_set():
                begun.status, begun.exit_code = "interrupted", EXIT_CODES["interrupted"]
                reports[place] = begun
                continue
            try:
                reports[place] = await arun(
                    integration,
                    full=full,
                    environment=environment,
                    clock=clock,
                    listeners=listeners,
                    stop=stop,
                    pools=pools,
                )
            except Exception as problem:  # of whatever kind: the others have nothing to do with it
                error = problem if isinstance(problem, SynclineError) else _unexpected(problem)
                reports[place] = Report.of_error(
                    error, run_id=begun.run_id, integration=begun.integration, started_at=begun.started_at
                )

    async with Pools() as pools, asyncio.TaskGroup() as workers:
        for _ in range(min(at_once, len(integrations))):
            workers.create_task(work(waiting, pools))
    return [reports[place] for place in range(len(integrations))]


def _name(integration: Integration | str | Path) -> str:
    return integration.name if isinstance(integration, Integration) else str(integration)


def _unexpected(problem: Exception) -> SynclineError:
    return SynclineError(
        f"this is a mistake of Syncline's, or of a part that is not ours: {type(problem).__name__}: {problem}",
        hint="run it alone with --debug to see where",
    )
