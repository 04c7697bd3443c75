"""Who is told of what happens (events.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline import events
from syncline.cli.progress import Progress
from syncline.engine.report import Tally
from syncline.events import BatchWritten, Event, Noticed, PageRead, Reached, RequestSent, Scope, emit, listening
from syncline.model import SystemClock
from syncline.operate.home import Home
from syncline.operate.log_file import LogFile
from syncline.operate.log_lines import LEVELS, level_of

FAILED = RequestSent(method="GET", url="https://shop.example", status=0, attempt=1, seconds=0.1, size=0, error="cut")
SENT = RequestSent(method="GET", url="https://shop.example", status=200, attempt=1, seconds=0.1, size=7)


class Choosy:
    """Wants pages alone, and remembers what it was asked and told."""

    def __init__(self) -> None:
        self.asked: list[type[Event]] = []
        self.told: list[Event] = []

    def wants(self, kind: type[Event]) -> bool:
        self.asked.append(kind)
        return kind is PageRead

    def __call__(self, scope: Scope, event: Event) -> None:
        self.told.append(event)


def test_a_listener_is_told_what_it_wants_and_asked_once_for_each_kind() -> None:
    choosy, page, everything = Choosy(), PageRead(number=1, records=2, total=None), list[Event]()
    with listening(choosy), listening(lambda scope, event: everything.append(event)):
        for event in (page, Reached(station="page mapped"), page):
            emit(event)
    emit(page)  # nobody listens any more
    assert choosy.told == [page, page]
    assert everything == [page, Reached(station="page mapped"), page]
    assert choosy.asked == [PageRead, Reached]


def test_who_wants_nothing_of_a_kind_does_not_keep_it_from_others_within() -> None:
    outer, inner = Choosy(), list[Event]()
    with listening(outer):
        emit(Noticed(what="before"))
        with listening(lambda scope, event: inner.append(event)):
            emit(Noticed(what="within"))
        emit(Noticed(what="after"))
    assert (outer.told, inner) == ([], [Noticed(what="within")])


@pytest.mark.parametrize("level", LEVELS)
def test_the_log_file_wants_every_kind_of_which_a_line_may_come(level: str, tmp_path: Path) -> None:
    log_file = LogFile(Home(tmp_path), level)
    for event in (SENT, FAILED, Noticed(what="a total moved"), Reached(station="page mapped")):
        if LEVELS[level_of(event)] >= LEVELS[level]:
            assert log_file.wants(type(event))


def test_nobody_of_a_usual_run_hears_of_stations_and_only_progress_hears_of_pages(tmp_path: Path) -> None:
    log_file = LogFile(Home(tmp_path))
    everybody = (log_file, Progress(SystemClock()), Tally())
    wanting = {
        kind: [listener for listener in everybody if listener.wants(kind)]
        for kind in (Reached, PageRead, BatchWritten, RequestSent)
    }
    assert wanting == {
        Reached: [],
        PageRead: [everybody[1]],
        BatchWritten: [everybody[1]],
        RequestSent: list(everybody),
    }


def test_an_event_is_heard_with_where_it_belongs() -> None:
    heard: list[tuple[Scope, Event]] = []
    with listening(lambda scope, event: heard.append((scope, event))), events.within(integration="shop"):
        emit(SENT)
    assert heard == [(Scope(integration="shop"), SENT)]
