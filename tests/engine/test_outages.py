"""An open circuit outlives the run that opened it."""

from __future__ import annotations

from pathlib import Path

from syncline.engine import arun
from syncline.rehearsal.simulator.faults import FOREVER, Unavailable
from tests.engine.shelf import Shelf, books, integration, rows
from tests.support.clock import SimulatedClock
from tests.support.serving import serving

CIRCUITS = "SELECT id, failure FROM syncline_circuits"
RULE = {"failures": 3, "open_for": "1h"}


def failing() -> Shelf:
    """Fails until it is told to stop."""
    shelf = Shelf()
    shelf.strike(Unavailable(times=FOREVER))
    return shelf


async def test_r15_an_open_circuit_is_left_to_the_next_run(tmp_path: Path) -> None:
    """Another process would be told the same: nothing but the state is shared."""
    shelf, clock = failing(), SimulatedClock()
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), retry={"attempts": 5}, circuit_breaker=RULE)
        assert (await arun(file, clock=clock)).status == "failed"
        assert len(shelf.requests) == 3
        [(name, failure)] = rows(tmp_path, CIRCUITS)
        assert name == "shelf source" and "answered 503" in failure
        again = await arun(file, clock=clock)
        assert again.streams[0].error is not None and again.streams[0].error["code"] == "circuit_open"
        assert "answered 503" in again.streams[0].error["evidence"]
        assert len(shelf.requests) == 3, "the next run asks nothing while it is open"
        await clock.sleep(3601)
        await arun(file, clock=clock)
        assert len(shelf.requests) == 4, "one probe, which opens it anew"
        shelf.strike()
        await clock.sleep(3601)
        assert (await arun(file, clock=clock)).status == "done"
        assert rows(tmp_path, CIRCUITS) == []


async def test_the_outage_of_another_address_is_not_this_ones(tmp_path: Path) -> None:
    clock = SimulatedClock()
    async with serving(failing()) as url:
        file = integration(url, tmp_path, books(), retry={"attempts": 5}, circuit_breaker=RULE)
        await arun(file, clock=clock)
    async with serving(Shelf()) as url:
        moved = integration(url, tmp_path, books(), circuit_breaker=RULE)
        assert (await arun(moved, clock=clock)).status == "done"


async def test_runs_that_meet_no_outage_write_none(tmp_path: Path) -> None:
    shelf = failing()
    async with serving(shelf) as url:
        file = integration(url, tmp_path, books(), circuit_breaker=RULE)
        await arun(file, clock=SimulatedClock())
    assert len(shelf.requests) == 1
    assert rows(tmp_path, CIRCUITS) == []
