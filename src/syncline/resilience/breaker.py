"""When to stop sending: a circuit that opens after failures in a row and lets one probe through when its time has come."""

from __future__ import annotations

from collections import deque
from typing import Literal

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


class Breaker:
    """The circuit's state. Every `admit` that gives a ticket is followed by `succeeded`, `failed` or `abandoned` with it.

    Times are monotonic seconds. Answers to requests from before a change of state change nothing any more.
    """

    def __init__(self, rule: CircuitBreaker) -> None:
        self.rule = rule
        self.state: State = "closed"
        self.last_failure = ""
        self._failures: deque[float] = deque(maxlen=rule.failures)
        self._opened_at = 0.0
        self._era = 0
        self._probing = False

    def admit(self, now: float) -> int | None:
        """A ticket for one request, or None: it must not be sent."""
        if self.state == "open" and now >= self._opened_at + self.rule.open_for:
            self._enter("half_open")
        if self.state == "open" or (self.state == "half_open" and self._probing):
            return None
        self._probing = self.state == "half_open"
        return self._era

    def succeeded(self, ticket: int) -> None:
        """The server gave an answer, be it a refusal."""
        if ticket != self._era:
            return
        self._failures.clear()
        if self.state == "half_open":
            self._enter("closed")

    def failed(self, ticket: int, now: float, reason: str) -> None:
        """The server failed; `reason` is what people will be told."""
        if ticket != self._era:
            return
        self.last_failure = reason
        self._failures.append(now)
        enough = len(self._failures) == self.rule.failures and now - self._failures[0] <= self.rule.window
        if self.state == "half_open" or enough:
            self._opened_at = now
            self._enter("open")

    def abandoned(self, ticket: int) -> None:
        """Nobody knows how it ended (cancelled, or never sent): a probe's place is free again."""
        if ticket == self._era:
            self._probing = False

    def opens_in(self, now: float) -> float:
        """Seconds until the next probe may go; 0 where only another probe's end is awaited."""
        return max(self._opened_at + self.rule.open_for - now, 0.0) if self.state == "open" else 0.0

    def _enter(self, state: State) -> None:
        self.state = state
        self._era += 1
        self._probing = False
        self._failures.clear()
