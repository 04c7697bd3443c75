"""The practice shop's gates, which are the simulator's, and its faults, which are the simulator's as well."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any, cast

import msgspec

from syncline.auth import OAuth2
from syncline.model import Clock, Secret, SystemClock
from syncline.rehearsal.front import served
from syncline.rehearsal.shop.answers import Refusal, answer_for, document_of, nothing_at
from syncline.rehearsal.shop.faults import Faults
from syncline.rehearsal.shop.goods import Goods
from syncline.rehearsal.simulator.faults import Fault, Scene, TokenRevoked
from syncline.rehearsal.simulator.quota import Quota
from syncline.rehearsal.simulator.striking import Striking, answer_under
from syncline.rehearsal.simulator.tokens import TokenDoor
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused
from syncline.resilience import Limits

GATED = ("/v2/", "/graphql")
CLIENT = "practice-client"
GRANTS = ("client_credentials", "refresh_token")


class Stats(msgspec.Struct, kw_only=True):
    """What the shop has seen and thrown so far."""

    requests: int = 0
    tokens: int = 0
    unauthorised: int = 0
    limited: int = 0
    errors: int = 0
    drops: int = 0
    revoked: int = 0
    changed: int = 0

    def count(self, answer: Answer, struck: list[Fault]) -> None:
        """Note what became of a call for data."""
        if answer.ending != "whole":
            self.drops += 1
        elif answer.status == 401 and any(isinstance(fault, TokenRevoked) for fault in struck):
            self.revoked += 1
        elif answer.status == 401:
            self.unauthorised += 1
        elif answer.status == 429:
            self.limited += 1
        elif answer.status == 500:
            self.errors += 1


class Tokens(TokenDoor):
    """Client credentials and rotated refresh tokens; a refresh token serves once."""

    def __init__(self, seed: int, lifetime: float) -> None:
        self.client_id, self.client_secret = CLIENT, secrets.token_urlsafe(24)
        first = Secret(secrets.token_urlsafe(24))
        auth = OAuth2.model_validate(
            {
                "kind": "oauth2",
                "grant": "refresh_token",
                "token_url": "https://shop.example/oauth/token",
                "client_id": self.client_id,
                "client_secret": Secret(self.client_secret),
                "refresh_token": first,
            }
        )
        super().__init__(auth, seed, lifetime, forgiving=False)

    def serve(self, call: Call, now: datetime) -> Answer:
        if call.form.get("grant_type") not in GRANTS:
            return refused(400, "unsupported_grant_type", f"this shop knows {' and '.join(GRANTS)}")
        return super().serve(call, now)


class Shop:
    """A web shop's API: orders by cursor, customers by page, refunds below orders, products over GraphQL.

    `latency` in seconds a request; `token_lifetime` is what token answers promise. `seed` and the count of requests for data
    decide about faults.
    """

    def __init__(
        self,
        *,
        orders: int = 5_000,
        seed: int = 7,
        faults: Faults | None = None,
        without_email: int = 0,
        token_lifetime: float = 3_600.0,
        latency: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        self.goods = Goods(orders=orders, seed=seed, without_email=without_email)
        self.tokens = Tokens(seed, token_lifetime)
        self.stats = Stats()
        rate = self.faults.rate
        self._quota = Quota(Limits(limits=(rate,) if rate else ()), "fixed window", "policy")
        self._striking = Striking(self.faults.plan(seed))
        self._rng = Random(seed)  # noqa: S311  (which orders change, not a secret)
        self._latency = latency
        self._clock = clock or SystemClock()

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Answer on loopback while the context is open; its value is the base URL."""
        async with served(["https://shop.example"], self._clock, port=port) as front:
            front.api, front.before = self, self._wait
            yield front.addresses["https://shop.example"]

    async def _wait(self, call: Call) -> None:
        if self._latency and call.path.startswith(GATED):
            await self._clock.sleep(self._latency)

    def revoke(self) -> None:
        self.tokens.revoke()

    def handle(self, call: Call, now: datetime) -> Answer:
        """The answer, as it goes on its way. Every one has a request id, every mistake its document."""
        self.stats.requests += 1
        try:
            answer = self._gated(call, now) if call.path.startswith(GATED) else self._open(call, now)
        except Refusal as refusal:
            answer = refusal.answer()
        return answer.but(headers=(*answer.headers, ("X-Request-Id", f"shop-{self.stats.requests:06d}")))

    # The gates

    def _gated(self, call: Call, now: datetime) -> Answer:
        struck = self._striking.due("pages")
        scene = cast(Scene, self)  # all that its faults look at
        for fault in struck:
            fault.befall(scene, "", 0, now)
        answer = answer_under(struck, scene, call, now, lambda: self._let_in(call, now))
        self.stats.count(answer, struck)
        return answer

    def _let_in(self, call: Call, now: datetime) -> Answer:
        """Limit, token, answer: the order in which a real gateway looks at a request."""
        wait = self._quota.take(now.timestamp())
        told = self._quota.headers(now.timestamp())
        if wait is not None:
            used_up = Refusal(429, "too_many_requests", "the quota of this account is used up")
            return used_up.answer({"Retry-After": str(int(wait) + 1), **told})
        barred = self.tokens.check(call, now)
        if barred is not None:
            return barred
        answer = answer_for(self.goods, call)
        return answer.but(headers=(*answer.headers, *told.items())) if self.faults.announce else answer

    # What is open to everybody

    def _open(self, call: Call, now: datetime) -> Answer:
        match call.method, call.path:
            case "POST", "/oauth/token":
                answer = self.tokens.serve(call, now)
                self.stats.tokens += answer.status == 200
                return answer
            case "GET", "/_practice/stats":
                return answered(msgspec.to_builtins(self.stats))
            case "POST", "/_practice/change":
                return answered({"changed": self._change(document_of(call).get("count", 1), now)})
        raise nothing_at(call)

    def _change(self, count: Any, now: datetime) -> list[int]:
        if not isinstance(count, int) or count < 0:
            raise Refusal(400, "invalid", "count is a whole number")
        changed = self.goods.change(count, now, self._rng)
        self.stats.changed += len(changed)
        return changed
