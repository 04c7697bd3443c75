"""The page on security names tests that exist, and every promise that has tests is on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| \*\*([S0-9, ]+)\*\*.*\| (.*) \|$", ROOT.joinpath("docs/security.md").read_text(), re.M)
TEST = re.compile(r"def test_(s\d+)_")


@pytest.mark.parametrize(("promises", "cell"), ROWS, ids=[row[0] for row in ROWS])
def test_a_promise_has_tests_where_the_page_says(promises: str, cell: str) -> None:
    files = re.findall(r"\]\(\.\./([^)]+)\)", cell)
    assert files
    wanted = {promise.strip().lower() for promise in promises.split(",")}
    for file in files:
        found = set(TEST.findall(ROOT.joinpath(file).read_text()))
        assert found & wanted, file
    everywhere = set().union(*(TEST.findall(ROOT.joinpath(file).read_text()) for file in files))
    assert wanted <= everywhere


def test_every_promise_that_has_tests_is_on_the_page() -> None:
    tested = {found for file in ROOT.joinpath("tests").rglob("test_*.py") for found in TEST.findall(file.read_text())}
    on_the_page = {promise.strip().lower() for promises, _ in ROWS for promise in promises.split(",")}
    assert tested <= on_the_page
