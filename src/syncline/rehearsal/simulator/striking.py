"""Faults on their way to strike: which of them a call meets, and what they make of its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from syncline.rehearsal.simulator.faults import Fault, Place, Scene
from syncline.rehearsal.simulator.wire import Answer, Call


class Striking:
    """Counts the calls of each place."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = tuple(faults)
        self._counts: Counter[Place] = Counter()

    def due(self, place: Place) -> list[Fault]:
        """The faults that strike the call that has just come."""
        self._counts[place] += 1
        count = self._counts[place]
        return [fault for fault in self._faults if fault.place == place and fault.strikes(count)]


def answer_under(
    faults: Sequence[Fault], scene: Scene, call: Call, now: datetime, serve: Callable[[], Answer]
) -> Answer:
    """What `serve` answers, or what a fault does in its place, as it goes on its way. A refusal goes on its way whole."""
    instead = next((found for fault in faults if (found := fault.instead(scene, call, now)) is not None), None)
    if instead is not None:
        return instead
    answer = serve()
    if answer.status < 400:
        for fault in faults:
            answer = fault.afterwards(answer)
    return answer
