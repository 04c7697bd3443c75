"""Mixtures of shapes, faults and kills, drawn by seed. `make seeds` draws ten thousand."""

from __future__ import annotations

import pytest

from tests.rehearsal.seeds import TOGETHER, failures


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, 201, TOGETHER))
def test_r1_no_mixture_of_shapes_faults_and_kills_loses_doubles_or_ages_a_record(first: int) -> None:
    assert failures(range(first, first + TOGETHER)) == []
