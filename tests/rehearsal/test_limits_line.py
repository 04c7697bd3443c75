"""The line of the limits comes to every limit, also to those of hours and days: at the same rate, in a shorter window."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.mutants import MUTANTS
from tests.rehearsal.test_mutants import PLAIN, judged

EXPECTED = {
    "5000/h": [
        "55 requests in any 39.6 s of 55 allowed, which is 5,000 in any hour in a window short enough to be come to"
    ],
    "[10/s, 3000/h]": [
        "10 requests in any second of 10 allowed",
        "55 requests in any 66 s of 55 allowed, which is 3,000 in any hour in a window short enough to be come to",
    ],
    "100000/d": ["55 requests in any 47.52 s of 55 allowed, which is 100,000 in any day"],
    "20/s": ["20 requests in any second of 20 allowed"],
}


@pytest.mark.parametrize("limit", EXPECTED)
def test_every_limit_is_come_to(limit: str, tmp_path: Path) -> None:
    text = PLAIN.replace("rate_limit: 10/s", f"rate_limit: {limit}")
    line = judged(tmp_path, text, ["limits"])["limits"]
    assert line.status == "held", line.evidence
    for said, wanted in zip(line.evidence, EXPECTED[limit], strict=False):
        assert wanted in said
        assert "not come to" not in said


@pytest.mark.parametrize("name", ["no limiter", "takes twice what is allowed"])
def test_a_limiter_that_does_not_keep_an_hourly_limit_is_caught(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MUTANTS[name].mutate(monkeypatch.setattr)
    text = PLAIN.replace("rate_limit: 10/s", "rate_limit: 5000/h")
    assert judged(tmp_path, text, ["limits"])["limits"].status == "failed"
