"""Ctrl-C and SIGTERM: what runs comes to its checkpoint and leaves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 8.0
"""Seconds from the wish to stop to being stopped, checkpoint or not."""


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set; asked twice, or after eight seconds, the task is cancelled instead."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def wish() -> None:
        if stop.is_set():
            task.cancel()
            return
        stop.set()
        timers.append(loop.call_later(PATIENCE, task.cancel))

    timers: list[asyncio.TimerHandle] = []
    try:
        with heeding(wish):
            yield stop
    finally:
        for timer in timers:
            timer.cancel()


@contextmanager
def heeding(wish: Callable[[], None]) -> Iterator[None]:
    """Call this at Ctrl-C and at SIGTERM, in the running loop."""
    loop = asyncio.get_running_loop()
    known = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in known:
            loop.add_signal_handler(number, wish)
    except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt there
        known = ()  # type: ignore[assignment]
    try:
        yield
    finally:
        for number in known:
            loop.remove_signal_handler(number)
