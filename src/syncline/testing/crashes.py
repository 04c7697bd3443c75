"""R1, R2: passes that are interrupted, and processes that are killed."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter

import pytest

from syncline.destinations import WriteMode
from syncline.testing.bench import KEY, Bench, at, batch, done
from syncline.testing.group import Group, blocking, need, need_mode
from syncline.testing.killing import can_kill, go_on, ids_of, killed
from syncline.testing.writing import MODES

MOMENTS = 4
"""So often a pass is killed at any moment, stations or not."""
MOST = 60
"""No pass of a few rows comes by more stations."""


class Crashes(Group):
    """Passes that are interrupted, and processes that are killed (R1, R2)."""

    @pytest.mark.parametrize("write", MODES)
    @blocking
    async def test_an_unfinished_pass_goes_on_where_it_was_committed(self, bench: Bench, write: WriteMode) -> None:
        need_mode(bench, write)
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, write, lease=lease)
            await writer.write(batch(1, 2), [], at(1), lease)
            await writer.write(batch(3), [], at(2), lease)
        async with bench.sink() as sink:
            lease = await bench.lease(sink, "r2")
            assert (await sink.state.load(KEY)).checkpoint.resume == {"page": 2}
            writer = await bench.begin(sink, write, lease=lease)
            await writer.write(batch(4), [], at(3), lease)
            await writer.finish(done("z"), lease)
            state = await sink.state.load(KEY)
        assert bench.ids() == [1, 2, 3, 4]
        assert (state.checkpoint.cursor, state.checkpoint.resume) == ("z", None)
        assert state.items_synced == 4

    @blocking
    async def test_a_fresh_pass_throws_the_unfinished_one_away(self, bench: Bench) -> None:
        need_mode(bench, "replace")
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.begin(sink, "replace", lease=lease)
            await writer.write(batch(1, 2), [], at(1), lease)
            lease = await bench.lease(sink, "r2")
            writer = await bench.begin(sink, "replace", lease=lease, fresh=True)
            await writer.write(batch(9), [], at(1), lease)
            await writer.finish(done("z"), lease)
        assert bench.ids() == [9]

    @pytest.mark.parametrize("write", MODES)
    @blocking
    async def test_r1_killed_anywhere_nothing_is_lost_and_nothing_is_there_twice(
        self, bench: Bench, write: WriteMode
    ) -> None:
        """At every station of a pass, one pass after another, then at moments between them."""
        need_mode(bench, write)
        need(can_kill(), "a system on which processes can be killed")
        began, last = time.monotonic(), 0
        for number in itertools.count(1):
            assert number < MOST, "the pass never comes to its end"
            died = killed(bench, write, number, station=number)
            await judge(bench, write, number)
            last = number
            if not died:
                break
        whole = (time.monotonic() - began) / last
        moments = random.Random(1)  # noqa: S311 – not a secret
        for number in range(last + 1, last + 1 + MOMENTS):
            killed(bench, write, number, after=whole * moments.uniform(0.05, 0.6))
            await judge(bench, write, number)
        assert last > 2 * MOMENTS, "a pass that is killed at so few places proves little"


async def judge(bench: Bench, write: WriteMode, number: int) -> None:
    """What is visible after the kill, and after the pass was gone on with."""
    before = set().union(*map(ids_of, range(1, number)))
    new = set(ids_of(number))
    found = Counter(bench.ids())
    twice = {one for one, count in found.items() if count > 1}
    assert not twice, f"twice after the kill of pass {number}: {sorted(twice)}"
    if write == "replace":
        assert set(found) in (set(ids_of(number - 1)) if number > 1 else set(), new), (
            "a set of rows that never was whole"
        )
    else:
        assert before <= set(found) <= before | new, f"lost by the kill of pass {number}: {sorted(before - set(found))}"
    await go_on(bench, write, number, f"after{number}")
    meant = sorted(new if write == "replace" else before | new)
    assert sorted(bench.ids()) == meant, f"pass {number} was killed, gone on with, and is not there once and whole"
