"""What production asks for, judged by the file alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from syncline.model import Reference
from syncline.pagination import Unpaged
from syncline.spec import Integration, Stream


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist: what is asked for, whether the file has it, and what it says or lacks."""

    what: str
    done: bool
    why: str


def readiness(integration: Integration) -> list[Point]:
    """Every point in its fixed order; asks nobody and reads no secret."""
    return [*_of_the_source(integration.source), *_of_the_streams(integration), *_of_its_life(integration)]


def _of_the_source(source: Any) -> list[Point]:
    limits = getattr(getattr(source, "rate_limit", None), "limits", ())
    retry = getattr(source, "retry", None)
    breaker = getattr(source, "circuit_breaker", None)
    base_url = getattr(source, "base_url", "")
    encrypted = isinstance(base_url, Reference) or str(base_url).startswith("https://")
    return [
        Point(
            what="Credentials are references, none stands in the file",
            done=True,
            why="the file would not load otherwise",
        ),
        Point(
            what="The API is asked over TLS",
            done=encrypted,
            why="https, or by reference" if encrypted else "base_url is http",
        ),
        Point(
            what="The rate limit is written down",
            done=bool(limits),
            why=", ".join(map(str, limits)) or "rate_limit has no windows; only what the API tells slows it down",
        ),
        Point(
            what="Failed requests are repeated, with an end",
            done=retry is not None and retry.attempts > 1,
            why="retry is off" if retry is None or retry.attempts < 2 else f"{retry.attempts} attempts",
        ),
        Point(
            what="A failing API is left alone",
            done=breaker is not None,
            why="no circuit breaker" if breaker is None else f"after {breaker.failures} failures in a row",
        ),
    ]


def _of_the_streams(integration: Integration) -> list[Point]:
    return [
        _all(integration, "Every stream has a primary key", lambda stream: bool(stream.primary_key), "primary_key"),
        _all(
            integration,
            "Every list is read to its end",
            lambda stream: stream.single or not isinstance(stream.pagination, Unpaged),
            "pagination",
        ),
        _all(
            integration,
            "Every stream asks only for what changed",
            lambda stream: stream.single or stream.incremental is not None,
            "incremental",
        ),
        _all(integration, "Every stream says what its rows are", lambda stream: stream.mapping is not None, "mapping"),
        _all(
            integration,
            "Running again writes nothing twice",
            lambda stream: stream.into.write in ("upsert", "replace"),
            "into.write: upsert",
        ),
        _all(integration, "Deletes at the source are noticed", lambda stream: stream.deletes is not None, "deletes"),
    ]


def _of_its_life(integration: Integration) -> list[Point]:
    return [
        Point(
            what="It runs on a schedule",
            done=integration.schedule is not None,
            why=str(integration.schedule or "schedule is missing"),
        ),
        Point(
            what="Production's volume is known",
            done=integration.volume is not None,
            why=integration.volume or "volume is missing",
        ),
        Point(
            what="Somebody is told when it fails",
            done=any("failed" in alert.on for alert in integration.alerts),
            why=f"{len(integration.alerts)} alerts" if integration.alerts else "alerts is empty",
        ),
    ]


def _all(integration: Integration, what: str, holds: Callable[[Stream], bool], lacks: str) -> Point:
    without = [stream.name for stream in integration.streams if not holds(stream)]
    why = "all of them" if not without else f"{lacks} is missing in {', '.join(without)}"
    return Point(what=what, done=not without, why=why)
