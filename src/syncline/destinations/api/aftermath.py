"""After an interrupted run: what became of the effects that it had stored, before anything else is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncline.destinations.api.courier import Courier
from syncline.destinations.api.forms import Unfillable
from syncline.destinations.api.packing import addressed
from syncline.destinations.api.settling import close, is_over
from syncline.destinations.api.troubles import told_of
from syncline.errors import PlanError, RequestError
from syncline.events import Noticed, emit
from syncline.model import Clock, decode_json
from syncline.state import Effect, Lease, StateStore

Doubts = dict[str, Effect]
Met = dict[tuple[str, str], list[Effect]]


class Aftermath:
    """What is left in the outbox of one stream. `linking`: records are known by their key, so that links tell what is done."""

    def __init__(self, key: str, courier: Courier, state: StateStore, clock: Clock, *, linking: bool) -> None:
        self._key, self._courier, self._state, self._clock, self._linking = key, courier, state, clock, linking

    async def find_out(self, lease: Lease) -> tuple[Doubts, Met]:
        """Settle what can be. Gives what stays in doubt, and what the source will bring again though it is settled.

        Effects that may have been sent are sent once more as they were where that does no harm, else looked up. What is in doubt
        from earlier runs is looked up again where the file says how by now.
        """
        stored = await self._state.outbox.effects(self._key)
        if not stored:
            return {}, {}
        finder = self._courier.finder
        unsure = [
            effect
            for effect in stored
            if effect.outcome == "sent" or (effect.outcome == "in_doubt" and finder.able(decode_json(effect.content)))
        ]
        self._refuse_what_cannot_be_sent(unsure)
        settled = await self._delivered(unsure, lease, self._intact(stored)) if unsure else []
        now = {effect.id: effect for effect in settled}
        return await self._sorted([now.get(effect.id, effect) for effect in stored], lease)

    async def resend(self, effects: Sequence[Effect], lease: Lease) -> list[Effect]:
        """Send these in new requests. What is refused becomes a dead letter; what is done is done with."""
        self._refuse_what_cannot_be_sent(effects)
        try:
            fresh = addressed(effects, self._courier.dialect, self._courier.dialect.target.batch)
        except Unfillable as fault:
            raise self._unfillable(fault) from fault
        await self._state.outbox.keep(lease, fresh, now=self._clock.now())
        try:
            settled = await self._courier.deliver(fresh, lease, lambda effect: effect.record)
        except RequestError as error:
            raise told_of(error) from error
        await close(
            self._state,
            lease,
            self._clock.now(),
            [effect for effect in settled if effect.outcome != "in_doubt" and is_over(effect, linking=self._linking)],
        )
        return settled

    def _intact(self, stored: Iterable[Effect]) -> frozenset[str]:
        """The calls that can be sent once more: with everything that was in them, and while the API remembers their key."""
        calls: dict[str, list[Effect]] = {}
        for effect in stored:
            calls.setdefault(effect.call, []).append(effect)
        return frozenset(
            call
            for call, effects in calls.items()
            if all(effect.outcome == "sent" for effect in effects) and self._is_harmless(effects)
        )

    def _is_harmless(self, effects: Sequence[Effect]) -> bool:
        dialect, first = self._courier.dialect, effects[0]
        many = dialect.is_batch(effects)
        age = (self._clock.now() - first.created).total_seconds()
        known = first.idempotency_key is not None and age < dialect.target.idempotency_for
        return dialect.idempotent(first.operation, many=many) or (
            known and dialect.harmless(first.operation, many=many)
        )

    async def _delivered(self, effects: Sequence[Effect], lease: Lease, intact: frozenset[str]) -> list[Effect]:
        try:
            settled = await self._courier.deliver(effects, lease, lambda effect: effect.record, unsure=intact)
        except RequestError as error:
            raise told_of(error) from error
        except Unfillable as fault:
            raise self._unfillable(fault) from fault
        sent = sum(effect.outcome == "sent" for effect in effects)
        if sent:
            emit(Noticed(what=f"found out what became of {sent} effects of an interrupted run"))
        return settled

    async def _sorted(self, effects: Iterable[Effect], lease: Lease) -> tuple[Doubts, Met]:
        doubts: Doubts = {}
        met: Met = {}
        done: list[Effect] = []
        for effect in effects:
            if effect.outcome == "in_doubt":
                doubts[effect.source_key if self._linking else effect.id] = effect
            if effect.outcome != "rejected" and not is_over(effect, linking=self._linking):
                met.setdefault((effect.source_key, effect.digest), []).append(effect)
            elif effect.outcome != "in_doubt":
                done.append(effect)
        await close(self._state, lease, self._clock.now(), done)
        return doubts, met

    def _unfillable(self, fault: Unfillable) -> PlanError:
        return PlanError(
            f"what an interrupted run left cannot be written as `into` has it now: {fault.reason}",
            hint="put back what was changed; or settle it: syncline outbox list FILE",
            stream=self._key,
        )

    def _refuse_what_cannot_be_sent(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            what = effect.operation
            if not self._courier.dialect.knows(what):
                raise PlanError(
                    f"an interrupted run has left a {what} ({effect.request}), and `into` has no {what} now",
                    hint=f"put {what} back; or settle it: syncline outbox list FILE",
                    stream=self._key,
                )
