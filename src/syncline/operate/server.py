"""A folder of integrations, run when they are due: the loop of `syncline serve`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from syncline import events
from syncline.engine import Report, arun, opened_file_state
from syncline.engine.report import ended
from syncline.errors import SpecError, SynclineError
from syncline.http.pools import Pools
from syncline.model import Clock, SystemClock
from syncline.operate.folder import Folder, Found
from syncline.operate.home import Home
from syncline.operate.served import KEPT, Running, Served, redacted

LOOK = 1.0
"""Seconds from one look at files and wishes to the next."""
AT_ONCE = 8
"""Runs at the same time, unless told otherwise."""
PATIENCE = 8.0
"""Seconds that runs have to come to a checkpoint when the server is to end; then they are cancelled."""
READERS = 8

Runner = Callable[[Path, asyncio.Event, Clock], Awaitable[Report]]
"""Runs the integration in a file to its end, or to a checkpoint once the event is set."""
Observer = Callable[[Served, Report], Awaitable[None]]
"""Is told of every run that has ended."""


async def run_file(path: Path, stop: asyncio.Event, clock: Clock, pools: Pools | None = None) -> Report:
    return await arun(path, stop=stop, clock=clock, pools=pools)


class Server:
    """Runs the integrations of a folder in one process: each when it is due, never twice at once, at most `at_once` together.

    Events of the server belong to the integration's name; those of its runs to their run too. Whoever is among `observers`
    is told of every run that ended, whatever became of it.
    """

    def __init__(
        self,
        root: Path,
        *,
        home: Home | None = None,
        clock: Clock | None = None,
        at_once: int = AT_ONCE,
        look_every: float = LOOK,
        runner: Runner = run_file,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.home, self.clock, self.at_once = home or Home(), clock or SystemClock(), at_once
        self.observers = list(observers)
        self.served: dict[Path, Served] = {}
        self.looked_at = self.clock.now()
        self._folder, self._look_every, self._run_file = Folder(root), look_every, runner
        self._wishes = self.home.wishes()
        self._stop, self._wake = asyncio.Event(), asyncio.Event()
        self._pasts: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self._readers = asyncio.Semaphore(READERS)

    def stop(self) -> None:
        """End in good order: start nothing more, and let what runs come to its next checkpoint."""
        self._stop.set()
        self._wake.set()

    async def serve(self) -> None:
        """Until `stop`. What is still running then has eight seconds to reach a checkpoint."""
        await self.survey()
        try:
            while not self._stop.is_set():
                self._look()
                self._grant()
                self._start()
                await self._pause()
        finally:
            await self._leave()

    async def survey(self) -> None:
        """Read every file and what ran of it before; nothing is run."""
        self._look(at_once=True)
        if self._pasts:
            await asyncio.wait(self._pasts)
        self._grant(look_only=True)

    def by_name(self, name: str) -> Served | None:
        return next((one for one in self.served.values() if one.name == name), None)

    def _look(self, *, at_once: bool = False) -> None:
        self.looked_at = self.clock.now()
        change = self._folder.look(at_once=at_once)
        for found in change.found:
            self._take_in(found)
        for path in change.gone:
            with events.within(integration=self.served[path].name):
                events.emit(events.FileGone(file=str(path)))
            self.served[path].gone = True
        for path in [path for path, one in self.served.items() if one.gone and one.running is None]:
            del self.served[path]

    def _take_in(self, found: Found) -> None:
        """A file that is new or has changed. What runs of it goes on to its end, as the file was."""
        one = self.served.setdefault(found.path, Served(path=found.path))
        one.gone = False
        before, one.integration = one.integration, found.integration
        with events.within(integration=one.name):
            if found.mistake is not None:
                self._refuse(one, found.mistake)
                return
            one.mistake = None
            if found.integration is not None:
                one.alerts, one.label = found.integration.alerts, found.integration.name
            if one.known_as == one.name:
                if before is None:
                    one.plan_first(self.clock.now())
                elif before.schedule != one.schedule:
                    one.plan(self.clock.now())
                self._tell(one)
                return
            task = asyncio.create_task(self._remember(one))
            self._pasts.add(task)
            task.add_done_callback(self._pasts.discard)

    def _refuse(self, one: Served, mistake: SynclineError) -> None:
        one.mistake, one.due = mistake.to_data(), None
        what = str(mistake.mistakes[0]) if isinstance(mistake, SpecError) and mistake.mistakes else mistake.what
        events.emit(events.FileRefused(file=str(one.path), what=what))

    def _tell(self, one: Served) -> None:
        schedule = None if one.schedule is None else str(one.schedule)
        events.emit(events.FileRead(file=str(one.path), schedule=schedule, due=one.due))

    async def _remember(self, one: Served) -> None:
        """Learn from the state what ran before, and plan the first run."""
        one.past = []
        async with self._readers:
            try:
                async with opened_file_state(one.path) as (integration, state):
                    records = await state.runs.list(integration.name, limit=KEPT)
                one.past = [redacted(Report.from_data(one.report)) for one in reversed(records) if one.report]
            except (SynclineError, msgspec.ValidationError) as error:
                events.emit(events.Noticed(what=f"what ran before is not known: {error}"))
        one.known_as = one.name
        one.plan_first(self.clock.now())
        self._tell(one)
        self._wake.set()

    def _grant(self, *, look_only: bool = False) -> None:
        now, paused = self.clock.now(), self._wishes.paused
        for one in self.served.values():
            if one.paused and one.name not in paused:
                one.resume(now)
            one.paused = one.name in paused
        for name in () if look_only else self._wishes.take_run_now():
            if (wanted := self.by_name(name)) is not None:
                wanted.wanted = True

    def _start(self) -> None:
        now = self.clock.now()
        free = self.at_once - sum(one.running is not None for one in self.served.values())
        ready = [one for one in self.served.values() if one.ready(now)]
        ready.sort(key=lambda one: (-one.priority, one.due or now))
        for one in ready[: max(free, 0)]:
            one.wanted = False
            stop = asyncio.Event()
            task = asyncio.create_task(self._run(one, stop))
            self._runs.add(task)
            task.add_done_callback(self._runs.discard)
            one.running = Running(stop=stop, since=now)

    async def _run(self, one: Served, stop: asyncio.Event) -> None:
        began = self.clock.now()
        with events.within(integration=one.name):
            try:
                report = await self._run_file(one.path, stop, self.clock)
            except asyncio.CancelledError:
                one.running = None
                raise
            except Exception as problem:  # whatever it is, it is not to end the others
                report = self._failed(one, problem, began)
            report.finished_at = report.finished_at or self.clock.now()
            one.done(report, self.clock.now())
            if one.mistake is not None:
                one.due = None
            self._wake.set()
            for observer in self.observers:
                try:
                    await observer(one, report)
                except Exception as bug:  # who is told of a run cannot harm the next one
                    events.emit(events.Noticed(what=f"telling of a run failed: {type(bug).__name__}: {bug}"))

    def _failed(self, one: Served, problem: Exception, began: datetime) -> Report:
        """The report of a run that could not begin, or that a mistake of ours ended."""
        error = problem
        if not isinstance(error, SynclineError):
            cause = "a mistake in Syncline, not in your file"
            error = SynclineError(f"{type(problem).__name__}: {problem}", cause=cause)
        if isinstance(error, SpecError):
            self._refuse(one, error)
        report = Report.of_error(error, run_id=uuid.uuid4().hex, integration=one.name, started_at=began)
        events.emit(ended(report))
        return report

    async def _pause(self) -> None:
        """Until the next look, or until something is due or has ended."""
        now = self.clock.now()
        waiting = [one.due for one in self.served.values() if one.due and one.running is None and not one.paused]
        seconds = min(((due - now) / timedelta(seconds=1) for due in waiting if due > now), default=self._look_every)
        sleeping = asyncio.ensure_future(self.clock.sleep(min(seconds, self._look_every)))
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wake.clear()
            for task in (sleeping, waking):
                task.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)

    async def _leave(self) -> None:
        for one in self.served.values():
            if one.running is not None:
                one.running.stop.set()
        tasks = self._runs | self._pasts
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=PATIENCE)  # real time: it is about a process that is to end
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
