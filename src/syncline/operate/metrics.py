"""Numbers for Prometheus: counted from events, shown in its text format (version 0.0.4)."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from syncline import __version__, events
from syncline.operate.monitor import Monitor
from syncline.operate.served import Served

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RUN_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
OUTCOMES = ("written", "unchanged", "rejected", "filtered", "in_doubt", "deleted")
STATES = ("closed", "half_open", "open")
MOST = 2_000
"""Label sets of one family; a hostile API cannot make more."""

Labels = tuple[str, ...]


class Counter:
    """Only ever grows."""

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._values: dict[Labels, float] = {}

    def add(self, amount: float, *values: str) -> None:
        if values in self._values or len(self._values) < MOST:
            self._values[values] = self._values.get(values, 0.0) + amount

    def lines(self) -> Iterator[str]:
        yield from family(self.name, "counter", self.help, self.labels, self._values.items())


class Histogram:
    """How often what was measured was at most so much."""

    def __init__(self, name: str, help: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self.name, self.help, self.labels, self._buckets = name, help, tuple(labels), tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *values: str) -> None:
        if values not in self._counts:
            if len(self._counts) >= MOST:
                return
            self._counts[values] = [0] * (len(self._buckets) + 1)
        self._counts[values][bisect_left(self._buckets, value)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + value

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, "histogram", self.help)
        edges = (*(f"{edge:g}" for edge in self._buckets), "+Inf")
        for values, counts in self._counts.items():
            for edge, count in zip(edges, accumulate(counts), strict=True):
                yield _line(f"{self.name}_bucket", (*self.labels, "le"), (*values, edge), count)
            yield _line(f"{self.name}_sum", self.labels, values, self._sums[values])
            yield _line(f"{self.name}_count", self.labels, values, sum(counts))


class Metrics:
    """A listener that counts; `text` adds what the server and the monitor know at that moment."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self._began = monitor, time.time()
        one, stream = ("integration",), ("integration", "stream")
        self.records = Counter("syncline_records_total", "Records, by what became of them.", (*stream, "outcome"))
        self.runs = Counter("syncline_runs_total", "Runs that have ended.", ("integration", "status"))
        self.run_seconds = Histogram("syncline_run_duration_seconds", "How long runs took.", one, RUN_BUCKETS)
        self.requests = Counter(
            "syncline_http_requests_total",
            "Attempts, by the answer's status; 0 where none came.",
            (*one, "method", "status"),
        )
        self.request_seconds = Histogram(
            "syncline_http_request_duration_seconds",
            "From an attempt to its answer.",
            (*one, "method"),
            REQUEST_BUCKETS,
        )
        self.bytes = Counter("syncline_http_response_bytes_total", "Bytes of answers.", one)
        self.retries = Counter("syncline_http_retries_total", "Attempts that were to be made again.", one)
        self.waits = Counter(
            "syncline_rate_limit_wait_seconds_total", "Time waited for limits and because an API asked.", one
        )
        self.tokens = Counter("syncline_token_refresh_total", "Tokens obtained.", one)
        self.changes = Counter("syncline_schema_changes_total", "Changes of the destination's schema.", stream)
        self.told = Counter("syncline_alerts_sent_total", "Alerts told, and told to be over.", ("integration", "alert"))
        self.untold = Counter(
            "syncline_alerts_failed_total", "Alerts that could not be told.", ("integration", "alert")
        )

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        one = scope.integration
        if isinstance(event, events.RequestSent):
            self.requests.add(1, one, event.method, str(event.status))
            self.request_seconds.observe(event.seconds, one, event.method)
            self.bytes.add(event.size, one)
        elif isinstance(event, events.BatchWritten):
            for outcome in OUTCOMES:
                self.records.add(getattr(event, outcome), one, scope.stream, outcome)
        elif isinstance(event, events.PageRead):
            self.records.add(event.records, one, scope.stream, "read")
        elif isinstance(event, events.RunFinished):
            self.runs.add(1, one, event.status)
            self.run_seconds.observe(event.seconds, one)
        elif isinstance(event, events.RetryScheduled):
            self.retries.add(1, one)
        elif isinstance(event, events.Waiting):
            self.waits.add(event.seconds or 0.0, one)
        elif isinstance(event, events.TokenObtained):
            self.tokens.add(1, one)
        elif isinstance(event, events.SchemaChanged):
            self.changes.add(1, one, scope.stream)
        elif isinstance(event, events.AlertTold):
            self.told.add(1, one, event.alert)
        elif isinstance(event, events.AlertUndelivered):
            self.untold.add(1, one, event.alert)

    def text(self, served: Iterable[Served], now: datetime) -> str:
        """Everything, as a scrape gets it."""
        counted = (
            self.records, self.runs, self.run_seconds, self.requests, self.request_seconds, self.bytes, self.retries,
            self.waits, self.tokens, self.changes, self.told, self.untold,
        )  # fmt: skip
        lines = [line for one in counted for line in one.lines()]
        lines += self._gauges(sorted(served, key=lambda one: one.name), now)
        lines += _process(self._began)
        return "\n".join(lines) + "\n"

    def _gauges(self, served: list[Served], now: datetime) -> Iterator[str]:
        one = ("integration",)
        fresh = [(entry, entry.fresh_at) for entry in served]
        lives = [(entry.name, self._monitor.of(entry.name)) for entry in served]

        def gauge(name: str, help: str, values: Iterable[tuple[str, float | None]]) -> Iterator[str]:
            known = (((label,), value) for label, value in values if value is not None)
            return family(name, "gauge", help, one, known)

        yield from gauge(
            "syncline_freshness_seconds",
            "Time since the last complete run.",
            ((entry.name, (now - at).total_seconds() if at else None) for entry, at in fresh),
        )
        yield from gauge(
            "syncline_freshness_target_seconds",
            "The age at which data counts as stale.",
            ((entry.name, entry.integration.target(now) if entry.integration else None) for entry in served),
        )
        yield from gauge(
            "syncline_run_last_success_timestamp_seconds",
            "When the last complete run ended.",
            ((entry.name, at.timestamp() if at else None) for entry, at in fresh),
        )
        yield from gauge(
            "syncline_run_next_timestamp_seconds",
            "When it is due.",
            ((entry.name, entry.due.timestamp() if entry.due and not entry.paused else None) for entry in served),
        )
        yield from gauge(
            "syncline_run_in_progress", "1 while it runs.", ((e.name, float(e.running is not None)) for e in served)
        )
        yield from gauge("syncline_paused", "1 where somebody paused it.", ((e.name, float(e.paused)) for e in served))
        yield from gauge(
            "syncline_file_broken",
            "1 where the file has a mistake.",
            ((e.name, float(e.mistake is not None)) for e in served),
        )
        yield from gauge(
            "syncline_quota_remaining_ratio",
            "What is left of the scarcest quota.",
            ((n, live.quota) for n, live in lives),
        )
        states = (((name, state), float(live.circuit == state)) for name, live in lives for state in STATES)
        yield from family(
            "syncline_circuit_state", "gauge", "1 for the circuit breaker's state.", (*one, "state"), states
        )
        ends = ((name, live.ends_at.timestamp() if live.ends_at else None) for name, live in lives)
        yield from gauge("syncline_credential_end_timestamp_seconds", "When somebody must log in again.", ends)


def family(name: str, kind: str, help: str, labels: Labels, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """The lines of one family; nothing where it has no values."""
    lines = [_line(name, labels, label_values, value) for label_values, value in values]
    if lines:
        yield from _head(name, kind, help)
        yield from lines


def _head(name: str, kind: str, help: str) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, values: Labels, value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in zip(labels, values, strict=True))
    shown = str(int(value)) if value == int(value) else repr(float(value))
    return f"{name}{{{pairs}}} {shown}" if pairs else f"{name} {shown}"


def _escaped(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _process(began: float) -> Iterator[str]:
    """What Prometheus's own clients tell of their process."""
    version = ((__version__,), 1.0)
    yield from family("syncline_build_info", "gauge", "The version that runs.", ("version",), (version,))
    yield from family("process_start_time_seconds", "gauge", "When the process began.", (), (((), began),))
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return  # no Linux
    memory = float(pages * os.sysconf("SC_PAGE_SIZE"))
    yield from family("process_resident_memory_bytes", "gauge", "Memory that it holds.", (), (((), memory),))
    yield from family("process_open_fds", "gauge", "Files and connections that it has open.", (), (((), float(files)),))
