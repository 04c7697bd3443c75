"""Every example is rehearsed: a few faults alone, and mixtures that seeds draw."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncline.rehearsal.plan import alone, concerned, mixture
from syncline.rehearsal.rehearsal import rehearse
from syncline.spec import load

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
FEW = ["503", "timeout-after", "cut", "inserted", "changed", "missing-field"]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes(example: Path) -> None:
    integration = load(example)
    acts = [*alone(integration, 1, concerned(integration, FEW)), mixture(integration, 2), mixture(integration, 3)]
    rehearsal = asyncio.run(rehearse(integration, acts=acts))
    assert {act.name: act.problems for act in rehearsal.acts if not act.holds} == {}
    assert rehearsal.guessed == {}
