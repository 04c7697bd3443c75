"""The configuration of a connection to an API: where, who, how often, how long."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from syncline.auth import AuthField
from syncline.http.authorising import Authorising
from syncline.http.caps import Caps
from syncline.http.client import Client
from syncline.http.keeping import CircuitStore, Conduct, Keeper, OwnKeeper
from syncline.http.layers import Retrying, Rules, layered, legible, observed, retried
from syncline.http.limiting import Gate, ready
from syncline.http.origins import Origins
from syncline.http.pools import Pools
from syncline.http.proxies import ProxyText
from syncline.http.send import Send
from syncline.http.tokens.current import Tokens, TokenStore, ignore
from syncline.http.tokens.identity import token_auth
from syncline.http.transport import open_transport
from syncline.http.trust import Tls
from syncline.http.wire import Wire
from syncline.model import Clock, Duration, Part, Reference, Secret, Size, SystemClock, Text, Token, origin_of, reveal
from syncline.resilience import CircuitBreaker, Limits, LimitsField, Retry, RetryBudget


class Timeouts(Part):
    """How long one attempt may take."""

    connect: Duration = Field(default=10.0, description="For the connection, its TLS included.")
    read: Duration = Field(default=60.0, description="For silence between two pieces of the answer.")
    total: Duration = Field(default=300.0, description="For the whole attempt; one that used it up is not repeated.")


class Connection(Part):
    """An API behind HTTP: its address, its credentials, and how it is treated. The base of sources and destinations."""

    base_url: Text = Field(description="The address that every path starts from, such as https://api.shop.example/v2.")
    headers: dict[str, Text] = Field(default={}, description="Headers of every request to this origin.")
    params: dict[str, Text] = Field(default={}, description="Query parameters of every request to this origin.")
    auth: AuthField = Field(default=None, description="How requests are authorised; a list combines several ways.")
    rate_limit: LimitsField = Field(
        default_factory=Limits.unsaid,
        description="How often requests may be sent: 10/s, [10/s, 1000/h], or the long form.",
    )
    retry: Retry = Field(default_factory=Retry.unsaid, description="When a failed request is sent again.")
    circuit_breaker: CircuitBreaker = Field(
        default_factory=CircuitBreaker.unsaid, description="When a failing API is left alone."
    )
    timeout: Timeouts = Field(default_factory=Timeouts.unsaid, description="How long one attempt may take.")
    max_body: Size = Field(default=32_000_000, description="The largest answer that is read, decompressed.")
    max_ratio: float = Field(
        default=200.0, gt=1, description="How many times an answer may grow while it is decompressed."
    )
    allow_hosts: tuple[str, ...] = Field(
        default=(), description="Other hosts that links and redirects may lead to; they get no credentials."
    )
    send_credentials_to: tuple[str, ...] = Field(
        default=(), description="Other hosts that get the credentials as well."
    )
    connections: int = Field(default=100, ge=1, description="Connections open at the same time.")
    tls: Tls = Field(default_factory=Tls.unsaid, description="Whom TLS connections trust.")
    proxy: ProxyText | None = Field(
        default=None,
        description="An HTTP proxy by reference, http://user:password@host:port; or environment, for HTTPS_PROXY and NO_PROXY.",
    )
    caps: Caps = Field(default_factory=Caps.unsaid, description="Where an API that does not come to an end is stopped.")
    conditional_requests: bool = Field(
        default=False, description="Ask whether pages changed (ETag, Last-Modified), and pass over those that did not."
    )

    @asynccontextmanager
    async def connect(
        self,
        *,
        clock: Clock | None = None,
        transport: Send | None = None,
        chance: Callable[[], float] = random.random,
        tokens: TokenStore | None = None,
        on_secret: Callable[[Secret], None] = ignore,
        circuit: CircuitStore | None = None,
        pools: Pools | None = None,
    ) -> AsyncIterator[Client]:
        """A client with its own pool, limiter, breaker and token. `transport` takes the network's place in tests.

        `tokens` is where the token outlives this process, `circuit` where an open circuit does; `on_secret` hears of each token
        that is obtained; `chance` gives numbers from 0 to 1 for the jitter. `pools` are connections shared with others. Raises
        OriginError for a base_url that cannot be used.
        """
        clock = clock or SystemClock()
        base = reveal(self.base_url)
        origins = Origins(base, self.allow_hosts, self.send_credentials_to)
        async with AsyncExitStack() as stack:
            end = transport
            if end is None and pools is not None:
                end = await stack.enter_async_context(pools.transport(self._wire(base), clock))
            elif end is None:
                end = await stack.enter_async_context(open_transport(self._wire(base), clock))
            keeper = self._tokens(end, clock, chance, tokens, on_secret)
            if keeper is not None:
                stack.push_async_callback(keeper.close)
            memory = await open_keeper(self.rate_limit, self.circuit_breaker, base, clock, circuit)
            stack.push_async_callback(memory.close)
            gate = Gate(memory, self.rate_limit, self.retry.max_wait, clock)
            gate.one_quota = self.auth is None or self.auth.renewals == 1
            stack.push_async_callback(gate.close)
            rules = Rules(
                retrying=Retrying(retry=self.retry, budget=RetryBudget(self.retry), chance=chance),
                keeper=memory,
                gate=gate,
                authorising=Authorising(
                    origins=origins,
                    headers=_revealed(self.headers),
                    params=_revealed(self.params),
                    auth=self.auth,
                    tokens=keeper,
                    ready=partial(ready, gate, clock=clock),
                ),
                secrets=lambda: self._secrets(keeper),
            )
            yield Client(
                layered(end, rules, clock),
                origins,
                clock,
                lambda: self._secrets(keeper),
                caps=self.caps,
                conditional=self.conditional_requests,
            )

    @asynccontextmanager
    async def token_desk(
        self,
        *,
        clock: Clock,
        tokens: TokenStore | None,
        transport: Send | None = None,
        on_secret: Callable[[Secret], None] = ignore,
    ) -> AsyncIterator[tuple[Tokens, Send]]:
        """What a log-in needs: who keeps the token, and the way to the authorisation server. Raises TypeError without one."""
        async with AsyncExitStack() as stack:
            end = transport
            if end is None:
                end = await stack.enter_async_context(open_transport(self._wire(reveal(self.base_url)), clock))
            keeper = self._tokens(end, clock, random.random, tokens, on_secret)
            if keeper is None:
                raise TypeError("this connection has no token to log in for")
            stack.push_async_callback(keeper.close)
            yield keeper, self._token_way(end, clock, random.random)

    def _tokens(
        self,
        end: Send,
        clock: Clock,
        chance: Callable[[], float],
        store: TokenStore | None,
        on_secret: Callable[[Secret], None],
    ) -> Tokens | None:
        if self.auth is None or not self.auth.needs_token:
            return None
        return Tokens(self.auth.at(reveal(self.base_url)), self._token_way(end, clock, chance), clock, store, on_secret)

    def _token_way(self, end: Send, clock: Clock, chance: Callable[[], float]) -> Send:
        rule = Retrying(retry=self.retry, budget=RetryBudget(self.retry), chance=chance)
        send = observed(end, lambda: self._secrets(None), clock)
        if _answers_with_documents(token_auth(self.auth)):
            send = legible(send, self.retry, clock)
        return retried(send, rule, clock)

    def _wire(self, base: str) -> Wire:
        origins = Origins(base, self.allow_hosts, self.send_credentials_to)
        others = {origin_of(address) for address in self.auth.addresses} if self.auth else set()
        return Wire(
            home_host=urlsplit(base).hostname or "",
            connect=self.timeout.connect,
            read=self.timeout.read,
            total=self.timeout.total,
            max_body=self.max_body,
            max_ratio=self.max_ratio,
            connections=self.connections,
            headers=self.caps.headers,
            header_size=self.caps.header_size,
            proxy=None if self.proxy is None else reveal(self.proxy),
            tls=self.tls,
            certificate=self.auth.client_certificate if self.auth else None,
            certified=lambda url: origins.trusts(url) or origin_of(url) in others,
        )

    def _secrets(self, keeper: Tokens | None) -> Iterator[Secret]:
        yield from secrets_in([self.headers, self.params, self.auth, self.proxy])
        token = keeper.current if keeper else None
        if token is not None:
            yield from secrets_in([token.access, token.refresh])


def _answers_with_documents(auth: Any) -> bool:
    """Whether a token stands in a document, so that an answer without one is broken."""
    kind = getattr(auth, "kind", None)
    return kind == "oauth2" or (kind == "session" and auth.token not in (None, "."))


def _revealed(texts: dict[str, str | Reference | Secret]) -> dict[str, str | Secret]:
    return {name: text if isinstance(text, Secret) else reveal(text) for name, text in texts.items()}


def secrets_in(value: Any) -> Iterator[Secret]:
    """Every secret within a part, a list or a dictionary."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Part):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, list | tuple | Token):
        for inner in value if isinstance(value, list | tuple) else (value.access, value.refresh):
            yield from secrets_in(inner)


async def open_keeper(
    limits: Limits, breaker: CircuitBreaker, base: str, clock: Clock, circuit: CircuitStore | None = None
) -> Keeper:
    """Where limits and circuit of the API at `base` are kept. Raises PlanError for a store that cannot be used here.

    `circuit` is where an open circuit outlives a process that shares with nobody.
    """
    if limits.shared is not False:
        from syncline.http.shared_keeper import shared_keeper  # late: few processes share

        return shared_keeper(limits, breaker, base, clock)
    keeper = OwnKeeper(Conduct(limits, breaker), clock, origin_of(base), circuit)
    await keeper.recall()
    return keeper
