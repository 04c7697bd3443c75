"""A test's own API with the simulator's faults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from syncline.rehearsal.simulator.faults import Fault, Scene
from syncline.rehearsal.simulator.striking import Striking, answer_under
from syncline.rehearsal.simulator.wire import Answer, Call


class Faulty:
    """Base of APIs whose records are their own affair: faults can meet their answers, and neither records nor tokens."""

    def __init__(self, *faults: Fault) -> None:
        self.strike(*faults)

    def strike(self, *faults: Fault) -> None:
        """From the next call on; none: nothing goes wrong any more."""
        self._striking = Striking(faults)

    def under_faults(self, call: Call, now: datetime, serve: Callable[[], Answer]) -> Answer:
        return answer_under(self._striking.due("pages"), cast(Scene, self), call, now, serve)
