"""When to send: every window of the file, and everything the API tells, joined into one answer."""

from __future__ import annotations

from datetime import datetime
from math import inf

import msgspec

from syncline.model import Rate, Response
from syncline.resilience.headers import Told, rate_limited, retry_after
from syncline.resilience.limits import Limits, PathLimits
from syncline.resilience.spellings import read_cost, read_limits
from syncline.resilience.windows import MARGIN, Bucket, Guess, Quota, SlidingLog, usual

LONGEST_BACKOFF = 60.0
SHORTEST_GUESS = 0.05
MOST_LEARNED = 32
ENOUGH = 10
"""Requests that must have been accepted before one refusal says what the limit is; with fewer it takes two that agree."""


class Hold(msgspec.Struct, frozen=True):
    """Wait for `seconds` and ask again; infinite: ask again when an answer has come. Zero: send."""

    seconds: float
    reason: str


GO = Hold(0.0, "")
_PROBE = Hold(inf, "one request finds out whether the API takes requests again")
_TELL = Hold(inf, "an answer will tell how many requests are left")


class Standing(msgspec.Struct):
    """All that a limiter remembers: plain data, to be kept wherever those look who share it. Times are seconds of one clock."""

    windows: list[SlidingLog | Bucket] = []
    policies: dict[str, SlidingLog] = {}
    quotas: dict[str, Quota] = {}
    resources: dict[str, str] = {}  # which part of the API a path belongs to, as answers named it
    guess: Guess | None = None
    hint: Rate | None = None  # what one refusal alone would mean
    ticket: int = -1
    blocked_until: float = -inf
    refusals: int = 0
    careful: bool = False
    probe: int | None = None
    probe_ends: float = inf
    tight: bool = False  # the refusal came with a window (nearly) used up
    told_why: bool = False
    era_ticket: int = 0  # the first request since the last block
    era_began: float | None = None
    block_ticket: int = 0  # requests before this one were sent before the current block
    accepted: int = 0
    refused_in_era: int = 0
    era_seconds: float = 0.0  # from its first request to when the refusal said that more will be accepted

    @property
    def counting(self) -> bool:
        """Whether requests are counted at all: neither the file nor the API may say how many are allowed."""
        return bool(self.windows or self.policies or self.quotas or self.guess)


class Limiter:
    """Decides when the next of those requests may go that are counted together; `wall` is used for dates in headers alone.

    Ask `hold`; when it is GO call `sent`, and `answered` with its ticket once the answer has come or will not come.
    After a refusal everybody waits, then one request alone goes first; one that is not heard of for `probe_patience` seconds
    gives its place to the next. What is learned can only slow down.
    """

    def __init__(self, whole: Limits, part: PathLimits | None = None, probe_patience: float = inf) -> None:
        self.learn, self.cost = whole.learn, whole.cost
        self.rule: Limits | PathLimits = part or whole
        self.probe_patience = probe_patience
        self.left: float | None = None
        self.standing = self.fresh()

    def fresh(self) -> Standing:
        """What is remembered before the first request."""
        rates, burst = self.rule.limits, self.rule.burst
        windows: list[SlidingLog | Bucket] = [SlidingLog(rate) for rate in rates]
        if burst and windows:
            shortest = min(range(len(rates)), key=lambda index: rates[index].per)
            windows[shortest] = Bucket(rates[shortest], burst)
        return Standing(windows=windows)

    @property
    def careful(self) -> float:
        """How many times as wide as usual the widest margin is, because of refusals."""
        return max((window.margin / MARGIN for window in self.standing.windows), default=1.0)

    def hold(self, now: float, cost: float = 1.0, path: str = "", in_flight: int = 0) -> Hold:
        """GO, or how long to wait and why. `in_flight`: how many answers may still come, and tell more."""
        own = self.standing
        if own.careful and own.probe is not None and now < own.probe_ends:
            return _PROBE  # it may have leave for when the wait is over, and be alone all the same
        if now < own.blocked_until:
            return Hold(own.blocked_until - now, "the API asked to wait")
        if not own.counting:
            return GO
        longest, binding = 0.0, ""
        for window in (*own.windows, *own.policies.values(), *((own.guess,) if own.guess else ())):
            if (seconds := window.ready_in(now, cost)) > longest:
                longest, binding = seconds, f"the rate limit of {window.rate}"
        for quota in self._quotas_of(path):
            left = quota.ready_in(now, cost)
            if left is None and in_flight:
                return _TELL
            if left is not None and left > longest:
                longest, binding = left, "the API's quota is used up"
        return Hold(longest, binding) if binding else GO

    def sent(self, now: float, cost: float = 1.0, path: str = "") -> int:
        """One request goes now; its ticket is for `answered`."""
        own = self.standing
        own.ticket += 1
        if own.careful:
            own.probe, own.probe_ends = own.ticket, now + self.probe_patience
            self._guess_anew(now)
        if own.era_began is None:
            own.era_began, own.era_ticket, own.accepted, own.refused_in_era = now, own.ticket, 0, 0
        if not own.counting:
            return own.ticket
        for window in (*own.windows, *own.policies.values(), *((own.guess,) if own.guess else ())):
            window.take(now, own.ticket, cost)
        for quota in self._quotas_of(path):
            quota.take(cost)
        return own.ticket

    def answered(
        self,
        ticket: int,
        response: Response | None,
        now: float,
        wall: datetime,
        *,
        cost: float = 1.0,
        path: str = "",
        sent: float | None = None,
        began: float | None = None,
        late: float = 0.0,
    ) -> list[Told | str]:
        """The request's answer, or None where none came. Returns what was learned, for people.

        `cost` was taken for it; it was really `sent` then, by somebody who `began` to send then; its answer took
        `late` seconds longer than others.
        """
        own = self.standing
        went = now if sent is None else sent
        for window in own.windows:
            window.arrived(ticket, now, sent=went, began=began, late=late, cost=cost)
        was_probe = ticket == own.probe
        if was_probe:
            own.probe = None
        if response is None:
            return []
        learned: list[Told | str] = []
        if self.learn and (told := self._told(ticket, response, wall, cost)):
            self.left = min((share for one in told if (share := one.share) is not None), default=self.left)
            learned += [one for one in told if self._learn(one, ticket, now, cost, path)][:8]
        if response.status >= 400 and (
            rate_limited(response) or (response.status == 503 and "Retry-After" in response.headers)
        ):
            learned += self._refused(ticket, response, now, wall, went)
        else:
            own.accepted += own.era_ticket <= ticket
            if was_probe:
                own.careful, own.refusals = False, 0
        return learned

    def take(self, now: float, times: int) -> None:
        """Count requests that went without asking."""
        for _ in range(times):
            self.standing.ticket += 1
            for window in self.standing.windows:
                window.take(now, self.standing.ticket)

    def divide(self, by: int) -> None:
        """Be content with one part of what is allowed."""
        own = self.standing
        for window in (*own.windows, *own.policies.values(), *((own.guess.log,) if own.guess else ())):
            amount, per = window.rate
            window.rate = Rate(amount // by, per) if amount >= by else Rate(1, per * by / amount)

    def _quotas_of(self, path: str) -> list[Quota]:
        own = self.standing
        if not own.quotas:
            return []
        resource = own.resources.get(path)
        return [quota for quota in own.quotas.values() if not quota.resource or quota.resource == resource]

    def _refused(self, ticket: int, response: Response, now: float, wall: datetime, sent: float) -> list[Told | str]:
        own = self.standing
        told = retry_after(response, wall)
        own.refused_in_era += own.era_ticket <= ticket
        if ticket < own.block_ticket:  # one more of the same storm
            own.blocked_until = max(own.blocked_until, now + (told or 0.0))
            return []
        own.refusals += 1
        wait = told if told is not None else min(2.0 ** min(own.refusals - 1, 10), LONGEST_BACKOFF)
        own.blocked_until = max(own.blocked_until, now + wait)
        own.block_ticket = own.ticket + 1
        own.careful, own.probe = True, None
        own.era_seconds = 0.0 if own.era_began is None else sent + wait - own.era_began
        tight = [window for window in (*own.windows, *own.policies.values()) if window.full]
        for window in tight:
            window.widen(now)
        own.tight = bool(tight)
        own.told_why = not self.learn or response.status == 503 or bool(own.quotas)
        if own.guess and own.refusals == 1:
            own.guess.refused(now)
        return [f"status {response.status}: nothing is sent for {wait:.1f} s"]

    def _guess_anew(self, now: float) -> None:
        """The block is over: what was accepted before it, over its time and the wait, is what the API seems to allow.

        Not where headers tell it, nor where a known window was used up and hardly anything refused: that is a matter of timing.
        """
        own = self.standing
        began, accepted = own.era_began, own.accepted
        own.era_began = None
        timing = own.tight and own.refused_in_era * 10 < accepted
        if began is None or own.guess or own.told_why or timing or not accepted:
            return
        if own.era_seconds < SHORTEST_GUESS:
            return
        rate, before = Rate(accepted, usual(own.era_seconds)), own.hint
        own.hint = rate
        if accepted < ENOUGH:
            if before is None or not 0.5 <= rate.amount * before.per / (before.amount * rate.per) <= 2:
                return
            rate = max(rate, before, key=lambda one: one.amount / one.per)
        own.guess = Guess.of(rate, now)

    def _told(self, ticket: int, response: Response, wall: datetime, cost: float) -> list[Told]:
        """What headers and document tell; what the request turned out to cost is put right at once."""
        told = read_limits(response, wall) if response.headers else []
        if self.cost is not None and response.document is not None:
            actual, points = read_cost(self.cost, response.document, response.date or wall)
            told += points
            if actual is not None and actual != cost:
                for window in self.standing.windows:
                    window.correct(ticket, actual - cost)
        return told

    def _learn(self, told: Told, ticket: int, now: float, cost: float, path: str) -> bool:
        """Keep what was told; whether it is news."""
        own = self.standing
        name, news = f"{told.resource} {told.name}", False
        if told.resource and own.resources.get(path) != told.resource and len(own.resources) < 1_000:
            own.resources[path] = told.resource
        full = len(own.policies) + len(own.quotas) >= MOST_LEARNED
        if told.limit and told.window and int(told.limit):
            rate = Rate(int(told.limit), told.window)
            known = own.policies.get(name)
            if (known is None and not full) or (known is not None and known.rate != rate):
                own.policies[name] = policy = known or SlidingLog(rate)
                policy.rate = rate
                if known is None:
                    policy.take(now, own.ticket)
                news = True
        if told.remaining is not None and (told.reset is not None or told.restore):
            quota = own.quotas.get(name)
            if quota is None and not full:
                own.quotas[name] = quota = Quota(resource=told.resource)
                news = True
            if quota is not None:
                quota.tell(
                    ticket,
                    now,
                    sent_since=(own.ticket - ticket) * cost,
                    remaining=told.remaining,
                    reset=told.reset,
                    limit=told.limit,
                    restore=told.restore,
                )
        return news
