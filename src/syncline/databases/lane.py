"""One worker thread for blocking work that must keep its order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
R = TypeVar("R")

_at_work: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()


def at_work(loop: asyncio.AbstractEventLoop) -> int:
    """How many functions run or wait on the lanes of a loop: work that no clock but the real one knows of."""
    return _at_work.get(loop, 0)


class Lane:
    """Runs functions one after another on a thread of its own, in the caller's context.

    A cancelled caller does not stop the function: what began on the lane ends there, and the next one waits for it.
    """

    def __init__(self, name: str = "syncline-lane") -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits on the lane, so that its work may be done right here, on the loop's own thread."""
        return self._under_way == 0

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        context = copy_context()
        call: Callable[[], R] = lambda: context.run(function, *args, **kwargs)  # noqa: E731 – typed for mypy
        loop = asyncio.get_running_loop()
        working = loop.run_in_executor(self._executor, call)
        self._under_way += 1
        _at_work[loop] = at_work(loop) + 1
        working.add_done_callback(self._done)
        return await asyncio.shield(working)

    def _done(self, working: asyncio.Future[Any]) -> None:
        self._under_way -= 1
        _at_work[working.get_loop()] -= 1
        if not working.cancelled():
            working.exception()  # seen, even where the caller was cancelled

    def close(self) -> None:
        """Refuse new work; the thread ends after what was begun."""
        self._executor.shutdown(wait=False)
