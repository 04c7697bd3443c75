"""Another API, open for writing: its connection, and the state beside it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from syncline.databases import Address
from syncline.destinations.api.answers import Answers
from syncline.destinations.api.belonging import refuse_strange_ids
from syncline.destinations.api.courier import Courier
from syncline.destinations.api.deciding import Decider
from syncline.destinations.api.dialects import Dialect, GraphQLDialect
from syncline.destinations.api.matching import Finder
from syncline.destinations.api.seeing import Seeing
from syncline.destinations.api.writer import ApiWriter
from syncline.destinations.destination import note_of
from syncline.destinations.target import Deletes, SchemaPolicy, Target
from syncline.errors import PlanError
from syncline.http import Client
from syncline.model import Checkpoint, Clock
from syncline.resilience import Retry
from syncline.state import Lease, StateStore
from syncline.state.store import open_state

DialectOf = Callable[[Target, Client], Dialect]


class ApiSink:
    """Every stream's way into the same API, over one connection."""

    batch_rows = 100

    def __init__(self, client: Client, state: StateStore, clock: Clock, retry: Retry, dialect_of: DialectOf) -> None:
        self.state = state
        self._client, self._clock, self._retry, self._dialect_of = client, clock, retry, dialect_of

    async def begin(
        self,
        key: str,
        stream: str,
        target: Target,
        *,
        primary_key: tuple[str, ...] = (),
        fresh: bool = False,
        lease: Lease,
        checkpoint: Checkpoint,
        schema: SchemaPolicy = "evolve",
        deletes: Deletes | None = None,
        allow_deletes: bool = False,
    ) -> ApiWriter:
        if target.write == "upsert" and not primary_key:
            raise PlanError(
                f"{stream}: write: upsert needs a primary key, by which a record is known again",
                hint="name it (`primary_key: id`), or set `into: {write: append}`",
                stream=stream,
            )
        seeing = None
        if deletes is not None and deletes.missing and target.write == "upsert":
            seeing = Seeing(key, deletes, self.state.outbox, note={} if fresh else note_of(checkpoint))
            seeing.guarded = not allow_deletes
            seeing.whole = seeing.going_on or fresh or checkpoint.resume is None
        await refuse_strange_ids(self.state, lease, self._client.origins.home, self._clock.now())
        writer = self.writer(key, target, primary_key, seeing)
        await writer.begin(lease)
        return writer

    def writer(self, key: str, target: Target, primary_key: tuple[str, ...], seeing: Seeing | None = None) -> ApiWriter:
        """A writer that has not yet looked at what an interrupted run left."""
        dialect = self._dialect_of(target, self._client)
        finder = Finder(dialect, self._client)
        courier = Courier(
            dialect=dialect,
            answers=Answers(target, self._client.conceal, graphql=isinstance(dialect, GraphQLDialect)),
            finder=finder,
            client=self._client,
            box=self.state.outbox,
            clock=self._clock,
            retry=self._retry,
            chance=random.random,
            linking=target.write != "append",
        )
        return ApiWriter(
            key=key,
            target=target,
            primary_key=primary_key,
            decider=Decider(dialect, target.write, finder.able),
            courier=courier,
            state=self.state,
            clock=self._clock,
            seeing=seeing,
        )

    async def close(self) -> None:
        """Nothing of its own is open: connection and state are closed by who opened them."""


@asynccontextmanager
async def open_api(
    connect: Callable[[StateStore], AbstractAsyncContextManager[Client]],
    dialect_of: DialectOf,
    default_state: Path | Address,
    clock: Clock,
    retry: Retry,
) -> AsyncIterator[ApiSink]:
    """`connect` gives the connection, about to be opened, which leaves an open circuit in the state."""
    async with open_state(default_state) as state, connect(state) as client:
        yield ApiSink(client, state, clock, retry, dialect_of)
