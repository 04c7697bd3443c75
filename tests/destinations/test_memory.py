"""R38: however many records come, the memory of a run stays what it was, and so do its file descriptors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncline.model import reveal
from syncline.rehearsal.simulator.wire import Answer, Call
from tests.destinations.conformance import DATABASES, MAKERS
from tests.support.serving import Saying, serving_aside

PAGE = 1_000
BUFFERED = {"duckdb": 240, "parquet": 260}
"""DuckDB fills buffers of its own, which 300,000 records are too few for: how many megabytes the whole process may have."""
RUN = """\
import asyncio, json, os, resource, sys
from pathlib import Path
from syncline import arun
from syncline.events import BatchWritten

seen = []

def hear(scope, event):
    if isinstance(event, BatchWritten):
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        seen.append((resident / 2**20, len(os.listdir("/proc/self/fd"))))

report = asyncio.run(arun(Path(sys.argv[1]), listeners=[hear]))
assert report.status == "done", report.error
try:
    told = Path("/proc/self/status").read_text()
    peak = int(told.partition("VmHWM:")[2].split()[0]) / 1024
except OSError:  # not Linux, where the peak of the process before exec would be counted in
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seen": seen, "peak": peak, "written": report.streams[0].account.written}))
"""


def orders(call: Call) -> Answer:
    """`/300000?cursor=2000` gives a page of the first 300,000 orders."""
    begin, last = int(call.params.get("cursor", "0")), int(call.path[1:])
    end = begin + PAGE
    rows = ",".join(
        f'{{"id":{number},"name":"customer {number * 7919 % 100_003}","total":{number % 977}.{number % 90 + 10},'
        f'"paid":true,"note":"{"x" * (150 + number % 60)}","at":"2026-01-02T03:04:05Z"}}'
        for number in range(begin, end)
    )
    body = f'{{"data":[{rows}],"next":{end if end < last else "null"}}}'
    return Answer(headers=(("Content-Type", "application/json"),), body=body.encode())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_aside(Saying(orders)) as address:
        yield address


def ran(folder: Path, destination: dict[str, Any], url: str, count: int, write: str) -> dict[str, Any]:
    """A run of so many records, in a process of its own."""
    stream = {
        "name": f"orders_{count}",
        "path": f"/{count}",
        "records": "data",
        "primary_key": "id",
        "pagination": {"kind": "cursor", "next": "next", "param": "cursor"},
        "into": {"write": write},
    }
    file = folder / f"{count}.yaml"
    source = {"kind": "rest", "base_url": url}
    file.write_text(yaml.safe_dump({"name": "many", "source": source, "streams": [stream], "destination": destination}))
    done = subprocess.run([sys.executable, "-c", RUN, file], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["written"] == count
    return told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite", "postgresql", "duckdb", "jsonl", "csv", "parquet"])
def test_r38_memory_and_file_descriptors_do_not_grow_with_the_records(name: str, url: str, tmp_path: Path) -> None:
    bench = MAKERS[name](tmp_path)
    destination = {key: reveal(value) if key == "url" else value for key, value in bench.destination.to_data().items()}
    write = "upsert" if name in DATABASES else "append"
    try:
        first, last = (ran(tmp_path, destination, url, count, write) for count in (150_000, 300_000))
    finally:
        bench.drop()
    files = {count for _, count in last["seen"][1:]}
    assert max(files) - min(files) <= 1, files
    if name in BUFFERED:
        assert last["peak"] < BUFFERED[name]
        return
    slope = (last["peak"] - first["peak"]) / 1.5
    assert slope < 1, f"{slope:.1f} MB for each 100,000 records"
    resident = [megabytes for megabytes, _ in last["seen"]]
    slope = (resident[-1] - resident[len(resident) // 2]) / 1.5
    assert slope < 1, f"{slope:.1f} MB for each 100,000 records of the second half"
