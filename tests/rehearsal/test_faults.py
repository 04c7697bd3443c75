"""Every fault alone: what a run has to survive it survives, and what may end it is said and made whole by a later run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncline.rehearsal.plan import concerned, mixture
from syncline.rehearsal.simulator.faults import faults
from syncline.rehearsal.simulator.wire import Answer
from syncline.spec import loads
from tests.rehearsal.acts import PLAIN, act


@pytest.mark.parametrize("name", sorted(faults()))
def test_every_fault_alone_costs_nothing(name: str, tmp_path: Path) -> None:
    report = act(PLAIN, tmp_path, faults()[name](at=3))
    assert report.problems == []
    assert [struck.fault for struck in report.struck] == [name]
    assert report.struck[0].asked_again is not None
    assert (report.passes[0].exit_code == 0) or faults()[name].fate == "told"


@pytest.mark.parametrize("name", ["overlap", "twice"])
def test_records_that_come_again_are_appended_once(name: str, tmp_path: Path) -> None:
    again = PLAIN.replace("    mapping:", "    into: {write: append}\n    mapping:")
    report = act(again, tmp_path, faults()[name](at=2, every=2), size=60)
    assert report.problems == []
    assert report.passes[0].verdicts["things"].found == 60
    assert len(report.struck) > 2


def test_a_fault_strikes_again_after_so_many_calls() -> None:
    fault = faults()["503"](at=3, times=2, every=5)
    assert [count for count in range(1, 15) if fault.strikes(count)] == [3, 4, 8, 9, 13, 14]
    once = faults()["503"](at=3, times=2)
    assert [count for count in range(1, 15) if once.strikes(count)] == [3, 4]
    now_and_then = faults()["503"](at=11, times=1_000, share=0.2)
    struck = [count for count in range(1, 2_000) if now_and_then.strikes(count)]
    assert 150 < len(struck) < 250
    assert struck[0] >= 11 and struck[-1] <= 1_010


@pytest.mark.parametrize("length", range(30))
def test_half_a_document_of_lines_is_not_one_of_fewer_lines(length: int) -> None:
    body = b'{"name": "a"}\n' + b'{"name": "%s"}\n' % (b"b" * length)
    half = faults()["malformed"]().afterwards(Answer(body=body)).body
    assert body.startswith(half) and len(half) > len(body) // 2 - 3
    with pytest.raises(json.JSONDecodeError):
        [json.loads(line) for line in half.splitlines()]


def test_some_faults_are_mixed_where_they_are_named_only() -> None:
    integration = loads(PLAIN)
    drawn = {fault.name for seed in range(100) for fault in mixture(integration, seed).faults}
    assert len(drawn) > 20
    assert not drawn & {"overlap", "twice", "destination-away"}
    named = mixture(integration, 1, concerned(integration, ["overlap", "twice"]))
    assert {fault.name for fault in named.faults} == {"overlap", "twice"}


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
