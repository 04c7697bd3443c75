"""Memory for many records, and what an integration costs among many in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import Usage

FEW, MANY = 10_000, 1_000_000
INTEGRATIONS, BASE = 1_000, 10
MOST_MORE, MOST = 20e6, 100e6
"""Bytes: for a million records more than for ten thousand, and in all, into SQLite and JSON lines."""
MOST_CPU, MOST_EACH = 0.020, 200e3
"""Seconds of CPU and bytes for each of many integrations."""


@dataclass(frozen=True)
class Flat:
    """Peak memory in bytes for few and for many records, of Syncline and of the program written by hand."""

    destination: str
    few: int
    many: int
    few_by_hand: int
    many_by_hand: int


@dataclass(frozen=True)
class Each:
    """Of one integration among many: CPU and wall in seconds, memory in bytes, and the number of them."""

    cpu: float
    wall: float
    memory: float
    count: int


def files(folder: Path, count: int) -> None:
    """So many small integrations: ten orders each, into tables of their own."""
    text = (Path(__file__).parent / "orders.yaml").read_text()
    for number in range(count):
        named = text.replace("benchmark-orders", f"orders-{number}").replace("table: orders", f"table: orders_{number}")
        (folder / f"{number}.yaml").write_text(f"{named}\ndestination: {{kind: sql, url: 'sqlite:///{number}.db'}}\n")


def each(run: Callable[[int], Usage]) -> Each:
    """`run` gets a number of integrations and says what they took in one process; the process itself is taken off."""
    base, all_of_them = run(BASE), run(BASE + INTEGRATIONS)
    return Each(
        cpu=(all_of_them.cpu - base.cpu) / INTEGRATIONS,
        wall=(all_of_them.wall - base.wall) / INTEGRATIONS,
        memory=(all_of_them.memory - base.memory) / INTEGRATIONS,
        count=INTEGRATIONS,
    )
