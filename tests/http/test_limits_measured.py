"""At least 99 % of the allowed rate is used and nothing is refused, with delays as they were measured."""

from __future__ import annotations

import pytest

from tests.http.measured import share_and_refusals


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sliding window", "token bucket"])
@pytest.mark.parametrize(("rate", "processes"), [(50, 1), (50, 4), (500, 1), (500, 4)])
async def test_r12_the_rate_is_used_and_nothing_refused_with_delays_as_measured(kind, rate, processes):
    share, refused = await share_and_refusals(kind, rate, processes, seconds=6, seed=7)
    assert refused == 0
    assert share >= 0.99
