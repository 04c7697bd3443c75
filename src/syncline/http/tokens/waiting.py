"""Waiting for a lock that another process holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from syncline.errors import StateError
from syncline.events import Waiting, emit

PATIENCE = 600.0
"""Seconds; whoever holds the lock may itself be waiting for a token endpoint that is unwell."""
WORTH_SAYING = 5.0
SHORTEST, LONGEST = 0.01, 0.2


async def until_locked(attempt: Callable[[], Awaitable[bool]], place: str) -> None:
    """Try again and again, in real time: the holder is another process. Raises StateError after ten minutes."""
    loop = asyncio.get_running_loop()
    began, pause, said = loop.time(), SHORTEST, False
    while not await attempt():
        waited = loop.time() - began
        if waited > PATIENCE:
            raise StateError(
                f"another process has held the token in {place} for {PATIENCE / 60:.0f} minutes",
                hint="look for a hanging syncline process and end it; its lock goes with it",
            )
        if waited > WORTH_SAYING and not said:
            said = True
            emit(Waiting(reason="another process is getting the token"))
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 – so that eight do not knock in step
        pause = min(pause * 1.5, LONGEST)
