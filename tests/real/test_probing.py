"""Live servers are asked, and what is found out is held against labels made by hand (U4)."""

from __future__ import annotations

import pytest

from tests.generate.inference.report import PAGE, live_section, measure_live
from tests.generate.inference.scoring import TARGETS, scores
from tests.real.lives import SERVERS, measure_server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SERVERS)
async def test_u4_a_real_server_is_understood(name: str) -> None:
    assert [verdict for verdict in await measure_server(name) if not verdict.good] == []


async def test_u4_live_servers_are_understood_and_the_page_says_so() -> None:
    found = await measure_live()
    assert len({verdict.place.partition("/")[0] for verdict in found}) >= 12
    for what, target in TARGETS.items():
        assert scores(found)[what].score >= target
    text = PAGE.read_text()
    assert live_section(text, found) == text, "python -m tests.generate.inference.report"
