"""A process that writes ten pages and dies on the way: `python -m tests.destinations.crashing MAKER WRITE FOLDER POINT COUNT`.

It kills itself with SIGKILL the COUNTth time that it comes to POINT; it goes on from the checkpoint when started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncline.databases.mysql import MysqlDatabase
from syncline.destinations.sql.rows import Rows
from syncline.destinations.sql.sink import SqlWriter
from syncline.model import SystemClock
from syncline.state import Owner
from syncline.state.ledger import Ledger
from tests.destinations.conformance import KEY, MAKERS, at, batch, done

PAGES, SIZE = 10, 20

POINTS: dict[str, tuple[Any, str, bool]] = {  # owner, function, die after it (or before)
    "before rows": (Rows, "put", False),
    "after rows": (Rows, "put", True),
    "before swap": (SqlWriter, "_swap", False),
    "after swap": (SqlWriter, "_swap", True),
    "before define": (MysqlDatabase, "define", False),
    "after define": (MysqlDatabase, "define", True),
    "before checkpoint": (Ledger, "commit", False),
    "after checkpoint": (Ledger, "commit", True),
}


def die_at(point: str, count: int) -> None:
    owner, name, after = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)
    left = count

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


async def go(maker: str, write: str, folder: Path) -> None:
    bench = MAKERS[maker](folder)
    bench.clock = SystemClock()  # type: ignore[assignment]
    async with bench.sink() as sink:
        run_id = f"run{os.getpid()}"
        lease = await sink.state.acquire(KEY, Owner.current(run_id), bench.clock.now(), 600)
        state = await sink.state.load(KEY)
        page = (state.checkpoint.resume or {"page": 0})["page"]
        writer = await bench.begin(sink, write, lease=lease, primary_key=("id",))
        if state.checkpoint.cursor == "end":
            return
        while page < PAGES:
            ids = range(page * SIZE, (page + 1) * SIZE)
            page += 1
            await writer.write(batch(*ids), [], at(page), lease)
        await writer.finish(done("end"), lease)


if __name__ == "__main__":
    if sys.argv[4] != "never":
        die_at(sys.argv[4], int(sys.argv[5]))
    asyncio.run(go(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
