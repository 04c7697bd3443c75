"""Mixtures of faults, drawn by seed. `make seeds` draws ten thousand."""

from __future__ import annotations

import pytest

from tests.rehearsal.seeds import TOGETHER, failures


@pytest.mark.slow
@pytest.mark.parametrize(("file", "first"), [("plain", 1), ("renewed", 51), ("plain", 101), ("renewed", 151)])
def test_no_mixture_of_faults_loses_doubles_or_ages_a_record(file: str, first: int) -> None:
    assert failures(file, range(first, first + TOGETHER)) == []
