"""Passes that are killed: each in a process of its own, which ends where it is told to, as if the power had gone."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import msgspec

from syncline.destinations import WriteMode
from syncline.events import Event, Reached, Scope, emit, listening
from syncline.rehearsal.killing import Kill, strike
from syncline.testing.bench import KEY, Bench, at, batch, done

PAGES, ROWS = 2, 3


class Nth:
    """Listens, and ends this process the nth time that any station is reached."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, scope: Scope, event: Event) -> None:
        if isinstance(event, Reached):
            self._left -= 1
            if self._left == 0:
                strike(Kill())


def ids_of(number: int) -> list[int]:
    """What the pass of this number brings."""
    return list(range(number * 100, number * 100 + PAGES * ROWS))


async def go_on(bench: Bench, write: WriteMode, number: int, run: str) -> None:
    """The pass, or what is left of it; one that is done already is followed by one that brings nothing new."""
    async with bench.sink() as sink:
        lease = await bench.lease(sink, run)
        emit(Reached(station="lease taken"))
        checkpoint = (await sink.state.load(KEY)).checkpoint
        first = (checkpoint.resume or {}).get("page", 0)
        if checkpoint.cursor == f"pass {number}" and checkpoint.resume is None and write == "append":
            first = PAGES
        writer = await bench.begin(sink, write, lease=lease)
        emit(Reached(station="pass begun"))
        for page in range(first, PAGES):
            rows = ids_of(number)[page * ROWS : page * ROWS + ROWS]
            emit(Reached(station="before write"))
            await writer.write(batch(*rows), [], at(page + 1), lease)
            emit(Reached(station="after write"))
        emit(Reached(station="before finish"))
        await writer.finish(done(f"pass {number}"), lease)
        emit(Reached(station="after finish"))
        await sink.state.release(lease, "idle")


def killed(bench: Bench, write: WriteMode, number: int, *, station: int = 0, after: float = 0.0) -> bool:
    """Begin a pass in another process, and whether it was killed: at its nth station, or after so many seconds."""
    elapsed = bench.clock.elapsed + 100
    order = Order(
        make=type(bench), folder=bench.folder, elapsed=elapsed, write=write, number=number, station=station, after=after
    )
    victim = _context(type(bench).__module__).Process(target=_victim, args=(order,))
    victim.start()
    victim.join()
    bench.clock.advance(200)
    if victim.exitcode not in (0, -signal.SIGKILL, -signal.SIGALRM):
        raise AssertionError(
            f"the pass failed in a process of its own (exit {victim.exitcode}); its error is on stderr"
        )
    return victim.exitcode != 0


def can_kill() -> bool:
    return sys.platform != "win32"


@functools.cache
def _context(module: str) -> ForkServerContext:
    """A process that has imported everything already, and that forks the victims; it has no threads of anybody else's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", __name__, module])
    return context


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A pass to begin, by a bench of this class in this folder, `elapsed` seconds after its clock's start."""

    make: Callable[[Path], Bench]
    folder: Path
    elapsed: float
    write: WriteMode
    number: int
    station: int
    after: float


def _victim(order: Order) -> None:
    bench = order.make(order.folder)
    bench.clock.advance(order.elapsed)
    if order.after:
        strike(Kill(after=order.after))
    with listening(Nth(order.station)):
        asyncio.run(go_on(bench, order.write, order.number, f"victim{order.number}"))
