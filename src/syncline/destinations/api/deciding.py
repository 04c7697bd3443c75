"""What a row's wish comes to, given what is known of its record: create, update, delete, or leave it as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from syncline.destinations.api.dialects import Dialect
from syncline.destinations.api.forms import Unfillable
from syncline.destinations.api.matching import Found, holds
from syncline.destinations.api.rows import Wish, digest_of
from syncline.destinations.calls import Operation
from syncline.destinations.target import WriteMode
from syncline.state import Link


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One wish's next step. `link` is to be kept where nothing has to be sent for it."""

    wish: Wish
    what: Literal["create", "update", "delete", "unchanged", "look", "reject"]
    remote_id: Any = None
    digest: str = ""
    path: str = ""
    reason: str = ""
    link: Link | None = None


class Decider:
    """The rules of one target, for one way of writing. `able` says whether the destination can be asked for a row's record."""

    def __init__(self, dialect: Dialect, write: WriteMode, able: Callable[[Mapping[str, Any]], bool]) -> None:
        self._dialect, self._write, self._able = dialect, write, able

    def decide(self, wish: Wish, link: Link | None) -> Step:
        """By what we know ourselves; `look` where the destination has to be asked."""
        try:
            if wish.gone:
                return self._gone(wish, link)
            digest = digest_of(self._dialect.content(wish.row))
            if self._write == "append":
                return self._step("create", wish, None, digest)
            if link is None:
                able = self._able(wish.row)
                return Step(wish=wish, what="look", digest=digest) if able else self._step("create", wish, None, digest)
            if link.digest == digest:
                return Step(wish=wish, what="unchanged")
            if link.remote_id is None and self._able(wish.row):  # it was made, and its answer did not say its id
                return Step(wish=wish, what="look", digest=digest)
            return self._changed(wish, link.remote_id, digest)
        except Unfillable as fault:
            return Step(wish=wish, what="reject", path=fault.path, reason=fault.reason)

    def found(self, step: Step, found: Found | None) -> Step:
        """After the destination was asked."""
        wish, digest = step.wish, step.digest
        try:
            if wish.gone:
                return (
                    Step(wish=wish, what="unchanged")
                    if found is None
                    else self._step("delete", wish, found.remote_id, "")
                )
            if found is None:
                return self._step("create", wish, None, digest)
            if holds(found.record, self._dialect.content(wish.row)):
                return Step(wish=wish, what="unchanged", link=_link(wish, found.remote_id, digest))
            return self._changed(wish, found.remote_id, digest)
        except Unfillable as fault:
            return Step(wish=wish, what="reject", path=fault.path, reason=fault.reason)

    def _gone(self, wish: Wish, link: Link | None) -> Step:
        if link is not None and link.remote_id is not None:
            return self._step("delete", wish, link.remote_id, "")
        if self._able(wish.row):
            return Step(wish=wish, what="look")
        return Step(wish=wish, what="unchanged")

    def _changed(self, wish: Wish, remote_id: Any, digest: str) -> Step:
        if self._dialect.target.update == "ignore":
            return Step(wish=wish, what="unchanged", link=_link(wish, remote_id, digest))
        return self._step("update", wish, remote_id, digest)

    def _step(self, what: Operation, wish: Wish, remote_id: Any, digest: str) -> Step:
        if not self._dialect.knows(what):
            missing = {
                "create": "there is no such record at the destination, and `into` has no create",
                "update": "the record has changed, and `into` has no update",
                "delete": "the record is gone at the source, and `into` has no delete",
            }
            return Step(wish=wish, what="reject", path=self._dialect.target.match or "", reason=missing[what])
        self._dialect.written(what, wish.row, remote_id)
        return Step(wish=wish, what=what, remote_id=remote_id, digest=digest)


def _link(wish: Wish, remote_id: Any, digest: str) -> Link:
    return Link(source_key=wish.source_key, remote_id=remote_id, digest=digest)
