"""Where limiter and breaker have their memory: in this process, or where others look as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from syncline.model import Clock
from syncline.resilience import Breaker, Circuit, CircuitBreaker, Limiters, Limits, Standing

Step = Callable[[float], bool]
"""Given the time: decide by the conduct's rules and change their memory; whether there was anything to change.

It may be called again from the same beginning, so that it must keep its outcome to itself until it is told that it counts.
"""


class Memory(msgspec.Struct):
    """What everybody remembers who shares a conduct; `members` are the processes, and when they were last heard of."""

    limits: list[Standing]
    circuit: Circuit
    members: dict[str, float] = {}


class Conduct:
    """The rules of one connection, with their memory at hand."""

    def __init__(self, limits: Limits, breaker: CircuitBreaker, probe_patience: float = float("inf")) -> None:
        self.limiters = Limiters(limits, probe_patience)
        self.breaker = Breaker(breaker, probe_patience)
        self.members: dict[str, float] = {}

    def dump(self) -> bytes:
        memory = Memory(limits=self.limiters.standing, circuit=self.breaker.circuit, members=self.members)
        return msgspec.msgpack.encode(memory)

    def load(self, data: bytes | None) -> None:
        memory = (
            msgspec.msgpack.decode(data, type=Memory) if data else Memory(self.limiters.fresh(), Circuit(), members={})
        )
        self.limiters.standing, self.breaker.circuit, self.members = memory.limits, memory.circuit, memory.members


class Keeper(Protocol):
    """Keeps a conduct's memory. Times are seconds of the keeper's own clock."""

    conduct: Conduct
    alone: bool
    """Nobody else changes the memory, and changing it takes no time."""
    lead: float
    """Seconds by which to ask before the time has come, because asking takes time."""

    def now(self) -> float: ...

    async def change(self, step: Step, then: Callable[[], None]) -> None:
        """Take one step, and call `then` once it counts."""
        ...

    async def close(self) -> None: ...


class OwnKeeper:
    """The memory of one process."""

    alone = True
    lead = 0.0

    def __init__(self, conduct: Conduct, clock: Clock) -> None:
        self.conduct, self._clock = conduct, clock

    def now(self) -> float:
        return self._clock.monotonic()

    def change_now(self, step: Step, then: Callable[[], None]) -> None:
        step(self.now())
        then()

    async def change(self, step: Step, then: Callable[[], None]) -> None:
        self.change_now(step, then)

    async def close(self) -> None:
        """Nothing is held open."""
