"""Several slices of a stream read at the same time: its partitions, the children of its parents.

Within a slice pages keep their order; between slices they come as they come. Each page's token says what of every slice was
delivered, so that a pass can be gone on with after any page, by several lanes or by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from syncline.model import encode_json
from syncline.sources.foreseen import Room
from syncline.sources.page_maker import Asked, Context, Token

Slice = tuple[Context, Token, Token | None]
"""A combination of parents and partition: its context, its place, and how far it is read already."""
Read = Callable[[Context, Token, Token | None], AsyncGenerator[Asked, None]]

AHEAD = 4
"""So many times as many slices as there are lanes may be begun, counted from the first that is not done; so tokens stay small."""


class Frontier:
    """How far the slices of a pass are delivered.

    A token is the place of the first slice that is not done; `beyond` are the later ones of which something was delivered.
    """

    def __init__(self, token: Token | None) -> None:
        self._left = {_name(place): place for place in (token or {}).get("beyond", ())}
        self._begun: dict[int, Token] = {}
        self._count = 0

    def begin(self, place: Token, resume: Token | None) -> tuple[int, Token | None]:
        """A slice's number, and how far it is read already."""
        resume = self._left.pop(_name(place), resume)
        self._count += 1
        self._begun[self._count] = place if resume is None else _without_others(resume)
        self._forget_done()
        return self._count, resume

    def delivered(self, number: int, following: Token) -> Token:
        """A page of that slice was delivered; gives the token to go on from after it."""
        self._begun[number] = following
        self._forget_done()
        first_place, *others = self._begun.values()
        beyond = [place for place in others if "done" in place or "page" in place]
        beyond += self._left.values()
        return {**first_place, "beyond": beyond} if beyond else first_place

    def room(self, lanes: int) -> bool:
        return len(self._begun) < AHEAD * lanes

    def _forget_done(self) -> None:
        while len(self._begun) > 1 and (first := next(iter(self._begun.items())))[1].get("done"):
            del self._begun[first[0]]


class Lanes:
    """Reads slices side by side. Where one fails, those before it are still read to their end, and no others."""

    def __init__(self, read: Read, frontier: Frontier, room: Room, *, first_alone: bool) -> None:
        """`first_alone`: nothing else is asked for before the first page came, whose time is to be the pass's."""
        self._read, self._frontier, self._room = read, frontier, room
        self._coming: asyncio.Queue[tuple[int, Asked] | None] = asyncio.Queue(room.width)
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        self._may_part = not first_alone
        self._failure: tuple[int, BaseException] | None = None

    async def pages(self, slices: AsyncGenerator[Slice, None]) -> AsyncGenerator[Asked, None]:
        """Raises what reading raises, once everything before it was given."""
        conducting = asyncio.create_task(self._conduct(slices))
        try:
            while (came := await self._coming.get()) is not None:
                number, asked = came
                asked.following = self._frontier.delivered(number, asked.following)
                self._may_part = True
                self._moved.set()
                yield asked
            if self._failure is not None:
                raise self._failure[1]
        finally:
            tasks = [conducting, *self._lanes.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _conduct(self, slices: AsyncGenerator[Slice, None]) -> None:
        number = 0
        try:
            async with aclosing(slices):
                async for context, place, resume in slices:
                    while not self._may_begin():
                        self._moved.clear()
                        await self._moved.wait()
                    if self._failure is not None:
                        break
                    number, begin = self._frontier.begin(place, resume)
                    if begin is None or not begin.get("done"):
                        self._room.taken += 1
                        self._lanes[number] = asyncio.create_task(self._lane(number, context, place, begin))
        except Exception as error:
            self._fail(number + 1, error)
        while self._lanes:
            await asyncio.wait(self._lanes.values())
        await self._coming.put(None)

    def _may_begin(self) -> bool:
        if self._failure is not None:
            return True
        parted = self._may_part or not self._lanes
        return parted and self._room.free and self._frontier.room(self._room.width)

    async def _lane(self, number: int, context: Context, place: Token, begin: Token | None) -> None:
        try:
            async with aclosing(self._read(context, place, begin)) as pages:
                async for asked in pages:
                    await self._coming.put((number, asked))
        except Exception as error:
            self._fail(number, error)
        finally:
            self._room.taken -= 1
            del self._lanes[number]
            self._moved.set()

    def _fail(self, number: int, error: Exception) -> None:
        if self._failure is not None and self._failure[0] < number:
            return
        self._failure = (number, error)
        for other, lane in self._lanes.items():
            if other > number:
                lane.cancel()


def _name(place: Token) -> bytes:
    """What makes a slice the same one after its parents' pages were read again: their keys, and the partition."""
    keys = [parent["key"] for parent in place.get("parents", ())]
    return encode_json([keys, place.get("partition")])


def _without_others(token: Token) -> Token:
    return {name: value for name, value in token.items() if name != "beyond"}
