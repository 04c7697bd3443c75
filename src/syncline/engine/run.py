"""From a spec to a finished run."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from syncline import events
from syncline.destinations import Sink, UnfinishedLost, Writer
from syncline.engine.opening import Opened, Stage, opened, prepared
from syncline.engine.report import EXIT_CODES, Report, StreamReport, Tally, ended, finished, status_of
from syncline.engine.stream_run import Stopped, StreamRun
from syncline.errors import (
    AuthError,
    CircuitOpenError,
    DeferredError,
    LeaseError,
    StateError,
    SynclineError,
    WriteError,
)
from syncline.http.pools import Pools
from syncline.mapping import compile_mapping
from syncline.model import Checkpoint, Clock, SystemClock
from syncline.spec import Integration, Stream, key_columns
from syncline.state import Lease, Owner, Status

LEASE_SECONDS = 60.0
FOR_ALL = (AuthError, CircuitOpenError, DeferredError, WriteError, StateError, LeaseError)
"""Errors that the next stream would meet as well."""


def run(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    full: bool = False,
    limit: int | None = None,
    allow_deletes: bool = False,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
) -> Report:
    """Run an integration to its end and return what it did; the blocking door of `arun`."""
    return asyncio.run(
        arun(
            integration,
            streams=streams,
            full=full,
            limit=limit,
            allow_deletes=allow_deletes,
            environment=environment,
            clock=clock,
            listeners=listeners,
        )
    )


async def arun(
    integration: Integration | str | Path,
    *,
    streams: Sequence[str] | None = None,
    full: bool = False,
    limit: int | None = None,
    allow_deletes: bool = False,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    listeners: Sequence[events.Listener] = (),
    stop: asyncio.Event | None = None,
    stage: Stage | None = None,
    pools: Pools | None = None,
) -> Report:
    """Run an integration, or the one in a file, to its end.

    `streams` names those to run (default: all); `full` forgets the cursor and reads everything; `limit` ends each stream
    after about so many records, to go on from there in the next run. `allow_deletes` deletes what a complete pass did not list
    however much that is, and lets a first pass replace rows that somebody else put there. `environment` takes the place of the
    process's for secret references. Setting `stop` makes the run checkpoint and leave. `stage` takes the outside world's place in
    rehearsals; `pools` are connections shared with other runs.

    What fails in one stream is told in the report and does not stop the others, unless they would meet it too. Raises
    SpecError and PlanError for what makes a run impossible, AuthError for missing credentials, and LeaseError where another
    runner holds a stream.
    """
    clock = clock or SystemClock()
    ready = await prepared(integration, environment, streams)
    tally = Tally()
    report = Report(run_id=uuid.uuid4().hex, integration=ready.integration.name, started_at=clock.now())
    report.conduct = tally.conduct
    began = clock.monotonic()
    with (
        events.listening(tally, *listeners),
        events.within(run_id=report.run_id, integration=report.integration, stream=""),
    ):
        async with opened(ready, clock, stage, pools) as open_parts:
            this = _Run(open_parts, clock, report, tally=tally, stop=stop or asyncio.Event(), full=full, limit=limit)
            this.allow_deletes = allow_deletes
            await this.go(ready.streams)
            report.finished_at = clock.now()
            report.seconds = clock.monotonic() - began
            events.emit(ended(report))
            await open_parts.sink.state.runs.finish(report.run_id, report.status, report.to_data(), clock.now())
            events.emit(events.Reached(station="report stored"))
    return report


class _Run:
    """One run over open parts; fills the report."""

    def __init__(
        self,
        parts: Opened,
        clock: Clock,
        report: Report,
        *,
        tally: Tally,
        stop: asyncio.Event,
        full: bool,
        limit: int | None,
    ) -> None:
        self.parts, self.clock, self.report, self.tally = parts, clock, report, tally
        self.stop, self.full, self.limit = stop, full, limit
        self.allow_deletes = False
        self.integration: Integration = parts.integration
        self.sink: Sink = parts.sink

    async def go(self, streams: tuple[Stream, ...]) -> None:
        events.emit(events.RunStarted(streams=tuple(stream.name for stream in streams)))
        async with self._leases(streams) as leases:
            await self.sink.state.runs.start(self.report.run_id, self.integration.name, self.clock.now())
            events.emit(events.Reached(station="run noted"))
            for stream in streams:
                stream_report = StreamReport(name=stream.name)
                self.report.streams.append(stream_report)
                if self.stop.is_set():
                    self.report.status = "interrupted"
                    continue
                with events.within(stream=stream.name):
                    error = await self._stream(stream, leases[stream.name], stream_report)
                if isinstance(error, FOR_ALL):
                    break
        self._conclude()

    async def _stream(self, stream: Stream, lease: Lease, report: StreamReport) -> SynclineError | None:
        began = self.clock.monotonic()
        failure: SynclineError | None = None
        try:
            await self._with_credentials_of_today(stream, lease, report)
            report.status = "done"
        except Stopped:
            report.status = "interrupted"
        except SynclineError as error:
            failure = error.at(integration=self.integration.name, stream=stream.name)
            report.status = status_of(error)
            report.error = error.to_data()
            self._blame(error)
        except BaseException:
            report.status = "interrupted"
            raise
        finally:
            report.seconds = self.clock.monotonic() - began
            report.notices = self.tally.notices.get(stream.name, [])
            events.emit(finished(report))
            what = str(failure.what) if failure else None
            await asyncio.shield(self._release(lease, "failed" if failure else "idle", what))
        return failure

    async def _release(self, lease: Lease, status: Status, what: str | None) -> None:
        try:
            await self.sink.state.release(lease, status, what)
            events.emit(events.Reached(station="lease released"))
        except SynclineError:
            # the lease was taken over, or the store is gone: either way nothing of ours is left to release
            return

    async def _with_credentials_of_today(self, stream: Stream, lease: Lease, report: StreamReport) -> None:
        """Where credentials are refused that have changed since they were read, go on from the checkpoint with the new ones."""
        full = self.full
        while True:
            try:
                await self._read_and_write(self.parts.integration.stream(stream.name), lease, report, full=full)
                return
            except AuthError:
                if not await self._renewed():
                    raise
            events.emit(
                events.Noticed(what="the credentials were refused and have changed since: went on with the new")
            )
            full = full and report.pages == 0

    async def _renewed(self) -> bool:
        try:
            return await self.parts.renew()
        except SynclineError:
            return False  # what was refused says more

    async def _read_and_write(self, stream: Stream, lease: Lease, report: StreamReport, *, full: bool) -> None:
        state = await self.sink.state.load(lease.key)
        checkpoint = Checkpoint() if full else state.checkpoint
        try:
            writer = await self._begin(stream, lease, checkpoint, fresh=full)
        except UnfinishedLost as lost:
            events.emit(events.Noticed(what=f"{lost.what} ({lost.evidence}): the pass begins anew"))
            checkpoint = lost.restart
            writer = await self._begin(stream, lease, checkpoint, fresh=True)
        events.emit(events.Reached(station="pass begun"))
        await StreamRun(
            batch_rows=self.sink.batch_rows,
            stream=stream,
            reader=self.parts.reader,
            writer=writer,
            mapper=compile_mapping(stream.mapping, stream.where),
            lease=lease,
            checkpoint=checkpoint,
            report=report,
            stop=self.stop,
            limit=self.limit,
        ).go()

    async def _begin(self, stream: Stream, lease: Lease, checkpoint: Checkpoint, *, fresh: bool) -> Writer:
        return await self.sink.begin(
            lease.key,
            stream.name,
            stream.into,
            primary_key=key_columns(stream),
            fresh=fresh,
            lease=lease,
            checkpoint=checkpoint,
            schema=stream.schema_,
            deletes=stream.deletes,
            allow_deletes=self.allow_deletes,
        )

    @asynccontextmanager
    async def _leases(self, streams: tuple[Stream, ...]) -> AsyncIterator[dict[str, Lease]]:
        """Hold every stream of the run, and keep holding it while the API keeps us waiting."""
        leases: dict[str, Lease] = {}
        state = self.sink.state
        try:
            for stream in streams:
                key = self.integration.state_key(stream)
                leases[stream.name] = await state.acquire(
                    key, Owner.current(self.report.run_id), self.clock.now(), LEASE_SECONDS
                )
            events.emit(events.Reached(station="lease taken"))
            renewing = asyncio.create_task(self._renew(list(leases.values())))
            try:
                yield leases
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
        finally:
            reports = {report.name: report for report in self.report.streams}
            for name, lease in leases.items():
                if name not in reports or reports[name].status == "skipped":
                    await asyncio.shield(self._release(lease, "idle", None))

    async def _renew(self, leases: list[Lease]) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)  # real time: a lease is for other processes
            for lease in leases:
                try:
                    await self.sink.state.renew(lease, self.clock.now(), LEASE_SECONDS)
                except SynclineError:
                    continue  # lost or released: the next commit says so, where there is one

    def _blame(self, error: SynclineError) -> None:
        report = self.report
        if report.error is None:
            report.error = error.to_data()
            report.exit_code = error.exit_code
        if isinstance(error, DeferredError):
            report.until = error.until

    def _conclude(self) -> None:
        statuses = {stream.status for stream in self.report.streams}
        for status in ("failed", "deferred", "interrupted", "partial"):
            if status in statuses:
                self.report.status = status
                break
        if self.report.exit_code == 0:
            self.report.exit_code = EXIT_CODES[self.report.status]
