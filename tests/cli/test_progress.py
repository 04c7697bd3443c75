"""What people see while they wait."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from syncline.cli.progress import Progress, bar, sentence, showing
from syncline.events import (
    BatchWritten,
    Event,
    PageRead,
    RequestSent,
    RetryScheduled,
    Scope,
    StreamStarted,
    Waiting,
)
from syncline.model.units import span
from tests.support.clock import SimulatedClock

SCOPE = Scope(run_id="r1", integration="shop", stream="orders")
SENT = RequestSent(method="GET", url="http://x/", status=200, attempt=1, seconds=0.1, size=10)


class StepClock(SimulatedClock):
    """Sleeps only as long as the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        await self.allowed.acquire()
        await super().sleep(seconds)


def tell(progress: Progress, *happened: Event) -> None:
    for event in happened:
        progress(SCOPE, event)


def started(clock: SimulatedClock, cursor: str | None = None, on_wait: Callable[[], None] | None = None) -> Progress:
    progress = Progress(clock, on_wait)
    tell(progress, StreamStarted(sync_mode="full_refresh", cursor=cursor, resumed=False))
    return progress


def test_u11_records_rate_page_and_lag() -> None:
    clock = SimulatedClock()
    progress = started(clock)
    for number in range(1, 5):
        clock.advance(1.0)
        tell(progress, PageRead(number=number, records=100, total=1000))
        newest = (clock.now() - timedelta(seconds=180)).isoformat()
        tell(progress, BatchWritten(written=99, unchanged=0, rejected=1, filtered=0, cursor=newest))
    assert progress.data() == {
        "time": "2026-11-22T12:00:04+00:00", "event": "progress", "run_id": "r1", "integration": "shop", "stream": "orders",
        "records": 400, "rate": 100.0, "page": 4, "total": 1000, "rejected": 4, "lag": 180,
    }  # fmt: skip
    assert sentence(progress) == "400 of 1,000 records · 100/s · page 4 · 4 rejected · data up to 3 min ago"


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    clock = SimulatedClock()
    progress = started(clock)
    tell(progress, PageRead(number=1, records=1000, total=None))
    clock.advance(60)
    assert progress.rate == 0
    tell(progress, PageRead(number=2, records=50, total=None))
    assert progress.rate == 5


def test_a_cursor_that_is_no_time_has_no_lag() -> None:
    assert started(SimulatedClock(), cursor="18446744073709551617").lag is None
    assert started(SimulatedClock()).lag is None


def test_u11_a_wait_over_five_seconds_says_why_and_until_when() -> None:
    clock = SimulatedClock()
    progress = started(clock)
    tell(progress, Waiting(seconds=5.0, reason="pacing", until=clock.now()))
    assert progress.waiting is None
    tell(progress, Waiting(seconds=35.0, reason="429, Retry-After", until=clock.now() + timedelta(seconds=35)))
    assert progress.waiting == "429, Retry-After, until 12:00:35 UTC"
    clock.advance(10)
    assert progress.waiting_seconds == 25
    tell(progress, SENT)
    assert progress.waiting is None


def test_the_longer_of_two_waits_shows_and_the_same_one_is_told_once() -> None:
    clock, told = SimulatedClock(), []
    progress = started(clock, on_wait=lambda: told.append(progress.waiting))
    tell(progress, RetryScheduled(attempt=2, seconds=60.0, reason="status 503"))
    tell(progress, Waiting(seconds=60.0, reason="status 503", until=clock.now() + timedelta(seconds=60)))
    clock.advance(0.2)
    tell(progress, Waiting(seconds=60.0, reason="the same", until=clock.now() + timedelta(seconds=60)))
    tell(progress, Waiting(seconds=10.0, reason="pacing", until=clock.now() + timedelta(seconds=10)))
    assert progress.waiting == "status 503, until 12:01:00 UTC"
    assert told == [progress.waiting]
    clock.advance(60)
    assert progress.waiting is None


def test_u11_a_wait_whose_end_nobody_knows_says_why() -> None:
    clock = SimulatedClock()
    progress = started(clock)
    tell(progress, Waiting(reason="an answer will tell how many requests are left"))
    clock.advance(600)
    assert progress.waiting == "an answer will tell how many requests are left"
    tell(progress, SENT)
    assert progress.waiting is None


async def test_u11_off_a_terminal_one_structured_line_every_ten_seconds() -> None:
    clock, stream = StepClock(), io.StringIO()
    async with showing(stream, clock) as listener:
        listener(SCOPE, StreamStarted(sync_mode="full_refresh", cursor=None, resumed=False))
        listener(SCOPE, PageRead(number=1, records=100, total=None))
        for _ in range(3):
            clock.allowed.release()
            for _ in range(5):
                await asyncio.sleep(0)
    assert clock.slept == [10.0, 10.0, 10.0]
    assert stream.getvalue().splitlines() == [
        f"time=2026-11-22T12:00:{second}+00:00 event=progress run_id=r1 integration=shop stream=orders "
        f"records=100 rate={rate} page=1"
        for second, rate in ((10, "10.0"), (20, "0.0"), (30, "0.0"))
    ]


async def test_u11_off_a_terminal_a_long_wait_is_said_at_once() -> None:
    clock, stream = StepClock(), io.StringIO()
    async with showing(stream, clock, json=True) as listener:
        listener(SCOPE, StreamStarted(sync_mode="full_refresh", cursor=None, resumed=False))
        listener(SCOPE, Waiting(seconds=900, reason="Retry-After", until=clock.now() + timedelta(seconds=900)))
        (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["waiting"] == "Retry-After, until 12:15:00 UTC"


async def test_on_a_terminal_it_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    clock, stream = SimulatedClock(), Terminal()
    async with showing(stream, clock) as listener:
        listener(SCOPE, StreamStarted(sync_mode="full_refresh", cursor=None, resumed=False))
        listener(SCOPE, PageRead(number=3, records=700, total=1400))
        listener(SCOPE, Waiting(seconds=9.0, reason="\x1b[2Jevil", until=clock.now() + timedelta(seconds=9)))
    shown = stream.getvalue()
    assert "700 of 1,400 records" in shown
    assert "━" * 12 in shown
    assert "waiting 9.0 s" in shown
    assert "\x1b[2Jevil" not in shown


@pytest.mark.parametrize("width", [30, 60, 80, 110, 200])
def test_the_sentence_is_as_long_as_there_is_room_for(width: int) -> None:
    clock = SimulatedClock()
    progress = started(clock, cursor="2026-11-22T11:00:00Z")
    tell(progress, PageRead(number=12, records=1_900, total=5_000))
    whole = sentence(progress)
    assert whole.startswith(sentence(progress, width)) and "1,900 of 5,000 records" in sentence(progress, width)
    assert len(sentence(progress, width)) <= width
    assert sentence(progress, 200) == whole


def test_spans_and_bars() -> None:
    assert [span(s) for s in (0.44, 12, 89, 180, 7200, 200_000)] == ["0.4 s", "12 s", "89 s", "3 min", "2 h", "2 days"]
    assert [len(done) for done, _ in map(bar, (0.0, 0.5, 1.0, 1.7))] == [0, 12, 24, 24]
    assert {len(done + rest) for done, rest in map(bar, (0.0, 0.5, 1.0, 1.7))} == {24}
