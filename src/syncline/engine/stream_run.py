"""One stream's way: fetch, map, write, commit, page by page, the next page fetched while this one is written."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import msgspec

from syncline.destinations import Taker, Writer
from syncline.engine.gathering import Gathered
from syncline.engine.refused import Refused
from syncline.engine.report import StreamReport
from syncline.engine.tombstones import Keys, Sifted, Tombstones
from syncline.errors import PartialError, SynclineError
from syncline.events import BatchWritten, Noticed, PageRead, Reached, StreamStarted, emit
from syncline.mapping import Mapped, Mapper
from syncline.model import Checkpoint, Page, Rejected, Row, Shape, parse_path
from syncline.sources import Reader, without_validators
from syncline.spec import Stream, key_columns
from syncline.state import Lease

R = TypeVar("R")

PREFETCH = 2
"""Pages that wait, fetched, for the one being written."""
HELD = 1.0
"""Seconds after which what was gathered is written, however little it is."""
BEAT = 0.25
"""Seconds after which it is looked again whether they are over, where no page comes."""
PORTIONS = 4
"""A batch is taken in at least so many."""
MANY = 10
"""So many changed records, and all of them rejected, are more than bad luck."""


class Stopped(Exception):
    """Somebody asked the run to stop; everything up to the last checkpoint is safe."""


class StreamRun(msgspec.Struct, kw_only=True):
    """One pass over one stream, or the rest of an interrupted one; fills `report` as it goes.

    Pages are gathered until they are `batch_rows` rows, or have waited for a second: then they are written together, with the
    checkpoint of the last of them.
    """

    stream: Stream
    reader: Reader
    writer: Writer
    mapper: Mapper
    lease: Lease
    checkpoint: Checkpoint
    report: StreamReport
    stop: asyncio.Event
    batch_rows: int
    limit: int | None = None
    _gathered: Gathered | None = None
    _keys: Keys | None = None
    _tombstones: Tombstones | None = None
    _refused: Refused | None = None
    _taker: Taker | None = None

    def __post_init__(self) -> None:
        deletes = self.stream.deletes
        if deletes is not None:
            self._keys = Keys(self.stream)
            self._tombstones = Tombstones(deletes, self._keys) if deletes.when is not None else None
        if self.stream.incremental is not None and self.stream.into.write != "append":
            self._refused = Refused(self.stream.incremental, self.checkpoint)
        if isinstance(self.writer, Taker) and self.writer.portion and deletes is None:
            self._taker = self.writer

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
        async with aclosing(ahead(self._pages(), self.stop)) as coming:
            try:
                async for page in coming:
                    if page is None:
                        if self._is_worth_it():
                            await self._write()
                        continue
                    if page.last:
                        await self._write()
                        await self._finish(page, complete=page.gap is None and not incremental)
                        gap = page.gap
                        continue
                    self._gather(page)
                    if self._is_worth_it():
                        await self._write()
                    if self._is_enough():
                        await self._write()
                        emit(
                            Noticed(what=f"stopped after {report.account.read} records; the next run goes on from here")
                        )
                        break
            except (Stopped, SynclineError):
                await self._write()  # what came before is good
                raise
        self._judge(gap)

    def _pages(self) -> AsyncGenerator[Page, None]:
        stream, how, deletes = self.stream, self.stream.into.write, self.stream.deletes
        everything = deletes is not None and deletes.missing  # a page that is passed over lists nothing
        return self.reader.pages(
            stream,
            self.checkpoint,
            remember=how == "append",
            conditional=how == "upsert" and not everything,
            shape=None if self._tombstones else self._shape(),
            ahead=self.limit is None,
        )

    def _gather(self, page: Page) -> None:
        emit(PageRead(number=page.number, records=page.read, total=page.total))
        sifted = self._tombstones.sift(page.records) if self._tombstones else None
        mapped = self._map(page) if sifted is None else self.mapper.map(sifted.alive)
        gathered = self._gathered
        if gathered is None:
            gathered = self._gathered = Gathered.begin(page, mapped, key_columns(self.stream) if self._keys else ())
        gathered.add(page, mapped)
        self._reject(gathered, mapped.rejected)
        if sifted is not None and sifted.gone:
            gathered.bury(self._buried(page, sifted, mapped))
        if sifted is not None:
            self._reject(gathered, sifted.rejected)
        if self._keys is not None and self.stream.deletes and self.stream.deletes.missing:
            for rejected in mapped.rejected:
                key = self._keys.of(rejected.record)
                if key is None:
                    gathered.doubtful += 1
                else:
                    gathered.present.append(key)
        if self._taker is not None:
            gathered.offer(self._taker, min(self._taker.portion, self.batch_rows // PORTIONS + 1))
        emit(Reached(station="page mapped"))

    def _reject(self, gathered: Gathered, rejected: list[Rejected]) -> None:
        """What is new among the rejects; the others were told before, and are unchanged."""
        fresh = rejected if self._refused is None or not rejected else self._refused.sift(rejected)
        gathered.reject(fresh)
        gathered.repeated += len(rejected) - len(fresh)

    def _buried(self, page: Page, sifted: Sifted, mapped: Mapped) -> dict[Row, None]:
        """The keys of what is deleted and does not come again further down on the page."""
        assert self._keys is not None and self._gathered is not None
        places = {id(record): place for place, record in enumerate(page.records)}
        later: dict[Row, int] = {}
        columns = mapped.batch.columns
        at = [columns.index(name) for name in self._gathered.key if name in columns]
        for row, record in zip(mapped.batch.rows, mapped.sources, strict=True):
            later[tuple(row[place] for place in at)] = places[id(record)]
        last = {key: None for key, place in sifted.gone.items() if later.get(key, -1) < place}
        self._gathered.superseded += page.read - page.repeated - len(sifted.alive) - len(sifted.rejected) - len(last)
        return last

    async def _write(self) -> None:
        """What was gathered, as one batch with its checkpoint."""
        gathered, self._gathered = self._gathered, None
        if gathered is None:
            return
        emit(Reached(station="before write"))
        written = await self._undisturbed(
            self.writer.write(
                gathered.batch,
                gathered.rejected if self.stream.on_reject.keep else [],
                self._refused.noted(gathered.checkpoint) if self._refused else gathered.checkpoint,
                self.lease,
                records=gathered.sources,
                gone=list(gathered.gone),
                present=gathered.present,
                doubtful=gathered.doubtful,
            )
        )
        emit(Reached(station="after write"))
        done = gathered.account(written)
        if self._refused is not None and written.rejected:
            again = len(written.rejected) - len(self._refused.sift(written.rejected))
            done.rejected, done.unchanged = done.rejected - again, done.unchanged + again
        self.report.account = self.report.account + done
        self.report.pages += gathered.pages
        running = gathered.checkpoint.running
        emit(
            BatchWritten(
                written=done.written,
                unchanged=done.unchanged,
                rejected=done.rejected,
                filtered=done.filtered,
                deleted=done.deleted,
                in_doubt=done.in_doubt,
                cursor=None if running is None else str(running),
            )
        )

    async def _finish(self, page: Page, *, complete: bool) -> None:
        if self._refused is not None:
            page.checkpoint = self._refused.noted(page.checkpoint, complete=True)
        if self.report.account.rejected or (self._refused is not None and self._refused.again):
            page.checkpoint = without_validators(page.checkpoint)  # what was refused is to be met again
        emit(Reached(station="before finish"))
        finished = await self._undisturbed(self.writer.finish(page.checkpoint, self.lease, complete=complete))
        emit(Reached(station="after finish"))
        self.report.account.deleted += finished.deleted
        self.report.cursor = page.checkpoint.cursor
        if finished.notice:
            emit(Noticed(what=finished.notice))

    async def _undisturbed(self, writing: Coroutine[Any, Any, R]) -> R:
        return await writing if self.writer.interruptible else await to_the_end(writing)

    def _is_worth_it(self) -> bool:
        gathered = self._gathered
        if gathered is None:
            return False
        # real time: it is about how much would have to be read again after a crash
        return gathered.rows >= self.batch_rows or time.monotonic() - gathered.since >= HELD

    def _is_enough(self) -> bool:
        read = self.report.account.read + (self._gathered.read if self._gathered else 0)
        return self.limit is not None and read >= self.limit

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
                hint="run again: the cursor was kept where it was; if it says so every time, mend the pagination block",
            )
        if account.in_doubt:
            raise PartialError(
                f"{account.in_doubt} of {account.read} records are in doubt: no answer came, and nobody can be asked",
                hint="syncline outbox list FILE; then confirm what has arrived, and retry what has not",
            )
        if ratio is not None and account.read and account.rejected / account.read > ratio:
            raise PartialError(
                f"{account.rejected} of {account.read} records were rejected, more than {ratio:.2%}",
                hint="syncline rejects list FILE shows each with its reason",
            )
        if ratio is None and account.rejected and account.rejected == account.read - account.filtered:
            # a few bad records among a few changes cost themselves; a whole list of them is a wrong path, or another API
            begun = self.report.sync_mode == "incremental" or self.report.resumed
            if not begun or account.read >= MANY:
                raise PartialError(
                    f"all {account.rejected} records were rejected",
                    hint="syncline rejects list FILE shows why; mend the mapping, then syncline rejects retry FILE",
                )


async def ahead(pages: AsyncGenerator[Page, None], stop: asyncio.Event) -> AsyncGenerator[Page | None, None]:
    """The same pages, fetched ahead by a task of its own, and None now and then while none comes. Raises Stopped after `stop`."""
    # two events and a deque: half of what asyncio.Queue takes, which is made for many at both ends
    waiting: deque[Page | BaseException | None] = deque()
    came, went = asyncio.Event(), asyncio.Event()

    def hand_over(item: Page | BaseException | None) -> None:
        waiting.append(item)
        came.set()

    async def fetch() -> None:
        try:
            async with aclosing(pages):
                async for page in pages:
                    emit(Reached(station="page fetched"))
                    while len(waiting) >= PREFETCH:
                        went.clear()
                        await went.wait()
                    hand_over(page)
            hand_over(StopAsyncIteration())
        except Exception as error:
            hand_over(error)

    async def beat() -> None:
        # one timer for all pages: to make and to cancel one for each would cost every page
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), BEAT)
            if not waiting:  # else nobody is waiting for what comes
                hand_over(None)

    tasks = [asyncio.create_task(fetch()), asyncio.create_task(beat())]
    try:
        while True:
            if stop.is_set():
                raise Stopped
            while not waiting:
                came.clear()
                await came.wait()
            item = waiting.popleft()
            went.set()
            if isinstance(item, StopAsyncIteration):
                return
            if isinstance(item, BaseException):
                raise item
            if item is not None or not stop.is_set():
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(writing: Coroutine[Any, Any, R]) -> R:
    """Await a write; if cancelled meanwhile, let it finish first, so that nobody guesses whether it was committed."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
