"""Runs as OpenTelemetry traces and metrics, with the stable names of HTTP (semantic conventions 1.23)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, set_span_in_context

from syncline import __version__, events
from syncline.model import Clock, SystemClock
from syncline.operate.log_lines import without_query

OUTCOMES = ("written", "unchanged", "rejected", "filtered", "in_doubt", "deleted")
LAST_WORDS = 1.5
"""Seconds at the end in which what was not sent yet may be: a collector that is gone is not to keep a server from leaving."""
WELL = frozenset({"done", "interrupted", "deferred", "held"})


class RunIds(RandomIdGenerator):
    """Gives a run's trace the run's own id, so that log lines, reports and traces have one number."""

    def __init__(self) -> None:
        self.next: str | None = None

    def generate_trace_id(self) -> int:
        known, self.next = self.next, None
        return int(known, 16) if known else int(super().generate_trace_id())


class Open(msgspec.Struct):
    """The spans of a run that have not ended."""

    run: Span
    streams: dict[str, Span] = {}


class Traces:
    """A listener: a span for each run, within it one for each stream, within that one for each attempt."""

    def __init__(self, tracers: TracerProvider, meters: MeterProvider, clock: Clock | None = None) -> None:
        self._clock, self._ids = clock or SystemClock(), tracers.id_generator
        self._tracer = tracers.get_tracer("syncline", __version__)
        meter = meters.get_meter("syncline", __version__)
        self._seconds = meter.create_histogram("http.client.request.duration", "s", "Duration of HTTP client requests.")
        self._records = meter.create_counter("syncline.records", "{record}", "Records, by what became of them.")
        self._open: dict[str, Open] = {}

    def __call__(self, scope: events.Scope, event: events.Event) -> None:
        if not scope.run_id:
            return
        if isinstance(event, events.RunStarted):
            self._begin(scope)
        known = self._open.get(scope.run_id)
        if known is None:
            return
        if isinstance(event, events.StreamStarted):
            name = {"syncline.stream": scope.stream, "syncline.sync_mode": event.sync_mode}
            known.streams[scope.stream] = self._tracer.start_span(
                "stream", set_span_in_context(known.run), attributes=name, start_time=self._now()
            )
        elif isinstance(event, events.RequestSent):
            self._attempt(scope, event, known)
        elif isinstance(event, events.BatchWritten):
            for outcome in OUTCOMES:
                if number := getattr(event, outcome):
                    names = {
                        "syncline.integration": scope.integration,
                        "syncline.stream": scope.stream,
                        "outcome": outcome,
                    }
                    self._records.add(number, names)
        elif isinstance(event, events.StreamFinished):
            if (span := known.streams.pop(scope.stream, None)) is not None:
                self._end(span, event.status)
        elif isinstance(event, events.RunFinished):
            del self._open[scope.run_id]
            for span in known.streams.values():
                self._end(span, event.status)
            self._end(known.run, event.status)

    def _begin(self, scope: events.Scope) -> None:
        if isinstance(self._ids, RunIds):
            self._ids.next = scope.run_id
        names = {"syncline.integration": scope.integration, "syncline.run_id": scope.run_id}
        span = self._tracer.start_span(
            "run", set_span_in_context(INVALID_SPAN), attributes=names, start_time=self._now()
        )
        self._open[scope.run_id] = Open(run=span)

    def _attempt(self, scope: events.Scope, event: events.RequestSent, known: Open) -> None:
        """One attempt that has come to its end: the span is begun and ended at once, at the times that it had."""
        end, address = self._now(), urlsplit(event.url)
        labels: dict[str, Any] = {
            "http.request.method": event.method,
            "server.address": address.hostname or "",
            "server.port": address.port or {"http": 80, "https": 443}.get(address.scheme, 0),
        }
        if event.status:
            labels["http.response.status_code"] = event.status
        if event.status >= 400 or event.error:
            labels["error.type"] = (
                str(event.status) if event.status >= 400 else "no_answer" if not event.status else "body"
            )
        self._seconds.record(event.seconds, labels)
        details = {**labels, "url.full": without_query(event.url), "http.response.body.size": event.size}
        if event.attempt > 1:
            details["http.request.resend_count"] = event.attempt - 1
        if event.request_id:
            details["syncline.request_id"] = event.request_id
        span = self._tracer.start_span(
            event.method,
            set_span_in_context(known.streams.get(scope.stream, known.run)),
            kind=SpanKind.CLIENT,
            attributes=details,
            start_time=end - int(event.seconds * 1e9),
        )
        if "error.type" in labels:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def _end(self, span: Span, status: str) -> None:
        span.set_attribute("syncline.status", status)
        if status not in WELL:
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._now())

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1e9)


@contextmanager
def exported() -> Iterator[Traces]:
    """Traces that go where OpenTelemetry's own variables say: OTEL_EXPORTER_OTLP_ENDPOINT and its like."""
    # late: they bring requests and protobuf, which no test of the listener needs
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    tracers = TracerProvider(id_generator=RunIds(), shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = SdkMeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], shutdown_on_exit=False)
    try:
        yield Traces(tracers, meters)
    finally:
        ends = [threading.Thread(target=provider.shutdown, daemon=True) for provider in (tracers, meters)]
        for end in ends:
            end.start()
        limit = time.monotonic() + LAST_WORDS
        for end in ends:
            end.join(max(0.0, limit - time.monotonic()))
