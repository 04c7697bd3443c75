"""What the groups of tests have in common: the bench, and coroutines that any pytest can run."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

import pytest

from syncline.destinations import WriteMode
from syncline.testing.bench import Bench

P = ParamSpec("P")


def blocking(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test in an event loop of its own, so that no plugin is needed."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Group:
    """Base of the groups."""

    bench_class: ClassVar[type[Bench]]

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        made = self.bench_class(tmp_path)
        yield made
        made.drop()


def need_mode(bench: Bench, write: WriteMode) -> None:
    need(write in bench.abilities.modes, f"write: {write}")


def need(declared: bool, what: str) -> None:
    if not declared:
        pytest.skip(f"this destination does not declare {what}")
