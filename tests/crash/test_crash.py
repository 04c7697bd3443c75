"""The short form of the crash matrix; the long one is `make crash SEED=… KILLS=…`."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from syncline.events import Event, Reached, Scope
from syncline.rehearsal.killing import STATIONS, Kill, Killing, Passing
from syncline.rehearsal.victims import warmed_up
from tests.crash.api import open_api
from tests.crash.lives import ENGINE, Life, Name, Toll, stations_of
from tests.crash.matrix import available, lived, planned, table
from tests.crash.places import PLACES

SEED, KILLS, EACH = 20261126, 50, 3


@pytest.mark.slow
async def test_r1_r2_r4_r6_r7_r22_fifty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    tolls = await lived(planned(SEED, KILLS, available(), each=EACH), tmp_path)
    total = Toll()
    for toll in tolls.values():
        total.add(toll)
    print(table(tolls))
    assert not total.faults, "\n".join(
        [*total.faults, *total.trail, f"again: make crash SEED={SEED} EACH={EACH} ONLY=…"]
    )
    assert total.kills + total.stops >= KILLS * 0.9
    assert total.lost == total.duplicate == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_r1_r2_r6_killed_at_every_station_in_turn(tmp_path: Path, place: str) -> None:
    """One small pass each in the mode that has the most stations; what is never come to is no kill."""
    PLACES[place].need()
    mode = "replace" if "replace" in PLACES[place].modes else "upsert"
    stations = [station for station in stations_of(place, mode) if STATIONS[station] != "sometimes"]
    async with open_api() as api, warmed_up("tests.crash.warm", *PLACES[place].driver) as victims:
        kills = [Kill(station=station) for station in stations]
        life = Life(Name(SEED, place, mode, 0), kills, victims, api, tmp_path, records=min(300, PLACES[place].batch))
        toll = await life.live()
    assert not toll.faults, "\n".join([*toll.faults, *toll.trail])
    assert set(stations) <= set(toll.stations), f"never killed at {set(stations) - set(toll.stations)}"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["upsert", "replace"])
async def test_r1_killed_before_and_behind_every_change_of_the_schema(tmp_path: Path, mode: str) -> None:
    """Where each of them commits by itself, so that none is met twice: those of the state, the table, its children, the staging
    tables of a replacing pass, and what is thrown away behind it."""
    PLACES["mariadb"].need()
    kills = [Kill(station=station) for _ in range(16) for station in ("before schema change", "schema changed")]
    async with open_api() as api, warmed_up("tests.crash.warm", *PLACES["mariadb"].driver) as victims:
        life = Life(Name(SEED, "mariadb", mode, 0), kills, victims, api, tmp_path, records=60)
        toll = await life.live()
    assert not toll.faults, "\n".join([*toll.faults, *toll.trail])
    assert toll.kills >= 2 * 12


def test_a_plan_comes_to_every_destination_and_in_the_end_to_every_mode() -> None:
    places = list(PLACES)
    short = planned(1, 3 * len(places), places, each=3)
    assert [name.place for name, _ in short] == places
    cells = {(place, mode) for place in places for mode in PLACES[place].modes}
    long = planned(1, 9 * len(cells) * 2, places, each=9)
    assert {(name.place, name.mode) for name, _ in long} == cells
    assert {name.number for name, _ in long} == {0, 1}
    assert planned(1, 500, places, each=9) == planned(1, 500, places, each=9)


def test_every_station_is_known_and_some_destination_is_killed_at_it() -> None:
    assert {*ENGINE, *itertools.chain(*(place.stations for place in PLACES.values()))} == set(STATIONS)


def test_a_kill_comes_the_nth_time_that_its_station_is_reached() -> None:
    struck: list[int] = []
    killing, passing = (
        Killing(Kill(station="committed", count=2), strike=lambda kill: struck.append(kill.count)),
        Passing(),
    )
    events: list[Event] = [Reached(station="committed"), Reached(station="rows written"), Reached(station="committed")]
    for event in events * 2:
        killing(Scope(), event)
        passing(Scope(), event)
    assert struck == [2]
    assert passing.stations == {"committed": 4, "rows written": 2}


@pytest.mark.slow
async def test_a_victim_that_cannot_even_begin_says_why(tmp_path: Path) -> None:
    async with warmed_up() as victims:
        ended = await victims.run(tmp_path / "not-there.yaml")
    assert ended.exit_code == 2 and ended.outcome is not None and ended.outcome.error is not None
    assert not ended.killed


def test_names_of_lives_are_unambiguous() -> None:
    assert str(Name(1, "sqlite", "append", 3)) == "sqlite/append/3"
