"""The source as a server: pages by cursor or by offset, some records twice, and a note of what was asked for again."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

from aiohttp import web

from tests.crash.recipient import Recipient
from tests.crash.world import Version, World, moment
from tests.support.serving import serving


class Gate:
    """Stops every page but the first until it is opened; `reached` once somebody stands there."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()


class Source:
    """One world behind `/{name}/changes` (by cursor, oldest change first) and `/{name}/all` (by offset, with a total).

    `again` counts the records that were served in this attempt and had been served in an earlier one of the same pass.
    """

    def __init__(self, world: World, *, repeats: bool) -> None:
        self.world, self.repeats = world, repeats
        self.again = self.served = 0
        self.gate: Gate | None = None
        self._before: set[int] = set()
        self._now: set[int] = set()
        self._sorted: tuple[int, list[Version]] = (0, [])

    def begin_pass(self) -> None:
        self._before, self._now = set(), set()
        self.again = 0

    def begin_attempt(self) -> None:
        self._before |= self._now
        self._now = set()
        self.again = 0

    @property
    def seen(self) -> int:
        """How many records were served in this pass, each counted once."""
        return len(self._before | self._now)

    async def answer(self, what: str, query: dict[str, str]) -> str:
        limit = int(query["limit"])
        if self.gate is not None and (query.get("cursor") or query.get("offset", "0") != "0"):
            self.gate.reached.set()
            await self.gate.opened.wait()
        return self._changes(query, limit) if what == "changes" else self._all(int(query["offset"]), limit)

    def _changes(self, query: dict[str, str], limit: int) -> str:
        versions = self._by_number()
        if cursor := query.get("cursor"):
            start = bisect_left(versions, int(cursor) + 1, key=lambda version: version.number)
        else:
            start = bisect_left(versions, query.get("since", ""), key=lambda version: moment(version.number))
        page = versions[start : start + limit]
        self._note(page)
        if self.repeats and cursor and page and versions[start - 1].good and start // limit % 3 == 1:
            page = [versions[start - 1], *page]  # pages overlap now and then
        if self.repeats and len(page) > 2 and page[1].good and start // limit % 4 == 2:
            page = [*page[:2], page[1], *page[2:]]  # or hold a record twice
        following = f'"{page[-1].number}"' if start + limit < len(versions) else "null"
        return f'{{"data":[{",".join(version.text for version in page)}],"next":{following}}}'

    def _all(self, offset: int, limit: int) -> str:
        everything = list(self.world.current.values())
        page = everything[offset : offset + limit]
        self._note(page)
        return f'{{"data":[{",".join(version.text for version in page)}],"total":{len(everything)}}}'

    def _by_number(self) -> list[Version]:
        newest = self.world.newest
        if self._sorted[0] != newest:
            self._sorted = newest, sorted(self.world.current.values(), key=lambda version: version.number)
        return self._sorted[1]

    def _note(self, page: list[Version]) -> None:
        numbers = {version.number for version in page}
        self.served += len(page)
        self.again += len(numbers & self._before)
        self._now |= numbers


class Api:
    """Every source by its name, and every other API that is written to."""

    def __init__(self) -> None:
        self.url = ""
        self.sources: dict[str, Source] = {}
        self.recipients: dict[str, Recipient] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        _, name, what, *rest = PurePosixPath(request.path).parts
        if what == "records":
            return await self.recipients[name].handle(request, (what, *rest))
        body = await self.sources[name].answer(what, dict(request.query))
        return web.Response(text=body, content_type="application/json")


@asynccontextmanager
async def open_api() -> AsyncIterator[Api]:
    api = Api()
    async with serving(api) as api.url:
        yield api
