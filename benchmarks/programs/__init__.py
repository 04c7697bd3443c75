"""Who takes part: each program's environment, its command, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orders import COLUMNS, row, written

HERE = Path(__file__).parent
Rows = Iterator[tuple[Any, ...]]
Stages = list[list[str]]


def _sqlite(folder: Path) -> Rows:
    return written(folder / "orders.db")


def _mapped(folder: Path) -> Rows:
    """Rows of an Airbyte message stream, where null is left out, or empty where a template made it."""
    for data in _messages(folder):
        yield tuple(data.get(name) or None if name == "phone" else data.get(name) for name in COLUMNS)


def _raw(folder: Path) -> Rows:
    for data in _messages(folder):
        yield row({"note": None, **data, "customer": {"phone": None, **data["customer"]}})


def _messages(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "stdout").open() as lines:
        for line in lines:
            if line.startswith('{"type":"RECORD"'):
                yield json.loads(line)["record"]["data"]


@dataclass(frozen=True)
class Program:
    """One way to do the work. `stages(python, url)` are its commands, joined by pipes and run in an empty
    folder, where they leave `orders.db`.

    `environment` names a file in `requirements/`; without one it runs where Syncline is installed.
    `share` is the part of the records it is given, for those that would keep everybody waiting.
    """

    name: str
    what: str
    stages: Callable[[str, str], Stages]
    environment: str | None = None
    share: float = 1.0
    rows: Callable[[Path], Rows] = _sqlite


def _script(name: str, *arguments: str) -> Callable[[str, str], Stages]:
    return lambda python, url: [[python, str(HERE / name), url, *arguments]]


def _syncline(python: str, url: str) -> Stages:
    return [[str(Path(python).parent / "syncline"), "run", str(HERE.parent / "orders.yaml"), "--json"]]


def _singer(python: str, url: str) -> Stages:
    return [
        [python, str(HERE / "singer_tap.py"), "--config=ENV"],
        [python, str(HERE / "singer_target.py"), "--config=ENV"],
    ]


PROGRAMS = (
    Program("limit", "aiohttp, msgspec and sqlite3 by hand, nothing that protects anybody", _script("limit.py")),
    Program(
        "limit structs",
        "the same, decoding just what is mapped into structs written for it",
        _script("limit_structs.py"),
    ),
    Program("syncline", "`syncline run`, all protections as they are by default", _syncline),
    Program("loop", "an afternoon's loop: httpx and SQLAlchemy", _script("loop.py"), "loop"),
    Program("dlt", "REST source, `add_map`, append", _script("dlt_orders.py", "append"), "dlt"),
    Program("dlt merge", "the same, upsert by primary key", _script("dlt_orders.py", "merge"), "dlt"),
    Program("singer", "tap and target on singer-sdk, upsert, msgspec for messages", _singer, "singer", share=0.2),
    Program(
        "airbyte",
        "low-code manifest, mapped, to its message stream",
        _script("airbyte_orders.py", "mapped"),
        "airbyte",
        share=0.2,
        rows=_mapped,
    ),
    Program(
        "airbyte raw",
        "the same without the mapping: records as they came",
        _script("airbyte_orders.py", "raw"),
        "airbyte",
        share=0.2,
        rows=_raw,
    ),
)
