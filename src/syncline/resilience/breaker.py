"""When to stop sending: a circuit that opens after failures in a row and lets one probe through when its time has come."""

from datetime import datetime
from math import inf
from typing import Literal

import msgspec
from pydantic import Field

from syncline.model import Duration, Part

State = Literal["closed", "open", "half_open"]


class CircuitBreaker(Part):
    """When a failing API is left alone.

    Failures are 5xx, broken answers and silence, in a row: one success between them starts the count afresh, so that an API
    that merely stumbles is left to the retries. A 429 is an answer of a healthy server.
    """

    failures: int = Field(default=5, ge=1, description="Failures in a row that open the circuit.")
    open_for: Duration = Field(default=30.0, description="How long nothing is sent; then one probe decides.")
    window: Duration = Field(default=60.0, description="Failures older than this are forgotten.")


class Circuit(msgspec.Struct):
    """All that a breaker remembers: plain data, to be kept wherever those look who share it."""

    state: State = "closed"
    last_failure: str = ""
    failures: list[float] = []
    opened_at: float = 0.0
    era: int = 0
    probe_ends: float | None = None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """An open circuit as a later process has to know it: the API's origin, since when, and the last failure."""

    origin: str
    since: datetime
    failure: str


class Breaker:
    """The circuit's rules. Every `admit` that gives a ticket is followed by `succeeded`, `failed` or `abandoned` with it.

    Times are seconds of one clock. Answers to requests from before a change of state change nothing any more. A probe that is
    not heard of for `probe_patience` seconds gives its place to the next.
    """

    def __init__(self, rule: CircuitBreaker, probe_patience: float = inf) -> None:
        self.rule = rule
        self.probe_patience = probe_patience
        self.circuit = Circuit()

    @property
    def state(self) -> State:
        return self.circuit.state

    @property
    def last_failure(self) -> str:
        return self.circuit.last_failure

    @property
    def untroubled(self) -> bool:
        """Closed, and nothing to forget: a request needs no leave, and its success changes nothing."""
        return self.circuit.state == "closed" and not self.circuit.failures

    def refuses(self, now: float) -> bool:
        """Whether `admit` would give no ticket now."""
        circuit = self.circuit
        if circuit.state == "open":
            return now < circuit.opened_at + self.rule.open_for
        return circuit.state == "half_open" and circuit.probe_ends is not None and now < circuit.probe_ends

    def admit(self, now: float) -> int | None:
        """A ticket for one request, or None: it must not be sent."""
        if self.refuses(now):
            return None
        if self.circuit.state != "closed":
            if self.circuit.state == "open" or self.circuit.probe_ends is not None:
                self._enter("half_open")
            self.circuit.probe_ends = now + self.probe_patience
        return self.circuit.era

    def succeeded(self, ticket: int) -> None:
        """The server gave an answer, be it a refusal."""
        if ticket != self.circuit.era:
            return
        self.circuit.failures.clear()
        if self.circuit.state == "half_open":
            self._enter("closed")

    def failed(self, ticket: int, now: float, reason: str) -> None:
        """The server failed; `reason` is what people will be told."""
        circuit, rule = self.circuit, self.rule
        if ticket != circuit.era:
            return
        circuit.last_failure = reason
        circuit.failures = [*circuit.failures, now][-rule.failures :]
        enough = len(circuit.failures) == rule.failures and now - circuit.failures[0] <= rule.window
        if circuit.state == "half_open" or enough:
            circuit.opened_at = now
            self._enter("open")

    def abandoned(self, ticket: int) -> None:
        """Nobody knows how it ended (cancelled, or never sent): a probe's place is free again."""
        if ticket == self.circuit.era:
            self.circuit.probe_ends = None

    def opens_in(self, now: float) -> float:
        """Seconds until the next probe may go; 0 where only another probe's end is awaited."""
        return max(self.circuit.opened_at + self.rule.open_for - now, 0.0) if self.state == "open" else 0.0

    def recall(self, opened_at: float, failure: str) -> None:
        """An earlier process left the circuit open, since then."""
        self.circuit.opened_at, self.circuit.last_failure = opened_at, failure
        self._enter("open")

    def _enter(self, state: State) -> None:
        circuit = self.circuit
        circuit.state = state
        circuit.era += 1
        circuit.probe_ends = None
        circuit.failures.clear()
