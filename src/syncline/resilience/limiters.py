"""The limiters of a connection: one for everything, one more for every quota of some paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from math import inf
from urllib.parse import urlsplit

import msgspec

from syncline.model import Request, Response
from syncline.resilience.headers import Told
from syncline.resilience.limiter import GO, Hold, Limiter, Standing
from syncline.resilience.limits import Limits
from syncline.resilience.spellings import read_need
from syncline.resilience.windows import LONGEST_MARGIN, MOST_DELAY

MOST_REMEMBERED = 1_000
AFFORDED = 0.004
"""Share of the window that may be lost on average because answers were late; more after refusals, as the margin grows."""
ADAPTING = 0.005
_IDENTIFIER = re.compile(r"(?<=/)(?:\d+|[0-9a-fA-F-]{16,}|[^/]{40,})(?=/|$)")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a request means to the limits: the quota it falls under (0: none), its likely cost, its path without identifiers."""

    quota: int
    cost: float
    path: str
    like: str


class Ticket(msgspec.Struct, kw_only=True):
    """One request's leave; `sent` is when it really went."""

    load: Load
    numbers: tuple[int, ...]
    sent: float


class Limiters:
    """Asked as one limiter is. A request goes when its quota and the whole allow it; refusals and what answers tell go to its
    quota, where it has one. `standing` is all that is remembered for everybody; what a process learns of costs is its own.
    """

    def __init__(self, rule: Limits, probe_patience: float = inf) -> None:
        self.rule = rule
        self.all = [Limiter(rule, part, probe_patience) for part in (None, *rule.quotas)]
        self._routes = [(self.all[0],), *((limiter, self.all[0]) for limiter in self.all[1:])]
        self._fits = [_pattern(part.path) for part in rule.quotas]
        self._counts_time = any(limiter.standing.windows for limiter in self.all)
        self._costs: dict[str, float] = {}
        self.left: float | None = None
        """The share that is left of the scarcest quota, as the latest answers told it."""
        self._began: float | None = None
        self._quickest = inf  # seconds that an answer takes
        self._per = min((rate.per for rate in rule.limits), default=1.0)
        self._most = self._most_ever = min(MOST_DELAY * self._per, LONGEST_MARGIN)
        self._careful = 1.0

    @property
    def standing(self) -> list[Standing]:
        return [limiter.standing for limiter in self.all]

    @standing.setter
    def standing(self, standing: list[Standing]) -> None:
        for limiter, own in zip(self.all, standing, strict=True):
            limiter.standing = own

    def fresh(self) -> list[Standing]:
        return [limiter.fresh() for limiter in self.all]

    def load(self, request: Request) -> Load:
        """What this request means to the limits; a GraphQL query is taken to cost what it cost the last time."""
        if not self._fits and self.rule.cost is None:
            return _plain_load(request.url, request.cost)
        path, shape = _path_of(request.url)
        quota = next((number for number, fits in enumerate(self._fits, 1) if fits(path)), 0)
        cost, like = request.cost, ""
        if self.rule.cost is not None:
            query = request.json.get("query") if isinstance(request.json, dict) else ""
            like = f"{shape} {query}"
            cost = self._costs.get(like, max(cost, float(self.rule.cost.estimate)))
        return Load(quota=quota, cost=cost, path=shape, like=like)

    def hold(self, now: float, load: Load, in_flight: int = 0) -> Hold:
        """GO, or the longest that any of its limiters wants it to wait."""
        longest = GO
        for limiter in self._routes[load.quota]:
            hold = limiter.hold(now, load.cost, load.path, in_flight)
            if hold.seconds > longest.seconds:
                longest = hold
        return longest

    def sent(self, now: float, load: Load) -> Ticket:
        self._began = now if self._began is None else self._began
        numbers = tuple([limiter.sent(now, load.cost, load.path) for limiter in self._routes[load.quota]])
        return Ticket(load=load, numbers=numbers, sent=now)

    def answered(self, ticket: Ticket, response: Response | None, now: float, wall: datetime) -> list[Told | str]:
        """The request's answer, or None where none came. Returns what was learned, for people."""
        load, learned = ticket.load, list[Told | str]()
        late = self._lateness(now - ticket.sent, ticket.sent) if self._counts_time else 0.0
        heard = response
        for limiter, number in zip(self._routes[load.quota], ticket.numbers, strict=True):
            learned += limiter.answered(
                number, heard, now, wall, cost=load.cost, path=load.path, sent=ticket.sent, began=self._began, late=late
            )
            if limiter.left is not None:
                self.left = min(other.left for other in self.all if other.left is not None)
            heard = None  # what the answer says belongs to the quota, and to the whole only where there is none
        if load.like and response is not None and self.rule.cost is not None:
            self._remember(load, response)
        return learned

    def take(self, now: float, times: int) -> None:
        """Count requests that went without asking, in the windows of the whole."""
        self.all[0].take(now, times)

    def divide(self, by: int) -> None:
        """Be content with one part of what is allowed."""
        for limiter in self.all:
            limiter.divide(by)

    def _lateness(self, seconds: float, sent: float) -> float:
        """By how much longer than the quickest of late this answer took, as far as that is counted.

        Whoever counts a request from the last moment when it can have arrived is never refused, but a server that takes now
        more, now less time for its answers would cost much. So at `most` as much is counted as keeps the mean to AFFORDED:
        a machine that is held up now and then counts all of it, such a server hardly any.
        """
        self._quickest = max(min(self._quickest * 1.001, seconds), 0.0)
        late = min(seconds - self._quickest, self._most)
        careful = max(limiter.careful for limiter in self.all)
        if careful > self._careful:
            self._most = self._most_ever
        self._careful = careful
        if self._began is not None and sent > self._began + self._per:  # before, connections are opened
            change = ADAPTING * (AFFORDED * careful * self._per - late)
            self._most = min(max(self._most + change, 0.0), self._most_ever)
        return late

    def _remember(self, load: Load, response: Response) -> None:
        assert self.rule.cost is not None
        if response.document is None:
            return
        need = read_need(self.rule.cost, response.document)
        if need is not None:
            if len(self._costs) >= MOST_REMEMBERED:
                self._costs.clear()
            self._costs[load.like] = need


@lru_cache(maxsize=256)  # the pages of a stream share theirs
def _path_of(url: str) -> tuple[str, str]:
    """The path of an address, and the same without identifiers."""
    path = urlsplit(url).path or "/"
    return path, _IDENTIFIER.sub("*", path[:300])


@lru_cache(maxsize=256)
def _plain_load(url: str, cost: float) -> Load:
    """Of a request that falls under no quota of its own, and costs what it says."""
    return Load(quota=0, cost=cost, path=_path_of(url)[1], like="")


def _pattern(text: str) -> Callable[[str], object]:
    """Whether a path fits; a pattern without a leading slash or star may begin anywhere below a slash."""
    start = "" if text.startswith(("/", "*")) else "(.*/)?"
    return re.compile(start + ".*".join(map(re.escape, text.split("*")))).fullmatch
