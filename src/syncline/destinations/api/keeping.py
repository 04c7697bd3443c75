"""Outcomes made durable as they come: those that come together are stored in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from syncline.events import Reached, emit
from syncline.model import Clock
from syncline.state import Effect, EffectBox, Lease, Link


class Kept(msgspec.Struct, eq=False):
    """What one answer changes. `unlinked` are the source keys of records that are gone."""

    effects: Sequence[Effect]
    links: Sequence[Link] = ()
    unlinked: Sequence[str] = ()
    stored: bool = False


class Keeper:
    """Stores what answers say. Whoever comes first stores what all others have brought meanwhile."""

    def __init__(self, box: EffectBox, lease: Lease, clock: Clock) -> None:
        self._box, self._lease, self._clock = box, lease, clock
        self._pile: list[Kept] = []
        self._turn = asyncio.Lock()

    async def keep(
        self, effects: Sequence[Effect], *, links: Sequence[Link] = (), unlinked: Sequence[str] = ()
    ) -> None:
        """Returns once it is durable. Raises StateError, and LeaseError where another holds the stream by now."""
        mine = Kept(effects, links, unlinked)
        self._pile.append(mine)
        async with self._turn:
            if not mine.stored:
                await self._store()
        emit(Reached(station="outcome stored"))

    async def _store(self) -> None:
        pile, self._pile = self._pile, []
        try:
            await self._box.keep(
                self._lease,
                [effect for kept in pile for effect in kept.effects],
                links=[link for kept in pile for link in kept.links],
                unlinked=[source_key for kept in pile for source_key in kept.unlinked],
                now=self._clock.now(),
            )
        except BaseException:
            self._pile = pile + self._pile  # whoever waits for one of these is to hear of it as well
            raise
        for kept in pile:
            kept.stored = True
