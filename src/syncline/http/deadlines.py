"""The time that an attempt may take in all, watched by one timer for as many as are under way."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadlines:
    """Gives each attempt the same number of seconds.

    One timer looks at the oldest attempt, instead of one that is made and cancelled for each: those end long before their time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._open: dict[Deadline, None] = {}  # in the order in which they end
        self._watch: asyncio.TimerHandle | None = None

    def begin(self, deadline: Deadline) -> None:
        deadline.ends = self._loop.time() + self.seconds
        self._open[deadline] = None
        if self._watch is None:
            self._watch = self._loop.call_at(deadline.ends, self._look)

    def end(self, deadline: Deadline) -> None:
        self._open.pop(deadline, None)

    def close(self) -> None:
        """Look no more: nothing is under way."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        self._watch = None
        now = self._loop.time()
        for deadline in list(self._open):
            if deadline.ends > now:
                self._watch = self._loop.call_at(deadline.ends, self._look)
                return
            del self._open[deadline]
            deadline.expire()


class Deadline:
    """`with Deadline(deadlines):` raises TimeoutError when its time is over, as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_expired", "_of", "_task", "ends")

    def __init__(self, of: Deadlines) -> None:
        self._of = of
        self._expired = False
        self.ends = 0.0

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._of.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of.end(self)
        # who was cancelled by somebody else as well stays cancelled
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
