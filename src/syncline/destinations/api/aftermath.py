"""After an interrupted run: what became of the effects that it had stored, before anything else is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from syncline.destinations.api.courier import Courier
from syncline.destinations.api.packing import addressed
from syncline.destinations.api.troubles import told_of
from syncline.errors import PlanError, RequestError
from syncline.events import Noticed, emit
from syncline.model import Clock, Rejected, decode_json
from syncline.state import Effect, Lease, Link, StateStore

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
        fresh = addressed(effects, self._courier.dialect, self._courier.dialect.target.batch)
        await self._state.outbox.keep(lease, fresh, now=self._clock.now())
        try:
            settled = await self._courier.deliver(fresh, lease, _record)
        except RequestError as error:
            raise told_of(error) from error
        await self._close(
            [effect for effect in settled if effect.outcome != "in_doubt" and self._is_over(effect)], lease
        )
        return settled

    async def confirm(self, effect: Effect, lease: Lease, remote_id: Any) -> None:
        """Somebody knows that it arrived, as a record of this id where it made one."""
        known = remote_id if remote_id is not None else effect.remote_id
        arrived = msgspec.structs.replace(effect, outcome="confirmed", remote_id=known)
        gone = effect.operation == "delete"
        links = (
            [Link(source_key=effect.source_key, remote_id=known, digest=effect.digest)]
            if self._linking and not gone
            else []
        )
        await self._state.outbox.keep(
            lease, [arrived], links=links, unlinked=[effect.source_key] if gone else [], now=self._clock.now()
        )
        if self._is_over(effect):
            await self._close([arrived], lease)

    def _is_over(self, effect: Effect) -> bool:
        """Whether nothing of it has to be remembered once it is settled: with links, or because it will not be brought again."""
        return self._linking or effect.passed or effect.letter is not None

    def _intact(self, stored: Iterable[Effect]) -> frozenset[str]:
        """The calls that can be sent once more: harmless, and with everything that was in them."""
        calls: dict[str, list[Effect]] = {}
        for effect in stored:
            calls.setdefault(effect.call, []).append(effect)
        dialect = self._courier.dialect
        return frozenset(
            call
            for call, effects in calls.items()
            if all(effect.outcome == "sent" for effect in effects)
            and dialect.harmless(effects[0].operation, many=dialect.is_batch(effects))
        )

    async def _delivered(self, effects: Sequence[Effect], lease: Lease, intact: frozenset[str]) -> list[Effect]:
        try:
            settled = await self._courier.deliver(effects, lease, _record, unsure=intact)
        except RequestError as error:
            raise told_of(error) from error
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
            if effect.outcome != "rejected" and not self._is_over(effect):
                met.setdefault((effect.source_key, effect.digest), []).append(effect)
            elif effect.outcome != "in_doubt":
                done.append(effect)
        await self._close(done, lease)
        return doubts, met

    async def _close(self, effects: Sequence[Effect], lease: Lease) -> None:
        """Nothing more is to come of these: refusals that the source will not bring again are kept as dead letters."""
        if not effects:
            return
        confirmed = [effect for effect in effects if effect.outcome == "confirmed"]
        refused = [effect for effect in effects if effect.outcome == "rejected" and effect.passed]
        await self._state.commit(
            lease,
            None,
            now=self._clock.now(),
            written=len(confirmed),
            rejected=[
                Rejected(path=effect.path or "", reason=effect.reason or "", record=_record(effect))
                for effect in refused
            ],
            resolved=[effect.letter for effect in confirmed if effect.letter is not None],
            passed=[effect.id for effect in effects],
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


def _record(effect: Effect) -> object:
    return effect.record if effect.record is not None else decode_json(effect.content)
