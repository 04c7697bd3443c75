"""A checklist that cannot fail is worthless: every protection that is switched off is noticed by its line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncline.cli.logs import log_listener
from syncline.rehearsal.checklist import LINES, Line, check
from tests.rehearsal.mutants import MUTANTS

PLAIN = """
name: things
volume: 2000 records/day
source:
  kind: rest
  base_url: https://api.things.example/v1
  auth: {kind: bearer, token: "${THINGS_TOKEN}"}
  rate_limit: 10/s
  retry: {base: 20ms}
streams:
  - name: things
    path: /things
    records: data
    primary_key: id
    pagination: {kind: cursor, next: meta.next, param: cursor, limit_param: limit, limit: 30}
    incremental: {cursor: updated_at, param: since}
    mapping:
      id: {source: id, required: true}
      name: {source: name, required: true}
      amount: {source: price, transform: decimal}
      updated_at: updated_at
destination: {kind: sql, url: "sqlite:///things.db"}
alerts:
  - {to: "${SLACK_WEBHOOK}", on: [failed]}
"""
OAUTH = """{kind: oauth2, grant: client_credentials, token_url: "https://api.things.example/token",
         client_id: "${THINGS_ID}", client_secret: "${THINGS_SECRET}"}"""
INCREMENTAL = "    incremental: {cursor: updated_at, param: since}\n"
API = """    into:
      create: POST /contacts
      update: PATCH /contacts/{id}
      match: external_id
destination: {kind: rest, base_url: "https://crm.example/v2"}
"""
VARIANTS = {
    "plain": PLAIN,
    "oauth": PLAIN.replace('{kind: bearer, token: "${THINGS_TOKEN}"}', OAUTH),
    "append": PLAIN.replace(INCREMENTAL, f"{INCREMENTAL}    into: {{write: append}}\n"),
    "api": PLAIN.replace('destination: {kind: sql, url: "sqlite:///things.db"}\n', API).replace(
        " id: {", " external_id: {"
    ),
    "deletes": PLAIN.replace(INCREMENTAL, f"{INCREMENTAL}    deletes: {{missing: true}}\n"),
}


def judged(folder: Path, text: str, lines: Sequence[str], modules: Sequence[str] = ()) -> dict[str, Line]:
    """The lines of an integration that is made of this text."""
    file = folder / "things.yaml"
    file.write_text(text)
    found = asyncio.run(
        check(file, lines=lines, logging=lambda stream: log_listener("json", "debug", stream), modules=modules)
    )
    return {line.name: line for line in found.lines}


def _marks(line: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.slow,) if line == "resume" else ()


def test_there_are_mutants_for_every_protection() -> None:
    assert len(MUTANTS) >= 25
    assert set(LINES) - {one.line for one in MUTANTS.values()} == {"alerts"}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_unmutated_every_line_holds(variant: str, tmp_path: Path) -> None:
    lines = judged(tmp_path, VARIANTS[variant], tuple(LINES))
    assert {name: line.evidence for name, line in lines.items() if not line.holds} == {}


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(one.line)) for name, one in MUTANTS.items()])
def test_a_mutant_is_caught_by_its_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    mutant.mutate(monkeypatch.setattr)
    monkeypatch.setenv("MUTANT", name)
    line = judged(tmp_path, VARIANTS[mutant.variant], [mutant.line], ["tests.rehearsal.mutants"])[mutant.line]
    assert not line.holds, line.evidence


def test_an_integration_that_tells_nobody_is_caught(tmp_path: Path) -> None:
    text = PLAIN.partition("alerts:")[0] + "schedule: every 15 minutes\n"
    assert judged(tmp_path, text, ["alerts"])["alerts"].status == "failed"
