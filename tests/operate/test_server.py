"""A folder of integrations, run when they are due: in simulated time, with runs that only note when they ran."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncline import events
from syncline.engine import Report
from syncline.errors import DeferredError, LeaseError, PlanError
from syncline.model import Clock
from syncline.operate.home import Home
from syncline.operate.served import Served
from syncline.operate.server import Server
from syncline.spec import load
from syncline.state.store import open_state
from tests.support.stepping import SteppingClock

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FILE = """\
name: {name}
{schedule}
source: {{kind: rest, base_url: https://api.shop.example}}
streams: [{{name: orders, path: /orders, primary_key: id}}]
destination: {{kind: sql, url: "sqlite:///{folder}/{name}.db"}}
"""


class Stage:
    """A folder, a server over it, and what its runs did."""

    def __init__(self, folder: Path, *, start: datetime = NOON, at_once: int = 8, look_every: float = 5.0) -> None:
        self.folder, self.clock = folder, SteppingClock(start)
        self.folder.joinpath("files").mkdir(exist_ok=True)
        self.home = Home(folder / ".syncline")
        self.starts: dict[str, list[str]] = defaultdict(list)
        self.order: list[str] = []
        self.seconds: Callable[[str], float] = lambda name: 10.0
        self.raises: dict[str, Exception] = {}
        self.now_running: dict[str, int] = defaultdict(int)
        self.most_at_once = 0
        self.heard: list[tuple[str, events.Event]] = []
        self.reports: list[Report] = []
        self.server = Server(
            folder / "files",
            home=self.home,
            clock=self.clock,
            at_once=at_once,
            look_every=look_every,
            runner=self.run,
            observers=[self.observe],
        )

    def write(self, name: str, schedule: str = "schedule: every 15 minutes", file: str = "") -> Path:
        path = self.folder / "files" / f"{file or name}.yaml"
        path.write_text(FILE.format(name=name, schedule=schedule, folder=self.folder))
        return path

    async def run(self, path: Path, stop: asyncio.Event, clock: Clock) -> Report:
        name = load(path).name
        began = self.clock.now()
        self.starts[name].append(f"{began:%H:%M:%S}" if began.date() == NOON.date() else f"{began:%m-%d %H:%M:%S}")
        self.order.append(name)
        self.now_running[name] += 1
        assert self.now_running[name] == 1, "it runs already"
        self.most_at_once = max(self.most_at_once, sum(self.now_running.values()))
        try:
            if name in self.raises:
                raise self.raises[name]
            working = asyncio.ensure_future(clock.sleep(self.seconds(name)))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            status = "done" if working.done() else "interrupted"
            for task in (working, stopping):
                task.cancel()
        finally:
            self.now_running[name] -= 1
        return Report(run_id=f"run-{len(self.order)}", integration=name, started_at=began, status=status)

    async def observe(self, one: Served, report: Report) -> None:
        self.reports.append(report)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        with events.listening(lambda scope, event: self.heard.append((scope.integration, event))):
            task = asyncio.create_task(self.server.serve())
            await self.begun()
            try:
                yield
            finally:
                self.server.stop()
                await asyncio.wait_for(task, 5)

    async def begun(self) -> None:
        """What ran before is read from files, in threads: wait for it in real time."""
        await asyncio.sleep(0)
        while self.server._pasts:
            await asyncio.wait(self.server._pasts)
        await self.clock.run(0)

    def told(self, kind: type[events.Event]) -> list[tuple[str, events.Event]]:
        return [(name, event) for name, event in self.heard if isinstance(event, kind)]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_every_integration_runs_when_it_is_due(tmp_path: Path) -> None:
    stage = Stage(tmp_path, look_every=60.0)
    stage.write("quarter")
    stage.write("hourly", "schedule: every 1 hour")
    stage.write("nightly", "schedule: daily at 02:00 Europe/Paris")
    stage.write("by-hand", "")
    async with stage.serving():
        await stage.clock.run(3601)
        assert stage.starts == {
            "quarter": ["12:15:00", "12:30:00", "12:45:00", "13:00:00"],
            "hourly": ["13:00:00"],
        }
        await stage.clock.run(13 * 3600)
        assert stage.starts["nightly"] == ["11-23 01:00:00"]
    assert {name for name, _ in stage.told(events.FileRead)} == {"quarter", "hourly", "nightly", "by-hand"}


async def test_r32_a_year_of_days_in_paris_has_a_run_on_each(tmp_path: Path) -> None:
    stage = Stage(tmp_path, start=datetime(2026, 3, 1, tzinfo=UTC), look_every=6 * 3600.0)
    stage.write("nightly", "schedule: daily at 02:30 Europe/Paris")
    async with stage.serving():
        await stage.clock.run(300 * 86_400)
    assert len(stage.starts["nightly"]) == 300
    assert len({start[:5] for start in stage.starts["nightly"]}) == 300


async def test_an_integration_never_runs_twice_at_once_and_keeps_its_rhythm(stage: Stage) -> None:
    stage.write("slow", "schedule: every 15 minutes")
    stage.seconds = lambda name: 20 * 60
    async with stage.serving():
        await stage.clock.run(2 * 3600)
    assert stage.starts["slow"] == ["12:15:00", "12:45:00", "13:15:00", "13:45:00"]


async def test_no_more_than_allowed_run_at_once_and_the_important_go_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, at_once=2)
    for name in ("a", "b", "c"):
        stage.write(name)
    stage.write("urgent", "schedule: {every: 15m, priority: 10}")
    stage.write("whenever", "schedule: {every: 15m, priority: -1}")
    stage.seconds = lambda name: 60.0
    async with stage.serving():
        await stage.clock.run(20 * 60)
    assert stage.order == ["urgent", "a", "b", "c", "whenever"]
    assert stage.starts["c"] == ["12:16:00"]
    assert stage.most_at_once == 2


async def test_jitter_spreads_and_misses_nothing(stage: Stage) -> None:
    for number in range(8):
        stage.write(f"one-{number}", "schedule: {every: 15m, jitter: 5m}")
    async with stage.serving():
        await stage.clock.run(3600 + 300)
    minutes = {start for starts in stage.starts.values() for start in starts}
    assert len(minutes) > 20
    for starts in stage.starts.values():
        assert [start[:2] + str(int(start[3:5]) // 15) for start in starts] == ["121", "122", "123", "130"]
        assert all(int(start[3:5]) % 15 < 5 for start in starts)


async def test_what_was_missed_is_made_up_for_once(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    first.write("catching-up", "schedule: every 1 hour")
    first.write("patient", "schedule: {every: 1h, catch_up: false}")
    later = Stage(tmp_path, start=NOON + timedelta(hours=5, minutes=20))
    for name in ("catching-up", "patient"):
        await note_run(tmp_path, name, NOON)
    async with later.serving():
        await later.clock.run(3600)
    assert later.starts == {"catching-up": ["17:20:00", "18:00:00"], "patient": ["18:00:00"]}


async def test_a_restart_within_the_interval_runs_nothing_twice(tmp_path: Path) -> None:
    stage = Stage(tmp_path, start=NOON + timedelta(minutes=1))
    stage.write("quarter")
    await note_run(tmp_path, "quarter", NOON + timedelta(milliseconds=200))
    async with stage.serving():
        await stage.clock.run(15 * 60)
    assert stage.starts["quarter"] == ["12:15:00"]


async def note_run(folder: Path, name: str, at: datetime) -> None:
    """A run in the integration's own state, as `syncline run` leaves it."""
    report = Report(run_id=f"before-{name}", integration=name, started_at=at, finished_at=at)
    async with open_state(folder / f"{name}.db") as state:
        await state.runs.start(report.run_id, name, at)
        await state.runs.finish(report.run_id, "done", report.to_data(), at)


async def test_what_people_ask_for_is_done(stage: Stage) -> None:
    stage.write("quarter")
    wishes = stage.home.wishes()
    wishes.pause("quarter")
    async with stage.serving():
        await stage.clock.run(3600)
        assert stage.starts == {}
        wishes.run_now("quarter")
        await stage.clock.run(60)
        assert stage.starts["quarter"] == ["13:00:05"]
        wishes.resume("quarter")
        await stage.clock.run(15 * 60)
    assert stage.starts["quarter"] == ["13:00:05", "13:15:00"]


async def test_files_are_watched_and_no_run_is_lost(stage: Stage) -> None:
    path = stage.write("quarter")
    stage.seconds = lambda name: 300.0
    async with stage.serving():
        await stage.clock.run(16 * 60)
        path.write_text("name: [")  # while it runs
        stage.write("new", "schedule: every 1 minute")
        await stage.clock.run(60)
        (refused,) = stage.told(events.FileRefused)
        assert "quarter.yaml:2:1: name" in refused[1].what
        assert stage.server.by_name("new") is not None
        assert [report.status for report in stage.reports if report.integration == "quarter"] == []
        await stage.clock.run(13 * 60)
        assert [report.status for report in stage.reports if report.integration == "quarter"] == ["done"]
        stage.write("quarter", "schedule: every 30 minutes")
        await stage.clock.run(2 * 60)
        path.unlink()
        await stage.clock.run(30 * 60)
    assert stage.starts["quarter"] == ["12:15:00", "12:30:10"]  # made up for once the file was mended
    assert [report.status for report in stage.reports if report.integration == "quarter"] == ["done", "done"]
    assert [name for name, _ in stage.told(events.FileGone)] == ["quarter"]
    assert len(stage.starts["new"]) > 5


async def test_a_file_that_is_still_being_written_is_left_alone(stage: Stage) -> None:
    stage.write("other")
    async with stage.serving():
        growing = stage.folder / "files" / "growing.yaml"
        for length in range(20, 100, 20):
            growing.write_text(
                FILE.format(name="growing", schedule="schedule: every 1 hour", folder=stage.folder)[:length]
            )
            await stage.clock.run(5)
        assert stage.told(events.FileRefused) == []
        stage.write("growing", "schedule: every 1 hour")
        await stage.clock.run(15)
        assert stage.server.by_name("growing") is not None


async def test_two_files_of_one_name_are_told_and_the_first_goes_on(stage: Stage) -> None:
    stage.write("same", file="a")
    stage.write("same", file="b")
    async with stage.serving():
        await stage.clock.run(16 * 60)
    (refused,) = stage.told(events.FileRefused)
    assert "the name 'same' is taken by" in refused[1].what
    assert stage.starts["same"] == ["12:15:00"]


async def test_a_failure_of_one_is_no_failure_of_others(stage: Stage) -> None:
    for name in ("planless", "buggy", "held", "sound"):
        stage.write(name)
    stage.raises = {
        "planless": PlanError("no such database"),
        "buggy": ZeroDivisionError("oh"),
        "held": LeaseError("held by another"),
    }
    async with stage.serving():
        await stage.clock.run(31 * 60)
    assert {report.integration: report.status for report in stage.reports} == {
        "planless": "failed", "buggy": "failed", "held": "held", "sound": "done",
    }  # fmt: skip
    assert all(len(starts) == 2 for starts in stage.starts.values())
    assert "not in your file" in next(r.error["cause"] for r in stage.reports if r.integration == "buggy" and r.error)


async def test_whoever_is_told_of_runs_cannot_harm_them(stage: Stage) -> None:
    stage.write("quarter")

    async def broken(one: Served, report: Report) -> None:
        raise ZeroDivisionError("oh")

    stage.server.observers.insert(0, broken)
    async with stage.serving():
        await stage.clock.run(31 * 60)
    assert len(stage.starts["quarter"]) == len(stage.reports) == 2
    assert len(stage.told(events.Noticed)) == 2


async def test_what_the_api_put_off_goes_on_when_the_api_said(stage: Stage) -> None:
    stage.write("limited", "schedule: every 15 minutes")
    until = NOON + timedelta(minutes=52, seconds=30)
    stage.raises["limited"] = DeferredError("quota", until=until)
    async with stage.serving():
        await stage.clock.run(16 * 60)
        stage.raises.clear()
        await stage.clock.run(44 * 60)
    assert stage.starts["limited"] == ["12:15:00", "12:52:30", "13:00:00"]


async def test_realtime_goes_on_at_once_and_slows_down_while_it_fails(stage: Stage) -> None:
    stage.write("live", "schedule: realtime")
    async with stage.serving():
        await stage.clock.run(40)
        assert stage.starts["live"] == ["12:00:00", "12:00:15", "12:00:30"]
        stage.raises["live"] = PlanError("gone")
        await stage.clock.run(3600)
        assert 10 < len(stage.starts["live"]) < 25
        stage.raises.clear()
        await stage.clock.run(600)
    assert stage.reports[-1].status in ("done", "interrupted")


async def test_r33_to_stop_lets_every_run_come_to_its_checkpoint(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.write(name)
    stage.seconds = lambda name: 10_000.0
    async with stage.serving():
        await stage.clock.run(16 * 60)
        assert sum(stage.now_running.values()) == 2
    assert [report.status for report in stage.reports] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("seed", range(3))
async def test_no_run_is_missed_or_doubled_whatever_happens(tmp_path: Path, seed: int) -> None:
    """Two hours of 20 integrations that take their time and fail at random: each due time has its run, once."""
    chance = random.Random(seed)
    stage = Stage(tmp_path, at_once=20, look_every=30.0)
    minutes = {f"one-{number}": chance.choice([1, 2, 5, 10]) for number in range(20)}
    for name, every in minutes.items():
        stage.write(name, f"schedule: every {every} minutes")
    stage.seconds = lambda name: chance.uniform(0, 55)
    async with stage.serving():
        for _ in range(24):
            stage.raises = {name: PlanError("down") for name in chance.sample(sorted(minutes), 5)}
            await stage.clock.run(300)
        await stage.clock.run(1)
    for name, every in minutes.items():
        due = [NOON + timedelta(minutes=every * count) for count in range(1, 120 // every + 1)]
        assert stage.starts[name] == [f"{moment:%H:%M:%S}" for moment in due], name
