"""What something costs, judged so that a busy machine fails no test and a slow program fails its own."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

REFERENCE = 0.007
"""Seconds of CPU that `_piece_of_work` takes where the promises were made, on a machine with nothing else to do."""


def assert_costs_at_most(seconds: float, action: Callable[[], object], *, tries: int = 40) -> None:
    """Fail where `action` never gets by with so many seconds of CPU, out of so many tries.

    Others on the machine only ever add to a cost, so one try within the bound is proof. The bound is in seconds of the machine
    where the promises were made: on one that is slower at this moment it is as much higher.
    """
    costs = []
    for _ in range(tries):
        slowness = max(1.0, _cpu(_piece_of_work) / REFERENCE)
        costs.append(_cpu(action) / slowness)
        if costs[-1] <= seconds:
            return
    pytest.fail(f"{min(costs):.4f} s at best, {seconds} s are allowed")


def _cpu(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def _piece_of_work() -> int:
    table: dict[str, tuple[int, list[int]]] = {}
    for number in range(20_000):
        table[str(number)] = (number, [number])
    return sum(len(key) for key in table)
