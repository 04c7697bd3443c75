"""One stream's way: fetch, map, write, commit, page by page, the next page fetched while this one is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from syncline.destinations import Writer
from syncline.engine.report import Account, StreamReport
from syncline.errors import PartialError
from syncline.events import BatchWritten, Noticed, PageRead, StreamStarted, emit
from syncline.mapping import Mapped, Mapper
from syncline.model import Checkpoint, Page, Shape, parse_path
from syncline.sources import Reader, without_validators
from syncline.spec import Stream
from syncline.state import Lease

PREFETCH = 2
"""Pages that wait, fetched, for the one being written."""


class Stopped(Exception):
    """Somebody asked the run to stop; everything up to the last checkpoint is safe."""


class StreamRun(msgspec.Struct, frozen=True, kw_only=True):
    """One pass over one stream, or the rest of an interrupted one; fills `report` as it goes."""

    stream: Stream
    reader: Reader
    writer: Writer
    mapper: Mapper
    lease: Lease
    checkpoint: Checkpoint
    report: StreamReport
    stop: asyncio.Event
    limit: int | None = None

    async def go(self) -> None:
        """Raises Stopped, PartialError where the pass cannot have seen everything, and whatever either end raises."""
        report, cursor = self.report, self.checkpoint.cursor
        report.resumed = self.checkpoint.resume is not None
        incremental = self.stream.incremental is not None and cursor is not None
        report.sync_mode = "incremental" if incremental else "full_refresh"
        report.cursor = cursor
        emit(
            StreamStarted(
                sync_mode=report.sync_mode, cursor=None if cursor is None else str(cursor), resumed=report.resumed
            )
        )
        gap: str | None = None
        how = self.stream.into.write
        pages = self.reader.pages(
            self.stream, self.checkpoint, remember=how == "append", conditional=how == "upsert", shape=self._shape()
        )
        async with aclosing(ahead(pages, self.stop)) as coming:
            async for page in coming:
                if page.last:
                    if report.account.rejected:
                        page.checkpoint = without_validators(page.checkpoint)  # what was refused is to be met again
                    await to_the_end(self.writer.finish(page.checkpoint, self.lease))
                    report.cursor, gap = page.checkpoint.cursor, page.gap
                    continue
                await self._write(page)
                if self.limit is not None and report.account.read >= self.limit:
                    emit(Noticed(what=f"stopped after {report.account.read} records; the next run goes on from here"))
                    break
        self._judge(gap)

    async def _write(self, page: Page) -> None:
        read = len(page.records) + page.repeated
        emit(PageRead(number=page.number, records=read, total=page.total))
        mapped = self._map(page)
        kept = mapped.rejected if self.stream.on_reject.keep else []
        written = await to_the_end(
            self.writer.write(mapped.batch, kept, page.checkpoint, self.lease, records=mapped.sources)
        )
        done = Account(
            read=read,
            written=written.written,
            unchanged=written.unchanged + page.repeated,
            rejected=len(mapped.rejected) + len(written.rejected),
            filtered=mapped.filtered,
        )
        self.report.account = self.report.account + done
        self.report.pages += 1
        running = page.checkpoint.running
        emit(
            BatchWritten(
                written=done.written,
                unchanged=done.unchanged,
                rejected=done.rejected,
                filtered=done.filtered,
                cursor=None if running is None else str(running),
            )
        )

    def _shape(self) -> Shape | None:
        """All that is looked at in a record: by the mapping, by the cursor, and to tell one record from another."""
        stream = self.stream
        cursor = (stream.incremental.cursor,) if stream.incremental else ()
        return self.mapper.shape(map(parse_path, (*stream.primary_key, *cursor)))

    def _map(self, page: Page) -> Mapped:
        if page.shape is None:
            return self.mapper.map(page.records)
        batch = self.mapper.map_shaped(page.records, page.shape)
        if batch is None:
            return self.mapper.map(list(page.plain))
        return Mapped(batch=batch, rejected=[], sources=page.plain)

    def _judge(self, gap: str | None) -> None:
        account, ratio = self.report.account, self.stream.on_reject.max_ratio
        if gap is not None:
            raise PartialError(
                f"not every record can have been seen: {gap}",
                hint="run again: the cursor was kept where it was; pagination by cursor has no such gap",
            )
        if ratio is not None and account.read and account.rejected / account.read > ratio:
            raise PartialError(
                f"{account.rejected} of {account.read} records were rejected, more than {ratio:.2%}",
                hint="syncline rejects list FILE shows each with its reason",
            )


async def ahead(pages: AsyncGenerator[Page, None], stop: asyncio.Event) -> AsyncGenerator[Page, None]:
    """The same pages, fetched ahead by a task of its own. Raises Stopped once `stop` is set."""
    queue: asyncio.Queue[Page | BaseException | None] = asyncio.Queue(PREFETCH)

    async def fetch() -> None:
        try:
            async with aclosing(pages):
                async for page in pages:
                    await queue.put(page)
            await queue.put(None)
        except Exception as error:
            await queue.put(error)

    fetching = asyncio.create_task(fetch())
    stopping = asyncio.create_task(stop.wait())
    getting: asyncio.Task[Any] | None = None
    try:
        while True:
            if stop.is_set():
                raise Stopped
            if queue.empty():
                getting = asyncio.create_task(queue.get())
                await asyncio.wait({getting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    raise Stopped
                item = getting.result()
            else:
                item = queue.get_nowait()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        tasks = [task for task in (fetching, stopping, getting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(writing: Any) -> Any:
    """Await a write; if cancelled meanwhile, let it finish first, so that nobody guesses whether it was committed."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
