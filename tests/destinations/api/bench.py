"""A writer into the address book, without a source: what the engine does, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from syncline.destinations import Deletes, RestApi, Sink, Target, Writer
from syncline.model import Batch, Checkpoint, Written
from syncline.state import Effect, Lease, Owner
from tests.destinations.api.contacts import person
from tests.support.clock import SimulatedClock

KEY = "crm.people"
COLUMNS = ("external_id", "email", "name", "age")

INTO: dict[str, Any] = {
    "create": "POST /contacts",
    "update": "PATCH /contacts/{id}",
    "delete": "DELETE /contacts/{id}",
}
KEYED = {**INTO, "idempotency_header": "Idempotency-Key"}
MATCHED = {**INTO, "match": "external_id"}


def rows(*numbers: int, **changes: Any) -> Batch:
    """People as rows; `changes` are for all of them."""
    found = []
    for number in numbers:
        one = person(number)
        row = {"external_id": one["id"], "email": one["email"], "name": one["name"], "age": one["age"], **changes}
        found.append(tuple(row[name] for name in COLUMNS))
    return Batch(columns=COLUMNS, rows=found)


class Bench:
    """The address book as a destination, its state in `folder`."""

    def __init__(self, folder: Path, url: str, *, kind: type[Any] = RestApi, **connection: Any) -> None:
        self.folder, self.clock = folder, SimulatedClock()
        settings: dict[str, Any] = {"retry": {"budget": "100%"}, "circuit_breaker": {"failures": 1000}}
        self.destination = kind.model_validate({"base_url": url, **settings, **connection})
        self.pages = 0

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[Sink]:
        state = self.folder / ".syncline" / "state.db"
        async with self.destination.open(integration="crm", default_state=state, clock=self.clock) as sink:
            yield sink

    async def lease(self, sink: Sink, run_id: str = "r1") -> Lease:
        """Also from a holder that 'crashed': its lease is over."""
        self.clock.advance(61)
        return await sink.state.acquire(KEY, Owner.current(run_id), self.clock.now(), 60)

    async def writer(self, sink: Sink, lease: Lease, into: dict[str, Any], deletes: Deletes | None = None) -> Writer:
        target = Target.model_validate(into)
        assert self.destination.misfit(target, deletes) is None
        checkpoint = (await sink.state.load(KEY)).checkpoint
        key = ("external_id",) if target.write == "upsert" else ()
        return await sink.begin(
            KEY, "people", target, primary_key=key, lease=lease, checkpoint=checkpoint, deletes=deletes
        )

    async def write(self, into: dict[str, Any], *batches: Batch, **options: Any) -> list[Written]:
        """One run: these batches, each with its checkpoint, and the end of the pass."""
        written = []
        async with self.sink() as sink:
            lease = await self.lease(sink)
            writer = await self.writer(sink, lease, into)
            for batch in batches:
                self.pages += 1
                written.append(await writer.write(batch, [], Checkpoint(resume={"page": self.pages}), lease, **options))
            await writer.finish(Checkpoint(cursor=self.pages), lease)
            await sink.state.release(lease, "idle")
        return written

    async def outbox(self, *outcomes: Any) -> list[Effect]:
        async with self.sink() as sink:
            return list(await sink.state.outbox.effects(KEY, outcomes))

    async def page(self) -> Any:
        """How far the checkpoint is."""
        async with self.sink() as sink:
            state = await sink.state.load(KEY)
            return (state.checkpoint.resume or {}).get("page"), state.checkpoint.cursor

    async def letters(self) -> Sequence[Any]:
        async with self.sink() as sink:
            return await sink.state.dead_letters.list(KEY)
