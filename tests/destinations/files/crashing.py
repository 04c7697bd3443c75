"""A process that writes ten pages into files and dies on the way: `python -m tests.destinations.files.crashing MAKER WRITE FOLDER
STATION COUNT`.

It kills itself with SIGKILL the COUNTth time that it comes to STATION; it goes on from the checkpoint when started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from syncline import events
from syncline.destinations import File
from syncline.model import Batch, SystemClock, decode_json
from syncline.state import Owner
from tests.destinations.conformance import (
    KEY,
    Bench,
    at,
    csv_bench,
    done,
    jsonl_bench,
    parquet_bench,
    parquet_rows,
    s3_bench,
)

PAGES, SIZE = 10, 20
STATIONS = ("file appended", "file committed", "file completed", "pass committed", "file published", "manifest written")


def partitioned_bench(folder: Path) -> Bench:
    """Parquet by a column, in parts; what is current is what the manifest names."""

    def read() -> list[dict[str, Any]]:
        manifests = [decode_json(file.read_bytes()) for file in (folder / "out" / "_manifest").rglob("*.json")]
        files = [file for one in sorted(manifests, key=lambda one: one["finished"]) for file in one["files"]]
        assert len({file["path"] for file in files}) == len(files)
        rows = [row for file in files for row in parquet_rows(folder / "out" / file["path"])]
        return sorted(rows, key=lambda row: row["id"])

    path = f"{folder}/out/{{stream}}/text={{text}}/{{run}}.parquet"
    return Bench(folder, File(path=path, max_file=1_000), read)


MAKERS = {
    "jsonl": jsonl_bench,
    "csv": csv_bench,
    "parquet": parquet_bench,
    "partitioned": partitioned_bench,
    "s3": s3_bench,
}


def die_at(station: str, count: int) -> events.Listener:
    left = count

    def listen(scope: events.Scope, event: events.Event) -> None:
        nonlocal left
        if isinstance(event, events.Reached) and event.station == station:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return listen


async def go(maker: str, write: str, folder: Path) -> None:
    bench = MAKERS[maker](folder)
    bench.clock = SystemClock()  # type: ignore[assignment]
    async with bench.sink() as sink:
        lease = await sink.state.acquire(KEY, Owner.current(f"run{os.getpid()}"), bench.clock.now(), 600)
        state = await sink.state.load(KEY)
        page = (state.checkpoint.resume or {"page": 0})["page"]
        writer = await bench.begin(sink, write, lease=lease)
        if state.checkpoint.cursor == "end":
            return
        while page < PAGES:
            rows = [(number, f"t{number % 3}") for number in range(page * SIZE, (page + 1) * SIZE)]
            page += 1
            await writer.write(Batch(columns=("id", "text"), rows=rows), [], at(page), lease)
        await writer.finish(done("end"), lease)


if __name__ == "__main__":
    with events.listening(die_at(sys.argv[4], int(sys.argv[5]))):
        asyncio.run(go(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
