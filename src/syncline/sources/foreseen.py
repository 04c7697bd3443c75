"""Pages asked for before it is their turn, where it is known where they lie."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice

import msgspec

from syncline.model import Request, Response

Ask = Callable[[Request, int], Awaitable[Response | None]]
"""Sends the request for the page of that number."""


class Room(msgspec.Struct):
    """How many requests of one pass may be under way at the same time, and how many are."""

    width: int
    taken: int = 0

    @property
    def free(self) -> bool:
        return self.taken < self.width


class Foreseen:
    """The pages of one list that are under way, or have come before their turn, in their order.

    What was foreseen is a guess: a page is taken only where its request is the very one that is to be sent now.
    """

    def __init__(self, ask: Ask, room: Room) -> None:
        self._ask, self._room = ask, room
        self._coming: deque[tuple[Request, asyncio.Task[Response | None]]] = deque()
        self._plan: Iterator[tuple[int, Request]] = iter(())

    def ask(self, requests: Iterable[Request], number: int) -> None:
        """Send these requests, which follow each other from page `number` on, as soon as there is room for each."""
        self._plan = islice(enumerate(requests, number), len(self._coming), None)
        self._fill()

    async def take(self, request: Request, number: int) -> tuple[Response | None, bool]:
        """The answer, and whether it was asked for early. Raises what sending raises."""
        if self._coming and self._coming[0][0] == request:
            answer = await self._coming[0][1]
            self._coming.popleft()
            self._fill()
            return answer, True
        if self._coming:
            await self.drop()
        self._plan = iter(())
        return await self._ask(request, number), False

    async def drop(self) -> None:
        """Give up what is under way: the list is not as it was foreseen."""
        self._plan = iter(())
        tasks = [task for _, task in self._coming]
        self._coming.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        """As many wait at most as may be under way, so that memory stays flat."""
        while self._room.free and len(self._coming) < 2 * self._room.width:
            number, request = next(self._plan, (0, None))
            if request is None:
                return
            self._room.taken += 1
            task = asyncio.create_task(self._asked(request, number))
            task.add_done_callback(self._done)
            self._coming.append((request, task))

    def _done(self, task: asyncio.Task[Response | None]) -> None:
        self._room.taken -= 1
        if not task.cancelled() and task.exception() is None:
            self._fill()

    async def _asked(self, request: Request, number: int) -> Response | None:
        return await self._ask(request, number)
