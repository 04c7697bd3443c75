"""Where limiter and breaker have their memory: in this process, or where others look as well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import msgspec

from syncline.errors import SynclineError
from syncline.events import Noticed, emit
from syncline.model import Clock
from syncline.resilience import Breaker, Circuit, CircuitBreaker, Limiters, Limits, Outage, Standing

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


class CircuitStore(Protocol):
    """Where an open circuit outlives the process; None for a closed one."""

    async def load(self) -> Outage | None: ...

    async def save(self, outage: Outage | None) -> None: ...


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

    async def circuit_changed(self) -> None:
        """The circuit has opened, or closed again: what must outlive the process is kept."""
        ...

    async def close(self) -> None: ...


class OwnKeeper:
    """The memory of one process; an open circuit is left to the next in `store`."""

    alone = True
    lead = 0.0

    def __init__(self, conduct: Conduct, clock: Clock, origin: str = "", store: CircuitStore | None = None) -> None:
        self.conduct, self._clock, self._origin, self._store = conduct, clock, origin, store
        self.now = clock.monotonic

    async def change(self, step: Step, then: Callable[[], None]) -> None:
        step(self.now())
        then()

    async def recall(self) -> None:
        """Take up the circuit that an earlier process left open, where it is of the same API."""
        outage = await self._store.load() if self._store is not None else None
        if outage is not None and outage.origin == self._origin:
            ago = max(
                (self._clock.now() - outage.since).total_seconds(), 0.0
            )  # a clock that was put back counts as now
            self.conduct.breaker.recall(self.now() - ago, outage.failure)

    async def circuit_changed(self) -> None:
        if self._store is None:
            return
        circuit = self.conduct.breaker.circuit
        outage = None
        if circuit.state != "closed":
            since = self._clock.now() - timedelta(seconds=self.now() - circuit.opened_at)
            outage = Outage(origin=self._origin, since=since, failure=circuit.last_failure)
        try:
            await self._store.save(outage)
        except SynclineError as error:  # it protects the API in this process all the same
            emit(
                Noticed(
                    what=f"whether the circuit is open could not be kept for later runs: {error.what}", hint=error.hint
                )
            )

    async def close(self) -> None:
        """Nothing is held open."""
