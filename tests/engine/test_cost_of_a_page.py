"""What a page costs besides its records, as far as it can be counted (docs/performance.md)."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import syncline
from syncline import events
from syncline.engine import arun
from syncline.model import encode_json
from tests.engine.shelf import books, integration

FEW, MANY = 20, 120


class Loop(asyncio.SelectorEventLoop):
    """Counts what it is given to do."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = self.steps = 0

    def call_at(self, *args: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*args, **options)

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.steps += 1
        return super().call_soon(*args, **options)


class Pages(BaseHTTPRequestHandler):
    """Pages of two books each, as many as the path says, over one connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?cursor=")
        page, pages = int(query or 0), int(path.rpartition("/")[2])
        records = [{"id": 2 * page + place, "title": "A book", "price": "9.90"} for place in range(2)]
        body = encode_json({"data": records, "meta": {"next": page + 1 if page + 1 < pages else None}})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # in one piece, so that it comes in one

    def log_message(self, *args: Any) -> None:
        """Nothing: the run's own log is what matters."""


class Calls:
    """Counts the calls of our own functions, resumed coroutines among them, while the context is open."""

    def __init__(self) -> None:
        self.count = 0
        self._ours = str(Path(syncline.__file__).parent)

    def __enter__(self) -> Calls:
        sys.setprofile(self._hear)
        return self

    def __exit__(self, *of_error: object) -> None:
        sys.setprofile(None)

    def _hear(self, frame: FrameType, event: str, argument: object) -> None:
        self.count += event == "call" and frame.f_code.co_filename.startswith(self._ours)


@contextmanager
def served() -> Iterator[str]:
    """On threads, so that the loop that is counted does nothing but the run's work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def per_page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What each further page of a run into SQLite adds."""
    with served() as url:
        few, many = (_counted(url, tmp_path_factory.mktemp("run"), pages) for pages in (FEW, MANY))
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def _counted(url: str, folder: Path, pages: int) -> dict[str, int]:
    heard: list[events.Event] = []
    mapping = {"id": "id", "title": "title", "cents": {"source": "price", "transform": "cents"}}
    stream = books(path=f"/{pages}", incremental=None, mapping=mapping)
    with events.listening(lambda scope, event: heard.append(event)), asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Loop)
        with Calls() as calls:
            report = runner.run(arun(integration(url, folder, stream)))
    assert (report.status, report.account.written, report.conduct.requests) == ("done", 2 * pages, pages)
    return {"timers": loop.timers, "steps": loop.steps, "events": len(heard), "calls": calls.count}


def test_a_page_takes_no_timer(per_page: dict[str, float]) -> None:
    # the whole attempt is watched by one timer for all, silence after each piece by one for the whole connection
    assert per_page["timers"] < 0.5


def test_a_page_takes_two_steps_of_the_loop(per_page: dict[str, float]) -> None:
    # the answer wakes the one who asked, and the page the one who writes
    assert per_page["steps"] < 2.5


def test_a_page_is_told_of_by_its_request_itself_and_two_stations(per_page: dict[str, float]) -> None:
    assert per_page["events"] < 4.5


def test_a_page_takes_few_calls_of_our_own_functions(per_page: dict[str, float]) -> None:
    # 164 with Python 3.11, where comprehensions are calls; a program by hand has three
    assert per_page["calls"] < 175
