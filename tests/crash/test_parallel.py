"""Passes that read several slices side by side, killed again and again: nothing lost, nothing twice (R1)."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from syncline.rehearsal.killing import Kill
from syncline.rehearsal.victims import warmed_up
from tests.support.serving import serving

SLICES, PAGES, PAGE = 9, 6, 100
STATIONS = ("page fetched", "page mapped", "rows written", "checkpoint written", "committed", "before finish")
PARTITIONS = {"path": "/rows", "partitions": {"param": "slice", "values": [f"s{n}" for n in range(SLICES)]}}
CHILDREN = {"path": "/rows/{slice}", "parent": {"stream": "slices", "key": "id", "as": "slice"}}


def in_slice(number: int) -> int:
    """Slices of every length, the first the longest: the others come further than it."""
    return PAGES * PAGE * 2 if number == 0 else PAGES * PAGE * (number % 4) // 3


async def answer(request: web.Request) -> web.Response:
    await asyncio.sleep(random.random() * 0.004)  # the network: answers overtake each other
    if request.path == "/slices":
        return web.json_response([{"id": f"s{n}"} for n in range(SLICES)])
    name = request.query.get("slice") or request.path.rpartition("/")[2]
    number, begin = int(name.removeprefix("s")), int(request.query.get("cursor", 0))
    end = min(begin + PAGE, in_slice(number))
    records = [{"id": number * 10_000 + place} for place in range(begin, end)]
    return web.json_response({"data": records, "next": str(end) if end < in_slice(number) else None})


@pytest.mark.slow
@pytest.mark.parametrize("slices", [PARTITIONS, CHILDREN], ids=["partitions", "children"])
async def test_r1_killed_while_slices_are_read_side_by_side(tmp_path: Path, slices: dict[str, object]) -> None:
    chance = random.Random(20261126)
    stream = {
        "name": "rows",
        **slices,
        "records": "data",
        "pagination": {"kind": "cursor", "next": "next", "param": "cursor"},
        "parallel": 5,
        "mapping": {"id": {"source": "id", "required": True}, "slice": "slice"},
        "into": {"write": "append"},
    }
    wanted = sorted(n * 10_000 + place for n in range(SLICES) for place in range(in_slice(n)))
    file = tmp_path / "rows.yaml"
    kills = 0
    async with serving(answer) as url, warmed_up("tests.crash.warm") as victims:
        parents = {"name": "slices", "path": "/slices", "primary_key": "id"}
        whole = {
            "name": "side-by-side",
            "source": {"kind": "rest", "base_url": url},
            "streams": [parents, stream],
            "destination": {"kind": "sql", "url": "sqlite:///rows.db"},
        }
        file.write_text(yaml.safe_dump(whole))
        for _ in range(40):
            kill = Kill(station=chance.choice(STATIONS), count=chance.randint(1, 12)) if kills < 12 else None
            ended = await victims.run(file, kill=kill)
            kills += ended.killed
            if not ended.killed:
                assert ended.exit_code == 0, ended
                if kills >= 12:
                    break
                with sqlite3.connect(tmp_path / "rows.db") as database:  # a whole pass got through: on to the next
                    assert sorted(n for (n,) in database.execute("SELECT id FROM rows")) == wanted
                    database.execute("DELETE FROM rows")
        with sqlite3.connect(tmp_path / "rows.db") as database:
            found = sorted(n for (n,) in database.execute("SELECT id FROM rows"))
        database.close()
    assert found == wanted
    assert kills >= 12
