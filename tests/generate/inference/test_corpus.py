"""Guesses about documents of many vendors, held against labels made by hand (U4)."""

from __future__ import annotations

import pytest

from tests.generate.inference.report import PAGE, measure, page, sets
from tests.generate.inference.scoring import TARGETS, Verdict, scores

pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [verdict for chosen in sets().values() for verdict in measure(chosen)]


def test_there_are_enough_documents(verdicts: list[Verdict]) -> None:
    assert len({verdict.place.partition(" ")[0] for verdict in verdicts}) >= 80


@pytest.mark.parametrize("what", TARGETS)
def test_u4_guesses_from_documents_are_right(verdicts: list[Verdict], what: str) -> None:
    score = scores(verdicts)[what]  # type: ignore[index]
    bad = [verdict for verdict in verdicts if verdict.what == what and not verdict.good]
    assert score.score >= TARGETS[what], bad  # type: ignore[index]


def test_the_page_says_what_is_measured() -> None:
    assert page(PAGE.read_text()) == PAGE.read_text(), "python -m tests.generate.inference.report"
