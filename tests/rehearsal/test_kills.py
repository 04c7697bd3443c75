"""Runs that are killed without a word at every station of a record's way, and go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.rehearsal.evidence import ActReport
from syncline.rehearsal.kills import can_kill, killed
from syncline.spec import loads
from tests.rehearsal.acts import PLAIN, RENEWED

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_kill(), reason="this system cannot fork")]
CRM = "{kind: rest, base_url: https://crm.example/v3, retry: {base: 10ms, budget: 100%}}"


async def _killed(text: str, folder: Path, *stations: str) -> dict[str, ActReport]:
    reports = killed(loads(text), 1, folder, {}, stations or None)
    return {report.name.removeprefix("kill: "): report async for report in reports}


def _written_to(into: str) -> str:
    text = PLAIN.replace('{kind: sql, url: "sqlite:///things.db"}', CRM)
    return text.replace(
        "    mapping:\n", f"    into: {{write: append, create: POST /contacts, id: key, {into}}}\n    mapping:\n"
    )


async def test_nothing_is_lost_or_doubled_in_a_database(tmp_path: Path) -> None:
    found = await _killed(PLAIN, tmp_path)
    assert {name: report.problems for name, report in found.items() if not report.holds} == {}
    assert {"page fetched", "rows written", "checkpoint written", "committed", "pass committed"} <= set(found)
    assert all(report.passes[0].exit_code == -9 for name, report in found.items() if name != "nowhere")
    assert "went on in the midst" in found["after write"].struck[0].became


async def test_tokens_and_several_streams_go_on(tmp_path: Path) -> None:
    found = await _killed(RENEWED, tmp_path, "page fetched", "rows written", "after finish")
    assert {name: report.problems for name, report in found.items()} == {name: [] for name in found}
    assert len(found) == 4


async def test_nothing_is_done_twice_to_another_api_that_knows_keys(tmp_path: Path) -> None:
    stations = ("outbox stored", "request sent", "answer received", "outcome stored")
    found = await _killed(_written_to("idempotency_header: Idempotency-Key"), tmp_path, *stations)
    assert {name: report.problems for name, report in found.items()} == {name: [] for name in ("nowhere", *stations)}


async def test_an_integration_that_cannot_know_what_became_of_a_write_does_not_hold(tmp_path: Path) -> None:
    found = await _killed(_written_to("batch: 1"), tmp_path, "request sent")
    assert not found["request sent"].holds
    assert "in doubt" in str(found["request sent"].problems)
