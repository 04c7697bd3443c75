"""One stream's way into another API."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from syncline.destinations.api.aftermath import Aftermath
from syncline.destinations.api.courier import Courier, gathered
from syncline.destinations.api.deciding import Decider, Step
from syncline.destinations.api.matching import Ambiguous
from syncline.destinations.api.packing import addressed
from syncline.destinations.api.rows import Wish, in_order, shown_key, wishes_of
from syncline.destinations.api.seeing import Seeing, gone_of, keys_of
from syncline.destinations.api.troubles import told_of
from syncline.destinations.destination import Finished, with_note
from syncline.destinations.target import Target
from syncline.errors import RequestError
from syncline.events import Reached, emit
from syncline.model import Batch, Checkpoint, Clock, Rejected, Row, Written
from syncline.state import Effect, Lease, Link, StateStore

FEW = 10
"""Records under way at once where a crash would leave all of them in doubt: without idempotency, and without a lookup."""


class Tally(msgspec.Struct):
    """What became of a batch. `passed` are effects that the checkpoint moves past."""

    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    in_doubt: int = 0
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    passed: list[str] = msgspec.field(default_factory=list)
    amended: list[Effect] = msgspec.field(default_factory=list)
    """Effects in doubt whose source record is known only now that it came again."""


class ApiWriter:
    """Writes the rows of one stream, each record by itself or many in one request."""

    interruptible = True

    def __init__(
        self,
        *,
        key: str,
        target: Target,
        primary_key: Sequence[str],
        decider: Decider,
        courier: Courier,
        state: StateStore,
        clock: Clock,
        seeing: Seeing | None = None,
    ) -> None:
        self._key, self._target, self._primary_key = key, target, primary_key
        self._decider, self._courier, self._state, self._clock = decider, courier, state, clock
        self._seeing = seeing
        self.aftermath = Aftermath(key, courier, state, clock, linking=self._linking)
        self._doubts: dict[str, Effect] = {}
        """Effects in doubt, by the record's key at the source."""
        self._met: dict[tuple[str, str], list[Effect]] = {}
        """Of an interrupted batch of write: append: effects that the source will ask for again, though nothing is left to do."""

    async def begin(self, lease: Lease) -> None:
        """Find out first what became of the effects of an interrupted run. Raises as `write` does."""
        self._doubts, self._met = await self.aftermath.find_out(lease)

    async def write(
        self,
        batch: Batch,
        rejected: Sequence[Rejected],
        checkpoint: Checkpoint | None,
        lease: Lease,
        *,
        records: Sequence[Any] | None = None,
        resolved: Sequence[int] = (),
        gone: Sequence[Row] = (),
        present: Sequence[Row] = (),
        doubtful: int = 0,
    ) -> Written:
        """Returns when every row is confirmed, refused (and kept as a dead letter) or in doubt (and kept in the outbox)."""
        wishes, refused = wishes_of(batch, self._primary_key, records=records, letters=resolved)
        wishes += [gone_of(source_key, self._primary_key) for source_key in keys_of(gone)]
        tally = Tally(rejected=refused)
        await self._fulfil(wishes, lease, tally)
        if self._seeing is not None:
            listed = [wish.source_key for wish in wishes if not wish.gone]
            await self._seeing.see(lease, [*listed, *keys_of(present)], doubtful=doubtful + len(refused))
        await self._state.commit(
            lease,
            self._noted(checkpoint),
            now=self._clock.now(),
            written=tally.written,
            rejected=[*rejected, *tally.rejected],
            resolved=resolved,
            passed=tally.passed,
        )
        emit(Reached(station="checkpoint committed"))
        return Written(
            written=tally.written,
            unchanged=tally.unchanged,
            deleted=tally.deleted,
            rejected=tuple(tally.rejected),
            in_doubt=tally.in_doubt,
        )

    async def finish(self, checkpoint: Checkpoint, lease: Lease, *, complete: bool = False) -> Finished:
        tally = Tally()
        notice = await self._seeing.missing(complete=complete) if self._seeing is not None else None
        if self._seeing is not None and notice is None:
            while wishes := await self._seeing.next(self._primary_key, self._target.batch):
                await self._fulfil(wishes, lease, tally)
                await self._seeing.see(lease, [wish.source_key for wish in wishes])
        left = [effect.id for effects in self._met.values() for effect in effects]
        await self._state.commit(
            lease,
            with_note(checkpoint, None),
            now=self._clock.now(),
            written=tally.written,
            rejected=tally.rejected,
            passed=[*tally.passed, *left],
        )
        self._met = {}
        emit(Reached(station="checkpoint committed"))
        if self._doubts:
            notice = (
                f"{len(self._doubts)} effects are in doubt: nobody can say whether the destination has them"
                " (syncline outbox list FILE)"
            )
        return Finished(deleted=tally.deleted, notice=notice)

    def _noted(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        note = self._seeing.note() if self._seeing is not None else None
        return checkpoint if checkpoint is None or note is None else with_note(checkpoint, note)

    async def _fulfil(self, wishes: Sequence[Wish], lease: Lease, tally: Tally) -> None:
        for part in in_order(wishes, self._target.match, self._size()):
            try:
                await self._grant(part, lease, tally)
            except RequestError as error:
                raise told_of(error) from error

    def _size(self) -> int:
        dialect = self._courier.dialect
        many = any(dialect.batch_of(operation) for operation in ("create", "update", "delete"))
        safe = dialect.harmless("create", many=many) or self._target.match is not None
        return self._target.batch if safe or many else min(self._target.batch, FEW)

    async def _grant(self, part: Sequence[Wish], lease: Lease, tally: Tally) -> None:
        """Send what has to be sent for these records, none of which is there twice, and find out what became of it."""
        steps = await self._steps(part)
        sending: list[tuple[Effect, Wish]] = []
        tally.amended.clear()
        links: list[Link] = []
        for step in steps:
            if step.what == "reject":
                tally.rejected.append(Rejected(path=step.path, reason=step.reason, record=step.wish.record))
            elif step.link is not None or step.what == "unchanged":
                links += [step.link] if step.link is not None else []
                tally.unchanged += 1
            elif self._is_met(step, tally) or self._is_held(step, tally):
                continue
            else:
                sending.append((self._effect(step, lease), step.wish))
        effects = addressed([effect for effect, _ in sending], self._courier.dialect, self._target.batch)
        superseded = [self._doubts.pop(key).id for effect in effects if (key := effect.source_key) in self._doubts]
        if effects or links or tally.amended:
            stored = [*effects, *tally.amended]
            await self._state.outbox.keep(lease, stored, links=links, removed=superseded, now=self._clock.now())
        if not effects:
            return
        emit(Reached(station="outbox stored"))
        wishes = {effect.id: wish for effect, wish in sending}
        for effect in await self._courier.deliver(effects, lease, lambda effect: wishes[effect.id].record):
            self._count(effect, wishes[effect.id], tally)

    async def _steps(self, part: Sequence[Wish]) -> list[Step]:
        """What each wish comes to; the destination is asked where only it can tell."""
        keys = [wish.source_key for wish in part] if self._linking else []
        links = await self._state.outbox.links(self._key, keys) if keys else {}
        steps = [self._decider.decide(wish, links.get(wish.source_key)) for wish in part]

        async def look(place: int) -> None:
            step = steps[place]
            try:
                steps[place] = self._decider.found(step, await self._courier.look(step.wish.row))
            except Ambiguous as several:
                steps[place] = Step(wish=step.wish, what="reject", path=self._target.match or "", reason=str(several))

        await gathered(look(place) for place, step in enumerate(steps) if step.what == "look")
        return steps

    @property
    def _linking(self) -> bool:
        return self._target.write != "append"

    def _effect(self, step: Step, lease: Lease) -> Effect:
        wish = step.wish
        assert step.what in ("create", "update", "delete")
        return Effect(
            id=uuid.uuid4().hex,
            key=self._key,
            source_key=wish.source_key,
            operation=step.what,
            content=wish.content,
            digest=step.digest,
            request="",
            call="",
            remote_id=step.remote_id,
            letter=wish.letter,
            run_id=lease.owner.run_id,
            created=self._clock.now(),
        )

    def _is_met(self, step: Step, tally: Tally) -> bool:
        """Whether an interrupted run has done it already, or left it in doubt."""
        met = self._met.get((step.wish.source_key, step.digest))
        if not met:
            return False
        effect = met.pop()
        tally.passed.append(effect.id)
        if effect.outcome == "in_doubt":
            self._still_doubtful(effect, step.wish, tally)
        else:
            tally.written += 1
        return True

    @staticmethod
    def _still_doubtful(effect: Effect, wish: Wish, tally: Tally) -> None:
        tally.in_doubt += 1
        if effect.record is None:
            tally.amended.append(msgspec.structs.replace(effect, record=wish.record))

    def _is_held(self, step: Step, tally: Tally) -> bool:
        """Whether it must wait, because nobody knows what became of an earlier effect on the same record."""
        doubt = self._doubts.get(step.wish.source_key) if self._linking else None
        if doubt is None or self._supersedes(step, doubt):
            return False
        if doubt.operation == step.what and doubt.digest == step.digest:
            self._still_doubtful(doubt, step.wish, tally)
            tally.passed.append(doubt.id)
            return True
        reason = (
            f"an earlier {doubt.operation} of {shown_key(doubt.source_key)} is in doubt; settle it, then retry this one"
        )
        tally.rejected.append(Rejected(path="", reason=reason, record=step.wish.record))
        return True

    @staticmethod
    def _supersedes(step: Step, doubt: Effect) -> bool:
        """Whether it does not matter any more what became of the one in doubt: this one says all that it said, and more."""
        newer = step.what == "delete" or (step.what == "update" and step.digest != doubt.digest)
        return doubt.operation == "update" and newer

    def _count(self, effect: Effect, wish: Wish, tally: Tally) -> None:
        tally.passed.append(effect.id)
        if effect.outcome == "in_doubt":
            self._doubts[effect.source_key if self._linking else effect.id] = effect
            tally.in_doubt += 1
        elif effect.outcome == "rejected":
            tally.rejected.append(Rejected(path=effect.path or "", reason=effect.reason or "", record=wish.record))
        else:
            tally.written += 1
            tally.deleted += effect.operation == "delete"
