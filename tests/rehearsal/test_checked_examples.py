"""Every example is ready for production."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncline.cli.logs import log_listener
from syncline.rehearsal.checklist import LINES, check

KILLED = {"shop-orders", "shop-orders-parquet", "shop-contacts"}
"""A database, files, another API; what kills show of one file of a kind they show of the others."""
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_line_of_an_example_holds(example: Path) -> None:
    lines = tuple(line for line in LINES if line != "resume" or example.stem in KILLED)
    checked = asyncio.run(check(example, lines=lines, logging=lambda stream: log_listener("json", "debug", stream)))
    assert {line.name: line.evidence for line in checked.lines if not line.holds} == {}
