"""How much of an API's latency is hidden: the same orders, few a page, from a server that answers after 0, 20 and 100 ms."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from measure import Usage

PAGES, PAGE_SIZE = 200, 20
SETTINGS = ((0, 8), (20, 8), (100, 16))
"""Milliseconds before each answer, and requests at a time."""
AIMS = {20: 6.0, 100: 11.0}
BY_NUMBER = {"pagination": {"kind": "page", "total": "meta.total"}}
WAYS: dict[str, dict[str, Any]] = {
    "numbered pages": BY_NUMBER,
    "partitions": {
        "partitions": {"param": "part", "values": list(range(PAGES))},
        "pagination": "none",
    },
    "children": {
        "path": "/parts/{part}",
        "parent": {"stream": "parts", "key": "id", "as": "part"},
        "pagination": "none",
    },
}
PARENTS = {"name": "parts", "path": "/parts", "records": "data", "primary_key": "id"}


@dataclass(frozen=True)
class Hidden:
    """One setting of one round, in seconds of the run without the program's start."""

    way: str
    latency: int
    at_once: int
    serial: float
    parallel: float

    @property
    def gain(self) -> float:
        return self.serial / self.parallel


@dataclass(frozen=True)
class Followed:
    """A list behind a cursor: the seconds that `programs/follow.py` took, who only follows it, and those of the run."""

    latency: int
    least: float
    taken: float

    @property
    def share(self) -> float:
        return self.least / self.taken


Run = Callable[[Callable[[Path], None], str], tuple[Usage, Path]]
"""Runs Syncline in a folder that was prepared, against a server's address; gives the folder that it left."""
Follow = Callable[[str], float]
"""The seconds in which nothing but the pages behind a cursor are fetched."""


def integration(folder: Path, stream: dict[str, Any], at_once: int) -> None:
    """The file for one way: the benchmark's stream, changed."""
    whole = yaml.safe_load((Path(__file__).parent / "orders.yaml").read_text())
    whole["source"]["rate_limit"] = {"concurrency": at_once}
    whole["streams"] = [PARENTS, {**whole["streams"][0], **stream}]
    whole["destination"] = {"kind": "sql", "url": "sqlite:///orders.db"}
    (folder / "orders.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))


def seconds(run: Run, url: str, stream: dict[str, Any], at_once: int) -> float:
    _, folder = run(lambda empty: integration(empty, stream, at_once), url)
    report = json.loads((folder / "stdout").read_text())
    assert report["status"] == "done", report
    orders = next(one for one in report["streams"] if one["name"] == "orders")
    return float(orders["seconds"])


def one_round(run: Run, follow: Follow, urls: dict[int, str]) -> tuple[list[Hidden], list[Followed]]:
    """Everything once, for servers by their latency."""
    hidden, followed = [], []
    for latency, at_once in SETTINGS:
        url = urls[latency]
        followed.append(Followed(latency, follow(url), seconds(run, url, {}, at_once)))
        serial = seconds(run, url, {**BY_NUMBER, "parallel": 1}, at_once)
        hidden += [Hidden(way, latency, at_once, serial, seconds(run, url, WAYS[way], at_once)) for way in WAYS]
        for one in hidden[-len(WAYS) :]:
            print(f"{latency:>4} ms  {one.way:<15} {at_once:>2} at a time  {one.gain:5.1f} ×", flush=True)
        print(f"{latency:>4} ms  cursor          {followed[-1].share:6.1%} of what the latency allows", flush=True)
    return hidden, followed
