"""A door of the API: it lets a call in, or says why not."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime

from syncline.rehearsal.simulator.wire import Answer, Call, refused


class Door:
    """Lets everybody in. Times are wall time. `issued` counts the tokens that were given out."""

    issued = 0

    def owns(self, call: Call) -> bool:
        """Whether the call is for one of the door's own addresses, such as a token endpoint."""
        return False

    def serve(self, call: Call, now: datetime) -> Answer:
        """The answer to a call at an address of its own."""
        raise NotImplementedError

    def check(self, call: Call, now: datetime) -> Answer | None:
        """Why a call is not let in, or None."""
        return None

    def expire(self) -> None:
        """Whatever was given out runs out at once."""

    def revoke(self) -> None:
        """Whatever was given out is taken back."""


class Fixed(Door):
    """Credentials that are sent as they are."""

    def __init__(self, shown: Callable[[Call], str | None], wanted: str, challenge: str) -> None:
        self._shown, self._wanted, self._challenge = shown, wanted, challenge

    def check(self, call: Call, now: datetime) -> Answer | None:
        shown = self._shown(call) or ""
        if hmac.compare_digest(shown.encode(), self._wanted.encode()):
            return None
        what = "these credentials are not known" if shown else "credentials are missing"
        return unauthorised(what, self._challenge)


class All(Door):
    """Several doors one behind the other."""

    def __init__(self, doors: list[Door]) -> None:
        self.doors = doors

    def owns(self, call: Call) -> bool:
        return any(door.owns(call) for door in self.doors)

    def serve(self, call: Call, now: datetime) -> Answer:
        return next(door for door in self.doors if door.owns(call)).serve(call, now)

    def check(self, call: Call, now: datetime) -> Answer | None:
        return next((answer for door in self.doors if (answer := door.check(call, now)) is not None), None)

    @property
    def issued(self) -> int:  # type: ignore[override]
        return sum(door.issued for door in self.doors)

    def expire(self) -> None:
        for door in self.doors:
            door.expire()

    def revoke(self) -> None:
        for door in self.doors:
            door.revoke()


def unauthorised(what: str, challenge: str) -> Answer:
    return refused(401, "unauthorized", what, {"WWW-Authenticate": challenge})


def header_of(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.headers.get(name)
