"""Every fault alone: what a run has to survive it survives, and what may end it is said and made whole by a later run."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.rehearsal.simulator.faults import faults
from tests.rehearsal.acts import PLAIN, act


@pytest.mark.parametrize("name", sorted(faults()))
def test_every_fault_alone_costs_nothing(name: str, tmp_path: Path) -> None:
    report = act(PLAIN, tmp_path, faults()[name](at=3))
    assert report.problems == []
    assert [struck.fault for struck in report.struck] == [name]
    assert report.struck[0].asked_again is not None
    assert (report.passes[0].exit_code == 0) or faults()[name].fate == "told"


def test_without_faults_two_runs_do_and_the_limit_is_kept(tmp_path: Path) -> None:
    report = act(PLAIN, tmp_path, size=400)
    assert report.problems == []
    assert [one.exit_code for one in report.passes] == [0, 0]
    assert report.limits[0]["highest"] <= 10
    first, second = (one.report["account"] for one in report.passes if one.report)
    assert first["read"] == first["written"] == 400
    assert 0 < second["written"] < 10


def test_a_destination_that_is_away_ends_a_run_that_has_no_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.databases.sqlite.BUSY_SECONDS", 0.01)
    hasty = PLAIN.replace('url: "sqlite:///things.db"', 'url: "sqlite:///things.db", patience: 10ms')
    report = act(hasty, tmp_path, faults()["destination-away"](at=3))
    codes = [one.exit_code for one in report.passes]
    assert (codes[0], codes[-1]) == (7, 0)
