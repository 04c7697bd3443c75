"""What a run is doing just now, for people who wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import inf, isinf
from typing import Any, TextIO

from syncline import events
from syncline.cli.door import as_json, redacted_text, while_it_is_read
from syncline.cli.paint import is_terminal, printable
from syncline.model import Clock
from syncline.model.units import span

EVERY = 10.0
"""Seconds from one line to the next where there is no terminal."""
WORTH_SAYING = 5.0
"""Waits longer than this say why and until when."""
SAME_SECONDS = 1.0
"""Whoever waits for the same moment as somebody before has nothing new to say."""
WORTH_SEEING = 0.3
"""On a terminal shorter ones show as well."""
RATE_WINDOW = 10.0

_FACES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

HEARD = frozenset({events.StreamStarted, events.PageRead, events.BatchWritten, events.Waiting, events.RequestSent})


class Progress:
    """Listens to a run and knows how far it is. Seconds are those of the given clock."""

    def __init__(
        self, clock: Clock, on_wait: Callable[[], None] | None = None, worth_saying: float = WORTH_SAYING
    ) -> None:
        self._clock = clock
        self._worth_saying = worth_saying
        self._on_wait = on_wait
        self._recent: deque[tuple[float, int]] = deque()
        self._waiting: events.Waiting | None = None
        self._waiting_until = 0.0
        self.began = clock.monotonic()
        self.scope = events.scope()
        self.records = 0
        self.page = 0
        self.total: int | None = None
        self.cursor: str | None = None
        self.rejected = 0

    def wants(self, kind: type[events.Event]) -> bool:
        return kind in HEARD

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        if isinstance(event, events.RequestSent):
            self._waiting = None
        elif isinstance(event, events.PageRead):
            self.page, self.total = event.number, event.total
            self.records += event.records
            self._recent.append((self._clock.monotonic(), event.records))
        elif isinstance(event, events.BatchWritten):
            self.cursor = event.cursor or self.cursor
            self.rejected += event.rejected
        elif isinstance(event, events.Waiting):
            self._wait(event)
        elif isinstance(event, events.StreamStarted):
            self.scope, self.cursor = scope, event.cursor
            self.records = self.page = self.rejected = 0
            self.total = None
            self._recent.clear()

    def _wait(self, event: events.Waiting) -> None:
        seconds = inf if event.seconds is None else event.seconds
        ends = self._clock.monotonic() + seconds
        if seconds <= self._worth_saying or (self._waiting is not None and ends <= self._waiting_until + SAME_SECONDS):
            return
        self._waiting, self._waiting_until = event, ends
        if self._on_wait:
            self._on_wait()

    @property
    def waiting(self) -> str | None:
        """Why nothing is happening and until when, where that is worth saying."""
        if self._waiting is None or self._clock.monotonic() >= self._waiting_until:
            return None
        until = self._waiting.until
        return f"{self._waiting.reason}, until {until.astimezone(UTC):%H:%M:%S} UTC" if until else self._waiting.reason

    @property
    def waiting_seconds(self) -> float:
        """How much longer; infinite where nobody knows."""
        return max(0.0, self._waiting_until - self._clock.monotonic())

    @property
    def rate(self) -> float:
        """Records a second, over the last ten."""
        now = self._clock.monotonic()
        while self._recent and self._recent[0][0] < now - RATE_WINDOW:
            self._recent.popleft()
        passed = min(now - self.began, RATE_WINDOW)
        return sum(count for _, count in self._recent) / passed if passed > 0 else 0.0

    @property
    def lag(self) -> float | None:
        """Seconds from the newest record's cursor to now, where the cursor is a time."""
        try:
            moment = datetime.fromisoformat(str(self.cursor))
        except ValueError:
            return None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return max(0.0, (self._clock.now() - moment).total_seconds())

    def data(self) -> dict[str, Any]:
        """How far the run is, for one line."""
        lag = self.lag
        fields = {
            "time": self._clock.now().isoformat(timespec="seconds"),
            "event": "progress",
            "run_id": self.scope.run_id,
            "integration": self.scope.integration,
            "stream": self.scope.stream,
            "records": self.records,
            "rate": round(self.rate, 1),
            "page": self.page,
            "total": self.total,
            "rejected": self.rejected or None,
            "lag": None if lag is None else round(lag),
            "waiting": self.waiting,
        }
        return {name: value for name, value in fields.items() if value not in (None, "")}


@asynccontextmanager
async def showing(stream: TextIO, clock: Clock, *, json: bool = False) -> AsyncIterator[events.Listener]:
    """Show progress on `stream` while the context is open: live on a terminal, else one line every ten seconds."""
    if is_terminal(stream):
        async with _live(stream, clock) as listener:
            yield listener
        return

    def data() -> dict[str, Any]:
        return progress.data()

    async with beating(stream, clock, data, json=json) as line:
        progress = Progress(clock, on_wait=line)
        yield progress


@asynccontextmanager
async def beating(
    stream: TextIO, clock: Clock, data: Callable[[], dict[str, Any]], *, json: bool = False
) -> AsyncIterator[Callable[[], None]]:
    """A line every ten seconds while the context is open; what it gives writes one at once."""

    def line() -> None:
        with while_it_is_read(stream):
            stream.write(as_json(data()) if json else logfmt(data()))
            stream.flush()

    heart = asyncio.create_task(_beat(clock, line))
    try:
        yield line
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)


class Stages:
    """Work in stages, told by their names: what a line says of it."""

    def __init__(self, integration: str, clock: Clock) -> None:
        self._integration, self._clock = integration, clock
        self._began, self._number, self._what = clock.monotonic(), 0, "beginning"

    def __call__(self, what: str) -> None:
        self._number += 1
        self._what = what

    def data(self) -> dict[str, Any]:
        return {
            "time": self._clock.now().isoformat(timespec="seconds"),
            "event": "progress",
            "integration": self._integration,
            "stage": self._what,
            "number": self._number,
            "seconds": round(self._clock.monotonic() - self._began),
        }


async def _beat(clock: Clock, line: Callable[[], None]) -> None:
    while True:
        await clock.sleep(EVERY)
        line()


def logfmt(data: dict[str, Any]) -> str:
    """`name=value` pairs, values with spaces in quotes."""
    pairs = []
    for name, value in data.items():
        text = printable(redacted_text(str(value))).replace("\n", " ")
        quoted = '"' + text.replace('"', "'") + '"'
        pairs.append(f"{name}={quoted if ' ' in text or '=' in text or not text else text}")
    return " ".join(pairs) + "\n"


@asynccontextmanager
async def _live(stream: TextIO, clock: Clock) -> AsyncIterator[events.Listener]:
    # late: rich costs a tenth of a second, which only people at a terminal should pay
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    progress = Progress(clock, worth_saying=WORTH_SEEING)
    console = Console(file=stream)

    def render() -> Text:
        face = _FACES[int(clock.monotonic() * 8) % len(_FACES)]
        name = f" {printable(progress.scope.stream or 'starting')}  "
        text = Text("  ", no_wrap=True, overflow="ellipsis")
        text.append(face, "cyan")
        text.append(name, "bold")
        room = console.width - len(name) - 4
        told = sentence(progress, room)
        if progress.total and (places := min(24, room - len(told) - 2)) >= 8:
            done, rest = bar(progress.records / progress.total, places)
            text.append(done, "green").append(rest, "bright_black").append("  ")
        text.append(told)
        if progress.waiting:
            why = printable(redacted_text(progress.waiting))
            left = "" if isinf(progress.waiting_seconds) else f" {span(progress.waiting_seconds)}"
            text.append(f"\n    waiting{left}: {why}", "yellow")
        return text

    with Live(get_renderable=render, console=console, refresh_per_second=8, transient=True):
        yield progress


def bar(share: float, places: int = 24) -> tuple[str, str]:
    """What is done and what is left."""
    done = min(places, int(share * places))
    return "━" * done, "─" * (places - done)


def sentence(progress: Progress, room: int | None = None) -> str:
    """`1,500 of 5,000 records · 150/s · page 6 · data up to 3 min ago`, as much of it as there is room for."""
    of = f" of {progress.total:,}" if progress.total else ""
    parts = [f"{progress.records:,}{of} records", f"{progress.rate:,.0f}/s", f"page {progress.page}"]
    if progress.rejected:
        parts.append(f"{progress.rejected:,} rejected")
    if (lag := progress.lag) is not None:
        parts.append(f"data up to {span(lag)} ago")
    while room is not None and len(parts) > 1 and len(" · ".join(parts)) > room:
        parts.pop()
    return " · ".join(parts)
