"""Traces: a run is a trace of its own id, every attempt a span with the stable names."""

from __future__ import annotations

import time
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from syncline import events
from syncline.operate.traces import RunIds, Traces, exported
from syncline.rehearsal.simulator.wire import Answer, Call
from tests.support.clock import SimulatedClock
from tests.support.serving import Saying, serving_aside

RUN = "2a04aa11bb22cc33dd44ee55ff667788"


class Heard:
    def __init__(self) -> None:
        self.exporter, self.reader, self.clock = InMemorySpanExporter(), InMemoryMetricReader(), SimulatedClock()
        tracers = TracerProvider(id_generator=RunIds())
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(tracers, MeterProvider([self.reader]), self.clock)

    def tell(self, event: events.Event, *, run: str = RUN, stream: str = "", passed: float = 0.0) -> None:
        self.clock.advance(passed)
        self.traces(events.Scope(run_id=run, integration="shop", stream=stream), event)

    def spans(self) -> dict[str, list[ReadableSpan]]:
        found: dict[str, list[ReadableSpan]] = {}
        for span in self.exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


def attempt(number: int, status: int, **more: Any) -> events.RequestSent:
    url = "https://user:canary@api.shop.example/v2/orders?key=canary"
    return events.RequestSent(method="GET", url=url, status=status, attempt=number, seconds=0.25, size=90, **more)


@pytest.fixture
def heard() -> Heard:
    heard = Heard()
    heard.tell(events.RunStarted(streams=("orders",)))
    heard.tell(events.StreamStarted(sync_mode="incremental", cursor=None, resumed=False), stream="orders", passed=1)
    heard.tell(attempt(1, 503, error="server"), stream="orders", passed=1)
    heard.tell(attempt(2, 200, request_id="abc"), stream="orders", passed=1)
    heard.tell(events.BatchWritten(written=7, unchanged=1, rejected=2, filtered=0), stream="orders")
    counts = {"read": 10, "written": 7, "unchanged": 1, "rejected": 2, "filtered": 0}
    heard.tell(events.StreamFinished(status="done", **counts), stream="orders", passed=1)
    heard.tell(events.RunFinished(status="done", seconds=4.0))
    return heard


def test_a_run_is_a_trace_whose_id_is_the_runs(heard: Heard) -> None:
    spans = heard.spans()
    assert {name: len(found) for name, found in spans.items()} == {"run": 1, "stream": 1, "GET": 2}
    (run,), (stream,) = spans["run"], spans["stream"]
    assert {f"{span.context.trace_id:032x}" for found in spans.values() for span in found} == {RUN}
    assert run.parent is None
    assert stream.parent is not None
    assert stream.parent.span_id == run.context.span_id
    assert {span.parent and span.parent.span_id for span in spans["GET"]} == {stream.context.span_id}
    assert run.attributes is not None
    assert run.attributes["syncline.integration"] == "shop"


def test_an_attempt_has_the_stable_names_and_its_own_times(heard: Heard) -> None:
    first, second = heard.spans()["GET"]
    assert first.kind is SpanKind.CLIENT
    assert dict(second.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "api.shop.example",
        "server.port": 443,
        "http.response.status_code": 200,
        "url.full": "https://api.shop.example/v2/orders",
        "http.response.body.size": 90,
        "http.request.resend_count": 1,
        "syncline.request_id": "abc",
    }
    assert first.attributes is not None
    assert (first.attributes["error.type"], first.status.is_ok) == ("503", False)
    assert second.start_time is not None
    assert second.end_time is not None
    assert round((second.end_time - second.start_time) / 1e9, 3) == 0.25


def test_s9_no_span_holds_a_secret(heard: Heard) -> None:
    assert "canary" not in "".join(span.to_json() for found in heard.spans().values() for span in found)


def test_metrics_are_measured_beside(heard: Heard) -> None:
    assert sum(point.count for point in heard.points("http.client.request.duration")) == 2
    records = {point.attributes["outcome"]: point.value for point in heard.points("syncline.records")}
    assert records == {"written": 7, "unchanged": 1, "rejected": 2}


def test_runs_at_the_same_time_are_traces_of_their_own() -> None:
    heard, other = Heard(), RUN[::-1]
    for run in (RUN, other):
        heard.tell(events.RunStarted(streams=()), run=run)
    for run in (RUN, other):
        heard.tell(events.StreamStarted(sync_mode="full_refresh", cursor=None, resumed=False), run=run, stream="a")
        heard.tell(events.RunFinished(status="failed", seconds=1.0), run=run)  # broken off within its stream
    spans = heard.spans()
    assert {f"{span.context.trace_id:032x}" for span in spans["run"]} == {RUN, other}
    assert len(spans["stream"]) == 2
    assert not any(span.status.is_ok for found in spans.values() for span in found)
    assert heard.traces._open == {}


def tell_of_a_run(traces: Traces) -> None:
    scope = events.Scope(run_id=RUN, integration="shop")
    traces(scope, events.RunStarted(streams=()))
    traces(scope, attempt(1, 200))
    traces(scope, events.RunFinished(status="done", seconds=1.0))


def test_a_collector_gets_traces_and_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []  # protobuf is not read here

    def collect(call: Call) -> Answer:
        paths.append(call.path)
        return Answer()

    with serving_aside(Saying(collect)) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        with exported() as traces:
            tell_of_a_run(traces)
    assert set(paths) == {"/v1/traces", "/v1/metrics"}


@pytest.mark.slow
def test_r33_a_collector_that_is_gone_keeps_nobody_from_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with exported() as traces:
        tell_of_a_run(traces)
        asked = time.monotonic()
    assert time.monotonic() - asked < 2.5
