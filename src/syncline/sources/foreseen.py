"""Pages asked for before it is their turn, where it is known where they lie."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
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
    """The pages of one list that are under way, in their order.

    What was foreseen is a guess: a page is taken only where its request is the very one that is to be sent now.
    """

    def __init__(self, ask: Ask, room: Room) -> None:
        self._ask, self._room = ask, room
        self._coming: deque[tuple[Request, asyncio.Task[Response | None]]] = deque()

    def ask(self, requests: Iterable[Request], number: int) -> None:
        """Send as many of these requests, which follow each other from page `number` on, as there is room for."""
        for place, request in enumerate(islice(requests, len(self._coming), None), number + len(self._coming)):
            if not self._room.free:
                return
            self._room.taken += 1
            task = asyncio.create_task(self._asked(request, place))
            self._coming.append((request, task))

    async def take(self, request: Request, number: int) -> tuple[Response | None, bool]:
        """The answer, and whether it was asked for early. Raises what sending raises."""
        if self._coming and self._coming[0][0] == request:
            _, task = self._coming[0]
            answer = await task
            self._leave()
            return answer, True
        await self.drop()
        return await self._ask(request, number), False

    async def drop(self) -> None:
        """Give up what is under way: the list is not as it was foreseen."""
        tasks = [task for _, task in self._coming]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._coming:
            self._leave()

    def _leave(self) -> None:
        self._coming.popleft()
        self._room.taken -= 1

    async def _asked(self, request: Request, number: int) -> Response | None:
        return await self._ask(request, number)
