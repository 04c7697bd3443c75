"""Kills among the acts of a rehearsal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncline.rehearsal.checklist.kills import Killed, Kills
from syncline.rehearsal.kills import can_kill, kill_acts
from syncline.rehearsal.rehearsal import rehearse
from tests.rehearsal.acts import PLAIN


@pytest.mark.slow
@pytest.mark.skipif(not can_kill(), reason="this system cannot fork")
def test_a_file_is_killed_at_every_station_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "things.yaml"
    file.write_text(PLAIN)
    rehearsal = asyncio.run(rehearse(file, faults=["kill"], records=30))
    assert {act.name: act.problems for act in rehearsal.acts if not act.holds} == {}
    names = {act.name for act in rehearsal.acts}
    assert {"volume", "kill: nowhere", "kill: page fetched", "kill: rows written", "kill: committed"} <= names


@pytest.mark.parametrize(
    ("killed", "problem"),
    [
        (Killed(station="committed", stream="things", died=True), None),
        (Killed(station="committed", stream="things", died=False), "did not come to 'committed'"),
        (Killed(station="committed", stream="things", died=True, problems=("1 lost",)), "1 lost"),
        (Killed(station="committed", stream="things", died=True, must_resume=("things",)), "began things anew"),
    ],
)
def test_what_a_kill_did_wrong_is_a_problem(killed: Killed, problem: str | None) -> None:
    _, report = kill_acts(Kills(killed=(killed,)), 1)
    assert report.holds == (problem is None)
    assert problem is None or problem in report.problems[0]
