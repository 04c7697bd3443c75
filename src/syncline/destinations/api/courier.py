"""Effects carried to the API until it is known what became of each.

An effect is stored before it is sent. What the API confirms or refuses is stored as it comes. Where no answer came, the same
request is sent once more if the API recognises it (by its idempotency key, or because a repeat does no harm); else the record is
looked up; and where that is not possible either, the effect stays in doubt until a person has looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from syncline.destinations.api.answers import Answers, Verdict
from syncline.destinations.api.dialects import Dialect
from syncline.destinations.api.ends import Ends, judged
from syncline.destinations.api.forms import Unfillable
from syncline.destinations.api.keeping import Keeper
from syncline.destinations.api.matching import Ambiguous, Finder, Found, holds
from syncline.destinations.api.packing import Call, addressed, calls_of, in_one_request
from syncline.destinations.api.troubles import surely_undone, told_of, verdict_of
from syncline.errors import BodyError, SynclineError
from syncline.events import Reached, emit
from syncline.http import Client
from syncline.model import Clock, decode_json
from syncline.resilience import Retry
from syncline.state import Effect, EffectBox, Lease, Link

PARALLEL = 16
"""Requests on their way at the same time, where the rate limit allows as many."""


class Trip(msgspec.Struct):
    """One sending of several effects. `held` are those whose end is not known yet, `undone` those that surely had none."""

    settled: list[Effect]
    held: list[tuple[Effect, Verdict]]
    undone: list[Effect]
    fatal: SynclineError | None = None
    answered: bool = False


class Courier:
    """Carries the effects of one stream; `linking` keeps which record became which."""

    def __init__(
        self,
        *,
        dialect: Dialect,
        answers: Answers,
        finder: Finder,
        client: Client,
        box: EffectBox,
        clock: Clock,
        retry: Retry,
        chance: Callable[[], float],
        linking: bool,
    ) -> None:
        self.dialect, self.finder = dialect, finder
        self._answers, self._client, self._box, self._clock = answers, client, box, clock
        self._retry, self._chance, self._linking = retry, chance, linking
        self._looking = asyncio.Semaphore(PARALLEL)
        self._accepted: set[str] = set()
        """Operations of which one was accepted: the file is right about them, so a refusal is about its record."""

    async def deliver(
        self,
        effects: Sequence[Effect],
        lease: Lease,
        record_of: Callable[[Effect], Any],
        *,
        unsure: frozenset[str] | None = None,
    ) -> list[Effect]:
        """Settle effects that are stored: each comes back confirmed, rejected or in doubt.

        `record_of` gives the source's record behind one that ends in doubt. `unsure` says that all of them may have been
        sent before, in a process that is gone; it holds the calls that can be sent once more as they were.
        Raises WriteError, AuthError, DeferredError, StateError, LeaseError. What is settled by then is stored; the rest is found
        out the next time.
        """
        settled: list[Effect] = []
        waiting = list(effects)
        attempt = 0
        if unsure is not None:
            trip = Trip([], [(effect, Verdict(fate="unknown", again=effect.call in unsure)) for effect in effects], [])
            waiting = await self._conclude(trip, lease, record_of)
            settled += trip.settled
        while waiting:
            attempt += 1
            trip = await self._send(waiting, lease)
            hopeless = attempt >= self._retry.attempts or (attempt > 1 and not trip.answered)
            waiting = await self._conclude(trip, lease, record_of, last=hopeless)
            settled += trip.settled
            if waiting:
                await self._clock.sleep(self._retry.backoff(attempt, self._chance()))
        return settled

    # Sending

    async def _send(self, effects: Sequence[Effect], lease: Lease) -> Trip:
        trip, keeper = Trip([], [], []), Keeper(self._box, lease, self._clock)
        gate = asyncio.Semaphore(PARALLEL)

        async def one(call: Call) -> None:
            async with gate:
                if trip.fatal is not None:
                    trip.undone += call.effects
                    return
                try:
                    await self._carry(call, trip, keeper, lease)
                except SynclineError as error:
                    trip.fatal = trip.fatal or error
                    if surely_undone(error, harmless=self._harmless(call)):
                        trip.undone += call.effects

        await gathered(map(one, calls_of(effects, self.dialect)))
        return trip

    async def _carry(self, call: Call, trip: Trip, keeper: Keeper, lease: Lease) -> None:
        verdicts = await self._exchange(call, trip)
        if verdicts is not None:
            await self._keep(zip(call.effects, verdicts, strict=True), trip, keeper)
            return
        # one of them spoils the whole; the halves are other requests, and stored as such first
        middle = len(call.effects) // 2
        for half in (call.effects[:middle], call.effects[middle:]):
            again = in_one_request(half, self.dialect)
            await self._box.keep(lease, again, now=self._clock.now())
            await self._carry(calls_of(again, self.dialect)[0], trip, keeper, lease)

    async def _exchange(self, call: Call, trip: Trip) -> Sequence[Verdict] | None:
        """What the answer says of each; None where the whole was refused because of one of them."""
        operation = call.first.operation
        request = self.dialect.many(call.effects) if call.many else self.dialect.single(call.first)
        emit(Reached(station="request sent"))
        try:
            response = await self._client.write(request)
        except SynclineError as error:
            verdict = verdict_of(error, operation, self.dialect.target, told_by_status=self.dialect.told_by_status)
            trip.answered |= verdict.fate in ("confirmed", "rejected")
            return self._cautious(call, [verdict] * len(call.effects))
        emit(Reached(station="answer received"))
        trip.answered = True
        if call.many:
            references = [self.dialect.reference(effect) for effect in call.effects]
            return self._cautious(call, self._answers.of_batch(operation, request, response, references))
        placed = self.dialect.names_record(operation)
        return self._cautious(call, [self._answers.of_single(operation, request, response, placed=placed)])

    def _cautious(self, call: Call, verdicts: Sequence[Verdict] | None) -> Sequence[Verdict] | None:
        """Nothing is sent again as it is that could do harm twice, whether no answer came or one that says nothing (R7)."""
        if verdicts is None or self._harmless(call):
            return verdicts
        return [msgspec.structs.replace(verdict, again=False) for verdict in verdicts]

    async def _keep(self, pairs: Any, trip: Trip, keeper: Keeper) -> None:
        known: list[Effect] = []
        for effect, verdict in pairs:
            if verdict.fate in ("confirmed", "rejected"):
                known.append(judged(effect, verdict))
            else:
                trip.held.append((effect, verdict))
        self._accepted |= {effect.operation for effect in known if effect.outcome == "confirmed"}
        if known:
            await keeper.keep(known, links=self._links(known), unlinked=unlinked(known))
            trip.settled += known
        self._need_ids(known)

    def _need_ids(self, effects: Sequence[Effect]) -> None:
        """A record whose id is not known could never be updated: better to hear of it at the first than after a million."""
        target = self.dialect.target
        if not self.dialect.needs_id or target.match is not None:
            return
        for effect in effects:
            if effect.operation == "create" and effect.outcome == "confirmed" and effect.remote_id is None:
                raise BodyError(
                    f"the record was created ({effect.request}), but the answer has no id at {target.id!r}",
                    hint="set `id` (the path of the id in the record) and `answer` (the path of the record) in `into`",
                )

    def _links(self, effects: Sequence[Effect]) -> list[Link]:
        if not self._linking:
            return []
        return [
            Link(source_key=effect.source_key, remote_id=effect.remote_id, digest=effect.digest)
            for effect in effects
            if effect.outcome == "confirmed" and effect.operation != "delete" and effect.source_key
        ]

    def _harmless(self, call: Call) -> bool:
        return self.dialect.harmless(call.first.operation, many=call.many)

    # Finding out

    async def look(self, row: Mapping[str, Any]) -> Found | None:
        """The row's record at the destination. Raises Ambiguous, Unfillable and the RequestError family."""
        async with self._looking:
            return await self.finder.find(row)

    async def _conclude(
        self, trip: Trip, lease: Lease, record_of: Callable[[Effect], Any], *, last: bool = False
    ) -> list[Effect]:
        """Settle what can be; returns what is to be sent (once more), stored as it will be sent."""
        ends = Ends(self._remade, self._accepted, last=last)
        for effect, verdict in trip.held:
            ends.take(effect, verdict)
        fatal = trip.fatal or ends.fatal
        if fatal is None and ends.lost:
            try:
                await self._find_out(ends, record_of)
                fatal = ends.fatal
            except SynclineError as error:
                fatal = error
        known = {effect.id for effect in trip.settled} | {effect.id for effect, _ in trip.held}
        undone = [*(effect for effect in trip.undone if effect.id not in known), *ends.undone]
        if fatal is not None:
            undone += [*ends.fresh, *ends.untouched]
        fresh = addressed(ends.fresh, self.dialect, self.dialect.target.batch) if fatal is None else []
        if ends.settled or fresh or undone:
            await self._box.keep(
                lease,
                [*ends.settled, *fresh],
                links=self._links(ends.settled),
                unlinked=[*unlinked(ends.settled), *ends.unlinked],
                removed=[effect.id for effect in undone],
                now=self._clock.now(),
            )
        if ends.settled:
            emit(Reached(station="outcome stored"))
        trip.settled += ends.settled
        if fatal is not None:
            raise told_of(fatal)
        return [*ends.same, *fresh]

    def _remade(self, effect: Effect) -> Effect | None:
        if self.dialect.target.on_missing == "reject" or not self.dialect.knows("create"):
            return None
        try:
            self.dialect.written("create", decode_json(effect.content), None)
        except Unfillable:
            return None
        return msgspec.structs.replace(effect, operation="create", remote_id=None)

    async def _find_out(self, ends: Ends, record_of: Callable[[Effect], Any]) -> None:
        """Look up the records whose request ended without an answer, and that cannot just be sent again."""
        rows = {effect.id: decode_json(effect.content) for effect, _ in ends.lost}
        able = [effect for effect, _ in ends.lost if self.finder.able(rows[effect.id])]
        seen = await self._seen({effect.id: rows[effect.id] for effect in able})
        for effect, verdict in ends.lost:
            if effect.id not in seen:
                ends.doubt(effect, verdict.reason or "no answer came", record_of(effect))
                continue
            found = seen[effect.id]
            if isinstance(found, Ambiguous):
                ends.doubt(effect, str(found), record_of(effect))
            elif self._is_done(effect, found, rows[effect.id]):
                ends.confirm(effect, effect.remote_id if found is None else found.remote_id)
                self._accepted.add(effect.operation)
            else:
                ends.anew(effect, verdict)

    async def _seen(self, rows: Mapping[str, Any]) -> dict[str, Found | Ambiguous | None]:
        seen: dict[str, Found | Ambiguous | None] = {}

        async def look(effect: str, row: Any) -> None:
            try:
                seen[effect] = await self.look(row)
            except Ambiguous as several:
                seen[effect] = several

        if rows:
            await self._clock.sleep(self.dialect.target.lookup_delay)
            await gathered(look(effect, row) for effect, row in rows.items())
        return seen

    def _is_done(self, effect: Effect, found: Found | None, row: Any) -> bool:
        if effect.operation == "delete":
            return found is None
        return found is not None and (effect.operation == "create" or holds(found.record, self.dialect.content(row)))


def unlinked(effects: Sequence[Effect]) -> list[str]:
    return [effect.source_key for effect in effects if effect.operation == "delete" and effect.outcome == "confirmed"]


async def gathered(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them to their end; then the first that failed is heard."""
    for outcome in await asyncio.gather(*coroutines, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
