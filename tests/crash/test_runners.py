"""Two to ten runners at once on one integration: one runs, the others leave, and nobody waits for the dead (R31)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from syncline.rehearsal.victims import Ended, Victim, warmed_up
from tests.crash.api import Gate, open_api
from tests.crash.lives import Life, Name
from tests.crash.places import PLACES

HELD = 75
ATONCE = 1.0
"""Seconds within which a loser is to leave, on a machine with nothing else to do."""
pytestmark = pytest.mark.slow


@asynccontextmanager
async def life(place: str, folder: Path) -> AsyncIterator[tuple[Life, Gate]]:
    """A first pass that stops behind its first page until the gate is opened."""
    PLACES[place].need()
    async with open_api() as api, warmed_up("tests.crash.warm", *PLACES[place].driver) as victims:
        this = Life(Name(31, place, "append", 0), 0, victims, api, folder)
        this.source.gate = gate = Gate()
        try:
            yield this, gate
        finally:
            this.place.drop()


async def holding(this: Life, gate: Gate) -> Victim:
    """A runner that has the stream and waits for its second page."""
    holder = this.victims.start(this.file)
    reached, ended = asyncio.ensure_future(gate.reached.wait()), asyncio.ensure_future(holder.ended())
    await asyncio.wait((reached, ended), return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    assert not ended.done(), ended.result()
    ended.cancel()
    return holder


def assert_landed(this: Life) -> None:
    this.oracle.pass_ended()
    verdict = this.oracle.judge(this.place.found())
    assert not verdict.faults


@pytest.mark.parametrize("place", ["sqlite", "postgresql", "jsonl", "api"])
async def test_r31_while_one_runs_nine_others_leave_within_a_second(tmp_path: Path, place: str) -> None:
    async with life(place, tmp_path) as (this, gate):
        holder = await holding(this, gate)
        others = await asyncio.gather(*(this.victims.run(this.file) for _ in range(9)))
        assert [ended.exit_code for ended in others] == [HELD] * 9
        assert all(ended.outcome and ended.outcome.error and ended.outcome.error["code"] == "lease" for ended in others)
        # a loser waits for nothing: what it takes is what it computes
        assert max(ended.cpu for ended in others) < ATONCE / 2
        assert min(ended.seconds for ended in others) < ATONCE
        gate.opened.set()
        assert (await holder.ended()).exit_code == 0
        assert_landed(this)


@pytest.mark.parametrize("place", ["sqlite", "postgresql", "jsonl"])
@pytest.mark.parametrize("runners", [2, 10])
async def test_r31_of_many_that_start_together_one_runs_and_nothing_is_there_twice(
    tmp_path: Path, place: str, runners: int
) -> None:
    async with life(place, tmp_path) as (this, gate):
        running = {asyncio.create_task(this.victims.run(this.file)) for _ in range(runners)}
        losers: set[asyncio.Task[Ended]] = set()
        while len(losers) < runners - 1:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            losers |= done
        await gate.reached.wait()
        gate.opened.set()
        codes = sorted([(await racer).exit_code for racer in (*losers, *running)])
        assert codes == [0] + [HELD] * (runners - 1)
        assert_landed(this)


@pytest.mark.parametrize("place", ["sqlite", "postgresql", "jsonl", "api"])
async def test_r31_a_holder_killed_with_9_is_followed_at_once(tmp_path: Path, place: str) -> None:
    async with life(place, tmp_path) as (this, gate):
        holder = await holding(this, gate)
        holder.send(signal.SIGKILL)
        assert (await holder.ended()).killed
        gate.opened.set()
        ended = await this.victims.run(this.file)  # the lease lasts for a minute; nobody waits for that
        assert ended.exit_code == 0, ended
        assert ended.seconds < 30
        assert_landed(this)


@pytest.mark.parametrize("place", ["sqlite", "postgresql", "jsonl", "api"])
async def test_r31_a_holder_that_slept_while_another_took_over_commits_nothing(tmp_path: Path, place: str) -> None:
    """SIGSTOP is what a suspended laptop or a stalled container looks like."""
    async with life(place, tmp_path) as (this, gate):
        holder = await holding(this, gate)
        holder.send(signal.SIGSTOP)
        this.place.expire()
        gate.opened.set()
        assert (await this.victims.run(this.file)).exit_code == 0
        holder.send(signal.SIGCONT)
        awake = await holder.ended()
        assert awake.exit_code == HELD, awake
        assert (await this.victims.run(this.file)).exit_code == 0  # which tidies up behind the one that slept
        assert_landed(this)


async def test_r33_sigterm_leaves_a_checkpoint_and_130_within_ten_seconds(tmp_path: Path) -> None:
    async with life("sqlite", tmp_path) as (this, gate):
        holder = await holding(this, gate)
        holder.send(signal.SIGTERM)
        ended = await asyncio.wait_for(holder.ended(), 10)
        assert ended.exit_code == 130
        gate.opened.set()
        this.source.begin_attempt()
        assert (await this.victims.run(this.file)).exit_code == 0
        assert this.source.again == 0
        assert_landed(this)
