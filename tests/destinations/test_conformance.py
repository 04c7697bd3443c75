"""The conformance suite, once for every destination that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.testing import Bench, Crashes, DestinationSuite, Exactness, Writing
from tests.destinations.api.shelf import BatchesBench, ShelfBench
from tests.destinations.conformance import DATABASES, MAKERS

pytest.mark.slow(Crashes.test_r1_killed_anywhere_nothing_is_lost_and_nothing_is_there_twice)


class TestDatabases(DestinationSuite):
    @pytest.fixture(params=DATABASES)
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
        made = DATABASES[request.param](tmp_path)
        yield made
        made.drop()


class TestFiles(Writing, Exactness, Crashes):
    """They declare nothing of what the other groups test."""

    @pytest.fixture(params=["jsonl", "csv", "parquet"])
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
        return MAKERS[request.param](tmp_path)


class TestObjectStores(Writing, Exactness, Crashes):
    """Kills are left to tests/crash, whose victims find the store's library imported."""

    bench_class = MAKERS["s3"]
    test_r1_killed_anywhere_nothing_is_lost_and_nothing_is_there_twice = None


class TestApis(Writing, Exactness, Crashes):
    """Deletes and lookups need an API that knows more: see api/."""

    @pytest.fixture(params=[ShelfBench, BatchesBench])
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
        made = request.param(tmp_path)
        yield made
        made.drop()
