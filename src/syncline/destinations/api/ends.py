"""What is to become of effects after a sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from syncline.destinations.api.answers import Verdict
from syncline.errors import SynclineError, WriteError
from syncline.state import Effect


def judged(effect: Effect, verdict: Verdict) -> Effect:
    """The effect as the API's word leaves it."""
    if verdict.fate == "confirmed":
        remote_id = effect.remote_id if verdict.remote_id is None else verdict.remote_id
        return msgspec.structs.replace(effect, outcome="confirmed", remote_id=remote_id)
    return msgspec.structs.replace(effect, outcome="rejected", path=verdict.path, reason=verdict.reason)


class Ends:
    """Sorts the effects whose end was not known at once. `last`: no other attempt will be made.

    `remade` gives the creation that takes the place of an update whose record is gone; None where that is refused.
    """

    def __init__(self, remade: Callable[[Effect], Effect | None], accepted: set[str], *, last: bool) -> None:
        self._remade, self._accepted, self._last = remade, accepted, last
        self.settled: list[Effect] = []
        self.same: list[Effect] = []
        """To be sent once more as they were."""
        self.untouched: list[Effect] = []
        """Among `same`: those that surely had no effect so far."""
        self.fresh: list[Effect] = []
        """To be sent in a new request; they surely had no effect so far."""
        self.undone: list[Effect] = []
        """Not to be sent, and without effect."""
        self.lost: list[tuple[Effect, Verdict]] = []
        """Nobody knows, and sending once more could do it twice."""
        self.unlinked: list[str] = []
        self.fatal: SynclineError | None = None

    def take(self, effect: Effect, verdict: Verdict) -> None:
        if verdict.fate in ("confirmed", "rejected"):
            self.settled.append(judged(effect, verdict))
        elif verdict.fate == "missing":
            self._missing(effect, verdict)
        elif verdict.fate == "barred":
            self._barred(effect, verdict)
        elif verdict.fate == "refused":
            self._refused(effect, verdict)
        elif not verdict.again:
            self.lost.append((effect, verdict))
        elif self._last:
            self.fatal = self.fatal or _no_end(verdict)
        else:
            self.same.append(effect)

    def confirm(self, effect: Effect, remote_id: Any) -> None:
        self.settled.append(msgspec.structs.replace(effect, outcome="confirmed", remote_id=remote_id))

    def doubt(self, effect: Effect, reason: str, record: Any) -> None:
        self.settled.append(msgspec.structs.replace(effect, outcome="in_doubt", reason=reason, record=record))

    def anew(self, effect: Effect, verdict: Verdict) -> None:
        """It surely had no effect, and goes in a new request."""
        if self._last:
            self.fatal = self.fatal or _no_end(verdict)
            self.undone.append(effect)
        else:
            self.fresh.append(effect)

    def _missing(self, effect: Effect, verdict: Verdict) -> None:
        creation = self._remade(effect)
        if creation is None:
            self.settled.append(judged(effect, verdict))
            return
        self.unlinked.append(effect.source_key)
        self.fresh.append(creation)

    def _barred(self, effect: Effect, verdict: Verdict) -> None:
        """Where others of its kind were accepted, the refusal is about this record; else about the file or the account."""
        if effect.operation in self._accepted:
            self.settled.append(judged(effect, verdict))
            return
        self.fatal = self.fatal or verdict.error
        self.undone.append(effect)

    def _refused(self, effect: Effect, verdict: Verdict) -> None:
        of_record = verdict.status is not None and 400 <= verdict.status < 500 and verdict.status != 429
        if self._last and of_record:
            self.settled.append(judged(effect, verdict))
        elif self._last or not verdict.again:
            self.anew(effect, verdict)
        else:
            self.same.append(effect)
            self.untouched.append(effect)


def _no_end(verdict: Verdict) -> SynclineError:
    if verdict.error is not None:
        return verdict.error
    return WriteError(
        "the destination did not answer, attempt after attempt",
        evidence=verdict.reason or None,
        hint="run again when the API is well: what was sent is stored, and is found out first",
    )
