"""aiohttp's end of a connection, without what it does again for every piece that is sent or received.

What is overridden here is aiohttp's own affair (3.14). Should it come to do such things otherwise, these methods are not called
any more, and all works as without them: tests/engine/test_cost_of_a_page.py tells.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from aiohttp.client_proto import ResponseHandler


def speak_thriftily(connector: Any) -> None:
    """Let the connections that this connector opens be of our kind."""
    connector._factory = partial(ThriftyHandler, loop=asyncio.get_running_loop())


class ThriftyHandler(ResponseHandler):
    """Watches for silence with one timer, which looks how long ago the last piece was when it goes off."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._silent_at: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    def _reschedule_timeout(self) -> None:
        """A piece was sent or received: silence counts from now on."""
        if not self._read_timeout:
            self._silent_at = None
            return
        self._silent_at = due = self._loop.time() + self._read_timeout
        watch = self._watch
        if watch is None or watch.when() > due:  # the answer before was waited for longer
            if watch is not None:
                watch.cancel()
            self._watch = self._loop.call_at(due, self._look)

    def _drop_timeout(self) -> None:
        """Nothing is waited for."""
        self._silent_at = None

    def _look(self) -> None:
        due, self._watch = self._silent_at, None
        if due is None:
            return
        if due > self._loop.time():
            self._watch = self._loop.call_at(due, self._look)
            return
        self._silent_at = None
        self._on_read_timeout()

    def close(self) -> None:
        super().close()
        self._end_watch()

    def abort(self) -> None:
        super().abort()
        self._end_watch()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._end_watch()

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def resume_reading(self, *arguments: Any, **options: Any) -> None:
        """Called whenever a piece was taken, though hardly ever anything had been paused."""
        if self._reading_paused or getattr(self, "_buffer_paused", False):
            super().resume_reading(*arguments, **options)
