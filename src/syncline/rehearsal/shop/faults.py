"""What goes wrong in the practice shop: the simulator's faults, at calls that the seed decides."""

from __future__ import annotations

import zlib

import msgspec

from syncline.model import Rate
from syncline.rehearsal.simulator.faults import Cut, Fault, Limited, ResetAfter, ServerError, TokenRevoked


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """The switches. Of so many requests for data as `…_every` says the fault strikes one; 0 is never.

    `rate` is the real limit, counted in fixed windows. `limited_every` answers 429 all the same: another app of the
    same account has used the quota up. `revoke_every` ends an access token long before its time.
    `announce` puts the state of the limit on every answer instead of on the refused ones only.
    """

    rate: Rate | None = Rate(20, 1.0)
    limited_every: int = 30
    error_every: int = 25
    drop_every: int = 40
    revoke_every: int = 20
    announce: bool = False

    @classmethod
    def none(cls) -> Faults:
        return cls(rate=None, limited_every=0, error_every=0, drop_every=0, revoke_every=0)

    def plan(self, seed: int) -> list[Fault]:
        """The faults themselves. Every second drop is within the answer, the others are before it."""
        planned: list[Fault] = []
        if every := self.revoke_every:
            planned.append(TokenRevoked(at=_first(seed, "revoked", every), every=every))
        if every := self.limited_every:
            planned.append(Limited(at=_first(seed, "limited", every), every=every, wait=1))
        if every := self.drop_every:
            first = _first(seed, "drop", every)
            planned += [ResetAfter(at=first, every=2 * every), Cut(at=first + every, every=2 * every)]
        if every := self.error_every:
            planned.append(ServerError(at=_first(seed, "error", every), every=every))
        return planned


def _first(seed: int, name: str, every: int) -> int:
    return 1 + zlib.crc32(f"{seed}/{name}".encode()) % every
