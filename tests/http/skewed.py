"""A machine whose clock on the wall is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncline.model import SystemClock


class Skewed(SystemClock):
    def __init__(self, seconds: float) -> None:
        self._skew = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._skew
