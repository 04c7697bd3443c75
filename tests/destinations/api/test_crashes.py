"""Real processes, killed with SIGKILL at every station: the address book counts what it did. Nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncline.state import Effect
from syncline.state.store import open_state
from tests.destinations.api.bench import INTO, KEYED, MATCHED
from tests.destinations.api.contacts import Contacts
from tests.destinations.api.syncing import STATIONS
from tests.destinations.api.test_lost_answers import BATCHED_MATCHED, ONLY_BATCHES
from tests.support.serving import serving

ROOT = Path(__file__).parents[3]
PEOPLE = 240
WAYS: dict[str, dict[str, Any]] = {
    "keyed": {**KEYED, "batch": 10},
    "matched": {**MATCHED, "batch": 10, "lookup_delay": "0s"},
    "batches, keyed": {**ONLY_BATCHES, "batch": 7},
    "batches, matched": {**BATCHED_MATCHED, "batch": 7, "lookup_delay": "0s"},
    "append, keyed": {
        "create": "POST /contacts",
        "write": "append",
        "batch": 10,
        "idempotency_header": "Idempotency-Key",
    },
    "neither": INTO,
}


@asynccontextmanager
async def syncing(tmp_path: Path, into: dict[str, Any], **options: Any) -> AsyncIterator[tuple[Contacts, Path]]:
    """The address book with people to sync into it, and the file that does it."""
    contacts = Contacts(source=PEOPLE, idempotent="idempotency_header" in into, **options)
    async with serving(contacts) as url:
        yield contacts, write_file(tmp_path, url, into)


def write_file(folder: Path, url: str, into: dict[str, Any]) -> Path:
    quick = {"retry": {"base": "10ms", "budget": "100%"}, "circuit_breaker": {"failures": 1000}}
    stream = {
        "name": "people",
        "path": "/people",
        "records": "data",
        "primary_key": "id",
        "pagination": {"kind": "cursor", "next": "next", "param": "cursor", "limit_param": "limit", "limit": 20},
        "mapping": {"external_id": "id", "email": "email", "name": "name", "age": "age"},
        "into": into,
    }
    data = {
        "name": "crm",
        "source": {"kind": "rest", "base_url": url, **quick},
        "streams": [stream],
        "destination": {"kind": "rest", "base_url": url, **quick},
        "state": f"sqlite:///{folder / 'state.db'}",
    }
    path = folder / "crm.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


async def start(file: Path, station: str = "never", count: int = 0) -> asyncio.subprocess.Process:
    words = [sys.executable, "-m", "tests.destinations.api.syncing", str(file), station, str(count)]
    return await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def finish(file: Path, *codes: int) -> str:
    process = await start(file)
    said, _ = await process.communicate()
    assert process.returncode in (codes or (0,)), said.decode()
    return said.decode()


async def doubts(file: Path) -> list[Effect]:
    async with open_state(file.parent / "state.db", create=False) as state:
        return await state.outbox.effects("crm")


def wanted() -> set[str]:
    return {f"p{number}" for number in range(PEOPLE)}


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "neither"])
async def test_r6_r7_killed_at_every_station_each_effect_happens_once(tmp_path: Path, way: str):
    """One run after the other dies the second time that it comes to the next station."""
    async with syncing(tmp_path, WAYS[way]) as (contacts, file):
        for station in STATIONS:
            process = await start(file, station, 2)
            await process.communicate()
            assert process.returncode == -signal.SIGKILL, station
        await finish(file)
        assert contacts.counted("create") == dict.fromkeys(wanted(), 1)
        assert contacts.counted("update") == {}
        assert await doubts(file) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "neither"])
async def test_r6_r7_killed_between_the_commit_and_its_answer(tmp_path: Path, way: str):
    """The address book itself kills whoever asked, once it has acted and before it answers."""
    async with syncing(tmp_path, WAYS[way]) as (contacts, file):
        for after in (1, 9, 25):
            process = await start(file)
            done = len(contacts.effects)

            def kill(effect: Any, process: Any = process, at: int = done + after) -> None:
                if len(contacts.effects) == at:
                    process.kill()

            contacts.committed = kill
            await process.communicate()
            assert process.returncode == -signal.SIGKILL
        contacts.committed = lambda effect: None
        await finish(file)
        assert contacts.counted("create") == dict.fromkeys(wanted(), 1)
        assert await doubts(file) == []


@pytest.mark.slow
@pytest.mark.parametrize("station", STATIONS)
async def test_r7_killed_where_nobody_can_be_asked_nothing_is_sent_twice_and_the_doubts_are_told(
    tmp_path: Path, station: str
):
    async with syncing(tmp_path, WAYS["neither"]) as (contacts, file):
        for count in (1, 2):
            await (await start(file, station, count)).communicate()
        await finish(file, 0, 5)
        made = contacts.counted("create")
        assert set(made.values()) == {1}
        in_doubt = await doubts(file)
        assert len(in_doubt) <= 20, "no more than were under way"
        assert set(made) | {effect.source_key[2:-2] for effect in in_doubt} == wanted()
        if station == "checkpoint committed":
            assert in_doubt == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["keyed", "batches, matched", "append, keyed"])
async def test_r6_r7_killed_at_random_with_every_fifth_answer_lost(tmp_path: Path, way: str):
    rng = random.Random(way)
    async with syncing(tmp_path, WAYS[way], drops=0.2) as (contacts, file):
        for _ in range(4):
            process = await start(file)
            await asyncio.sleep(rng.uniform(0.3, 1.2))  # a real process in real time: there is nothing else to wait on
            if process.returncode is None:
                os.kill(process.pid, signal.SIGKILL)
            await process.communicate()
        await finish(file)
        twice = contacts.counted("create")
        if way == "append, keyed":  # every complete pass adds every row
            assert len(set(twice.values())) == 1
            assert set(twice) == wanted()
        else:
            assert twice == dict.fromkeys(wanted(), 1)
        assert await doubts(file) == []
