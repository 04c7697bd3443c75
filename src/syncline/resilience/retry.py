"""When to send again: which failures, after how long, and how often in all."""

from datetime import datetime

import msgspec
from pydantic import Field

from syncline.errors import RequestError, TransportError
from syncline.model import Duration, Part, Ratio, Request, Response
from syncline.resilience.headers import rate_limited, retry_after

REFUSED_UNTOUCHED = frozenset({425, 429})
"""Statuses that say the request was not acted upon, so that even a POST may be sent again (RFC 8470, 5.2; RFC 6585, 4)."""

FLOOR_SECONDS = 10.0
FULL_CREDIT = 100.0


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Send again after `seconds`. `told`: the server named the wait. `spends`: it counts against the budget."""

    seconds: float
    reason: str
    told: bool = False
    spends: bool = True


class Retry(Part):
    """When a failed request is sent again.

    Waits grow as base, 2 × base, 4 × base … up to `cap`, with full jitter; a Retry-After is kept to the second and never
    undercut. Only requests that do no harm twice are repeated, unless the first surely had no effect.
    """

    attempts: int = Field(
        default=5, ge=1, le=100, description="How often one request is sent at most, the first time included."
    )
    max_wait: Duration = Field(
        default=900.0, description="The longest single wait; when the API asks for more, the run is deferred."
    )
    base: Duration = Field(default=1.0, description="The first wait's upper bound; it doubles with every attempt.")
    cap: Duration = Field(default=60.0, description="The upper bound of a wait that the API did not name.")
    statuses: tuple[int, ...] = Field(
        default=(408, 425, 429, 500, 502, 503, 504), description="Statuses that are worth another attempt."
    )
    budget: Ratio = Field(
        default=0.1, description="Retries allowed as a share of requests, so that an ailing API is not buried."
    )
    budget_floor: int = Field(
        default=10, ge=0, description="Retries in ten seconds that are allowed whatever their share."
    )

    def is_content(self, request: Request, response: Response) -> bool:
        """Whether it is a plain success, about which there is nothing to find out."""
        return (
            response.status < 400 and response.status not in self.statuses and response.status not in request.retry_on
        )

    def after_answer(self, request: Request, response: Response, now: datetime, chance: float) -> Again | None:
        """What to do about this answer, or None: it is final. `chance` is random, from 0 to 1.

        A wait longer than `max_wait` is returned as it is: the caller defers instead of waiting.
        """
        limited = rate_limited(response)
        if response.status in request.final_on:
            return None
        if not (limited or response.status in self.statuses or response.status in request.retry_on):
            return None
        if not (limited or request.idempotent or response.status in REFUSED_UNTOUCHED):
            return None
        told = retry_after(response, now)
        reason = f"status {response.status}"
        if told is not None and told > self.max_wait:
            return Again(seconds=told, reason=reason, told=True, spends=False)
        if request.attempt >= self.attempts:
            return None
        if told is not None:
            return Again(seconds=told, reason=f"{reason}, Retry-After", told=True, spends=False)
        return Again(seconds=self.backoff(request.attempt, chance), reason=reason, spends=not limited)

    def after_error(self, request: Request, error: RequestError, chance: float) -> Again | None:
        """What to do about this error, or None: it is final.

        An error that carries `attempts` has been through retries already; one that ran into the total deadline had its time.
        """
        if not error.retryable or "attempts" in error.where or error.where.get("phase") == "total":
            return None
        unsent = isinstance(error, TransportError) and not error.sent
        if request.attempt >= self.attempts or not (request.idempotent or unsent):
            return None
        return Again(seconds=self.backoff(request.attempt, chance), reason=error.what)

    def backoff(self, attempt: int, chance: float) -> float:
        """Seconds after the `attempt`th failure, counted from 1: full jitter, from 0 to the bound."""
        return float(chance * min(self.cap, self.base * 2.0 ** min(attempt - 1, 40)))


class RetryBudget:
    """How many retries the requests so far have earned: a share of them, and a floor that refills within ten seconds.

    Answers that name their own wait, and refusals for coming too often, are the limiter's business and cost nothing here.
    """

    def __init__(self, rule: Retry) -> None:
        self._share = rule.budget
        self._floor = float(rule.budget_floor)
        self._credit = self._floor
        self._refilled = 0.0

    def earn(self) -> None:
        """A request was sent for the first time."""
        self._credit = min(self._credit + self._share, self._floor + FULL_CREDIT)

    def spend(self, now: float) -> bool:
        """Take one retry; False where there is none left. `now` in monotonic seconds."""
        if self._credit < self._floor:
            earned = (now - self._refilled) * self._floor / FLOOR_SECONDS
            self._credit = min(self._floor, self._credit + earned)
        self._refilled = now
        if self._credit < 1.0 - 1e-9:
            return False
        self._credit -= 1.0
        return True
