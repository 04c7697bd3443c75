"""Real processes, killed with SIGKILL at every station: the address book counts what it did. Nothing twice, nothing lost."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncline.rehearsal.killing import Kill
from syncline.rehearsal.victims import Victim, Victims, warmed_up
from syncline.state import Effect
from syncline.state.store import open_state
from tests.destinations.api.bench import INTO, KEYED, MATCHED
from tests.destinations.api.contacts import Contacts
from tests.destinations.api.test_lost_answers import BATCHED_MATCHED, ONLY_BATCHES
from tests.support.serving import serving

PEOPLE = 240
STATIONS = ("outbox stored", "request sent", "answer received", "outcome stored", "checkpoint committed")
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
async def syncing(
    tmp_path: Path, into: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[Contacts, Path, Victims]]:
    """The address book with people to sync into it, the file that does it, and what makes processes that do."""
    contacts = Contacts(source=PEOPLE, idempotent="idempotency_header" in into, **options)
    async with serving(contacts) as url, warmed_up("tests.crash.warm") as victims:
        yield contacts, write_file(tmp_path, url, into), victims


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


async def finish(victims: Victims, file: Path, *codes: int) -> None:
    ended = await victims.run(file)
    assert ended.exit_code in (codes or (0,)), ended


async def doubts(file: Path) -> list[Effect]:
    async with open_state(file.parent / "state.db", create=False) as state:
        return await state.outbox.effects("crm")


def wanted() -> set[str]:
    return {f"p{number}" for number in range(PEOPLE)}


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "neither"])
async def test_r6_r7_killed_at_every_station_each_effect_happens_once(tmp_path: Path, way: str):
    """One run after the other dies the second time that it comes to the next station."""
    async with syncing(tmp_path, WAYS[way]) as (contacts, file, victims):
        for station in STATIONS:
            assert (await victims.run(file, kill=Kill(station=station, count=2))).killed, station
        await finish(victims, file)
        assert contacts.counted("create") == dict.fromkeys(wanted(), 1)
        assert contacts.counted("update") == {}
        assert await doubts(file) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "neither"])
async def test_r6_r7_killed_between_the_commit_and_its_answer(tmp_path: Path, way: str):
    """The address book itself kills whoever asked, once it has acted and before it answers."""
    async with syncing(tmp_path, WAYS[way]) as (contacts, file, victims):
        for after in (1, 9, 25):
            at, victim = len(contacts.effects) + after, victims.start(file)

            def kill(effect: Any, at: int = at, victim: Victim = victim) -> None:
                if len(contacts.effects) == at:
                    os.kill(victim.started.result(), signal.SIGKILL)

            contacts.committed = kill
            assert (await victim.ended()).killed
        contacts.committed = lambda effect: None
        await finish(victims, file)
        assert contacts.counted("create") == dict.fromkeys(wanted(), 1)
        assert await doubts(file) == []


@pytest.mark.slow
@pytest.mark.parametrize("station", STATIONS)
async def test_r7_killed_where_nobody_can_be_asked_nothing_is_sent_twice_and_the_doubts_are_told(
    tmp_path: Path, station: str
):
    async with syncing(tmp_path, WAYS["neither"]) as (contacts, file, victims):
        for count in (1, 2):
            await victims.run(file, kill=Kill(station=station, count=count))
        await finish(victims, file, 0, 5)
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
    async with syncing(tmp_path, WAYS[way], drops=0.2) as (contacts, file, victims):
        for _ in range(4):
            await victims.run(file, kill=Kill(after=rng.uniform(0.02, 0.3)))
        await finish(victims, file)
        twice = contacts.counted("create")
        if way == "append, keyed":  # every complete pass adds every row
            assert len(set(twice.values())) == 1
            assert set(twice) == wanted()
        else:
            assert twice == dict.fromkeys(wanted(), 1)
        assert await doubts(file) == []
