"""The tests themselves, in groups; `DestinationSuite` is all of them."""

from __future__ import annotations

import sys

import pytest

_GROUPS = (f"{__package__}.{group}" for group in ("crashes", "exactness", "growth", "lists", "removal", "writing"))
pytest.register_assert_rewrite(*(group for group in _GROUPS if group not in sys.modules))  # it warns of those that are

from syncline.testing.crashes import Crashes  # noqa: E402 – after the line that lets pytest explain their assertions
from syncline.testing.exactness import Exactness  # noqa: E402
from syncline.testing.growth import Growth  # noqa: E402
from syncline.testing.lists import Lists  # noqa: E402
from syncline.testing.removal import Removal  # noqa: E402
from syncline.testing.writing import Writing  # noqa: E402


class DestinationSuite(Writing, Exactness, Crashes, Growth, Removal, Lists):
    """What every destination must do, whatever it is made of.

    Subclass it in a test file and set `bench_class`. Tests of what the destination does not declare are skipped.
    """


__all__ = ["Crashes", "DestinationSuite", "Exactness", "Growth", "Lists", "Removal", "Writing"]
