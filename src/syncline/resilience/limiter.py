"""When to send: every window of the file, and everything the API tells, joined into one answer."""

from __future__ import annotations

from datetime import datetime
from math import inf

import msgspec

from syncline.model import Rate, Response
from syncline.resilience.headers import Told, rate_limited, read_limits, retry_after
from syncline.resilience.limits import Limits
from syncline.resilience.windows import Bucket, Guess, Quota, SlidingLog, usual

LONGEST_BACKOFF = 60.0
SHORTEST_GUESS = 0.05


class Hold(msgspec.Struct, frozen=True):
    """Wait for `seconds` and ask again; infinite: ask again when an answer has come. Zero: send."""

    seconds: float
    reason: str


GO = Hold(0.0, "")
_CONCURRENCY = Hold(inf, "as many requests are under way as the file allows")
_PROBE = Hold(inf, "one request finds out whether the API takes requests again")
_TELL = Hold(inf, "an answer will tell how many requests are left")


class Limiter:
    """Decides when the next request may go. Times are monotonic seconds; `wall` is used for dates in headers alone.

    Ask `hold`; when it is GO call `sent`, and `answered` with its ticket once the answer has come or will not come.
    After a refusal everybody waits, then one request alone goes first. What is learned can only slow down.
    """

    def __init__(self, rule: Limits) -> None:
        self.rule = rule
        self.in_flight = 0
        self.windows: list[SlidingLog | Bucket] = [SlidingLog(rate) for rate in rule.limits]
        if rule.burst and self.windows:
            shortest = min(range(len(rule.limits)), key=lambda index: rule.limits[index].per)
            self.windows[shortest] = Bucket(rule.limits[shortest], rule.burst)
        self._policies: dict[str, SlidingLog] = {}
        self._quotas: dict[str, Quota] = {}
        self._guess: Guess | None = None
        self._ticket = -1
        self._blocked_until = 0.0
        self._refusals = 0
        self._careful = False
        self._probe: int | None = None
        self._tight = False  # the refusal came with a window (nearly) used up
        self._told_why = False
        self._era_ticket = 0  # the first request since the last block
        self._era_began: float | None = None
        self._block_ticket = 0  # requests before this one were sent before the current block
        self._accepted = 0
        self._refused_in_era = 0

    def hold(self, now: float) -> Hold:
        """GO, or how long to wait and why."""
        if now < self._blocked_until:
            return Hold(self._blocked_until - now, "the API asked to wait")
        if self.rule.concurrency is not None and self.in_flight >= self.rule.concurrency:
            return _CONCURRENCY
        if self._careful and self._probe is not None:
            return _PROBE
        longest, binding = 0.0, ""
        for window in (*self.windows, *self._policies.values(), *((self._guess,) if self._guess else ())):
            if (seconds := window.ready_in(now)) > longest:
                longest, binding = seconds, f"the rate limit of {window.rate}"
        for quota in self._quotas.values():
            left = quota.ready_in(now)
            if left is None and self.in_flight:
                return _TELL
            if left is not None and left > longest:
                longest, binding = left, "the API's quota is used up"
        return Hold(longest, binding) if binding else GO

    def sent(self, now: float) -> int:
        """One request goes now; its ticket is for `answered`."""
        self._ticket += 1
        self.in_flight += 1
        if self._careful:
            self._probe = self._ticket
            self._guess_anew(now)
        if self._era_began is None:
            self._era_began, self._era_ticket, self._accepted, self._refused_in_era = now, self._ticket, 0, 0
        for window in self.windows:
            window.take(now, self._ticket)
        for policy in self._policies.values():
            policy.take(now, self._ticket)
        for quota in self._quotas.values():
            quota.take()
        if self._guess:
            self._guess.take(now, self._ticket)
        return self._ticket

    def answered(self, ticket: int, response: Response | None, now: float, wall: datetime) -> list[Told | str]:
        """The request's answer, or None where none came. Returns what was learned, for people."""
        self.in_flight -= 1
        for window in self.windows:
            window.answered(ticket, now)
        was_probe = ticket == self._probe
        if was_probe:
            self._probe = None
        if response is None:
            return []
        learned: list[Told | str] = []
        if self.rule.learn and response.headers:
            learned += self._listen(ticket, response, now, wall)
        if rate_limited(response) or (response.status == 503 and "Retry-After" in response.headers):
            learned += self._refused(ticket, response, now, wall)
        else:
            self._accepted += self._era_ticket <= ticket
            if was_probe:
                self._careful, self._refusals = False, 0
        return learned

    def _refused(self, ticket: int, response: Response, now: float, wall: datetime) -> list[Told | str]:
        told = retry_after(response, wall)
        self._refused_in_era += self._era_ticket <= ticket
        if ticket < self._block_ticket:  # one more of the same storm
            self._blocked_until = max(self._blocked_until, now + (told or 0.0))
            return []
        self._refusals += 1
        wait = told if told is not None else min(2.0 ** min(self._refusals - 1, 10), LONGEST_BACKOFF)
        self._blocked_until = max(self._blocked_until, now + wait)
        self._block_ticket = self._ticket + 1
        self._careful, self._probe = True, None
        tight = [window for window in (*self.windows, *self._policies.values()) if window.full]
        for window in tight:
            window.widen()
        self._tight = bool(tight)
        self._told_why = not self.rule.learn or response.status == 503 or bool(self._quotas)
        if self._guess and self._refusals == 1:
            self._guess.refused(now)
        return [f"status {response.status}: nothing is sent for {wait:.1f} s"]

    def _guess_anew(self, now: float) -> None:
        """The block is over: what was accepted before it, over the time until now, is what the API seems to allow.

        Not where headers tell it, nor where a known window was used up and hardly anything refused: that is a matter of timing.
        """
        began, accepted = self._era_began, self._accepted
        self._era_began = None
        timing = self._tight and self._refused_in_era * 10 < accepted
        if began is None or self._guess or self._told_why or timing or not accepted:
            return
        if now - began >= SHORTEST_GUESS:
            self._guess = Guess(Rate(accepted, usual(now - began)), now)

    def _listen(self, ticket: int, response: Response, now: float, wall: datetime) -> list[Told | str]:
        learned: list[Told | str] = []
        for told in read_limits(response, wall):
            if told.limit and told.window:
                rate = Rate(told.limit, told.window)
                known = self._policies.get(told.name)
                if known is None or known.rate != rate:
                    self._policies[told.name] = policy = SlidingLog(rate)
                    policy.take(now, self._ticket)
                    learned.append(told)
            if told.remaining is not None and told.reset is not None:
                quota = self._quotas.get(told.name)
                if quota is None:
                    self._quotas[told.name] = quota = Quota()
                    learned.append(told)
                quota.tell(
                    ticket,
                    now,
                    sent_since=self._ticket - ticket,
                    remaining=told.remaining,
                    reset=told.reset,
                    limit=told.limit,
                )
        return learned[:8]
