"""Waits that are too long for a run, from the API's answer to the exit code, and the next run that goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncline import events
from syncline.engine import arun
from syncline.rehearsal.simulator.faults import Limited
from tests.engine.shelf import Shelf, books, integration, rows
from tests.support.clock import SimulatedClock
from tests.support.serving import serving


async def test_r13_a_wait_over_max_wait_keeps_the_checkpoint_and_exits_6_with_the_time(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    shelf.strike(Limited(at=3, wait=86_400))
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books())
        before = datetime.now(UTC)
        deferred = await arun(file)
        assert (deferred.status, deferred.exit_code) == ("deferred", 6)
        assert deferred.until is not None
        assert timedelta(seconds=86_399) <= deferred.until - before <= timedelta(seconds=86_500)
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(6,)]

        shelf.requests.clear()
        done = await arun(file)
        assert (done.status, done.exit_code) == ("done", 0)
        assert shelf.requests[0] == "/books?cursor=6"
        assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM books") == [(10, 10)]


async def test_a_quota_of_the_file_that_lasts_longer_defers_as_well(tmp_path: Path) -> None:
    shelf = Shelf(books=10)
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), rate_limit="2/d")
        deferred = await arun(file)
        assert (deferred.status, deferred.exit_code) == ("deferred", 6)
        assert len(shelf.requests) == 2
        assert deferred.until is not None
        assert timedelta(hours=23) <= deferred.until - datetime.now(UTC) <= timedelta(hours=25)
        assert rows(tmp_path, "SELECT count(*) FROM books") == [(6,)]


async def test_a_shared_quota_holds_over_runs(tmp_path: Path) -> None:
    """The next run's process knows what the last one used up."""
    shelf = Shelf(books=10)
    async with serving(shelf) as url:
        limits = {"limits": ["3/d"], "shared": str(tmp_path / "limits.db")}
        file = integration(url, tmp_path, books(), rate_limit=limits)
        assert (await arun(file)).exit_code == 6
        assert (await arun(file)).exit_code == 6
        assert len(shelf.requests) == 3


async def test_every_wait_over_five_seconds_says_why_and_until_when(tmp_path: Path) -> None:
    shelf, clock = Shelf(books=10), SimulatedClock()
    shelf.strike(Limited(at=2, wait=42))
    waits: list[events.Waiting] = []
    async with serving(shelf) as url:
        done = await arun(
            integration(url, tmp_path, books(), retry={"attempts": 2}),
            clock=clock,
            listeners=[lambda scope, event: waits.append(event) if isinstance(event, events.Waiting) else None],
        )
    assert done.exit_code == 0
    assert [wait.seconds for wait in waits] == [pytest.approx(42, abs=1)]
    assert "429" in waits[0].reason
    assert waits[0].until >= clock.start + timedelta(seconds=42)
    assert max(seconds for seconds in clock.slept if seconds) <= 42.5
