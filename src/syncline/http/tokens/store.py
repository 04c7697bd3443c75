"""The token store: a kept token, sealed, in a place that processes or machines share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from syncline.errors import AuthError
from syncline.http.tokens.identity import Identity
from syncline.http.tokens.kept import Kept, decode, encode
from syncline.http.tokens.keys import Key
from syncline.http.tokens.seal import sealed, unsealed
from syncline.model import Clock


class Place(Protocol):
    """Where the sealed bytes of one token are, with a revision that counts up from 1; `shown` says where, to people."""

    shown: str

    def alone(self) -> AbstractAsyncContextManager[None]: ...

    async def now(self, clock: Clock) -> datetime:
        """The wall clock that all who share the place go by; `clock` is this process's own."""
        ...

    async def read(self) -> tuple[int, bytes] | None: ...

    async def swap(self, revision: int, sealed: bytes) -> int: ...

    async def delete(self) -> bool: ...


class SealedStore:
    """One integration's token, encrypted by `keys[0]`. With `forgiving`, one that cannot be read counts as none."""

    def __init__(
        self, place: Place, identity: Identity, keys: Sequence[Key], clock: Clock, *, forgiving: bool = False
    ) -> None:
        self.shown = place.shown
        self.keys = tuple(keys)
        self._place, self._identity, self._clock, self._forgiving = place, identity, clock, forgiving

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Held by one at a time, over all who share the place; given back by the system if the holder is killed."""
        return self._place.alone()

    async def load(self) -> Kept:
        """What is there now. Raises AuthError where it cannot be opened, StateError where the place cannot be reached."""
        found = await self._place.read()
        if found is None:
            return Kept()
        revision, content = found
        try:
            plain = unsealed(content, self._identity.name, self.keys, self.shown)
            now, monotonic = await self._place.now(self._clock), self._clock.monotonic()
            return decode(plain, self._identity.fingerprint, now, monotonic, revision)
        except (AuthError, msgspec.DecodeError):
            if self._forgiving:
                return Kept(revision=revision)
            raise

    async def save(self, kept: Kept) -> Kept:
        """Make it durable over the revision it was loaded as; the same with its new revision. Raises OvertakenError."""
        plain = encode(kept, self._identity.fingerprint, await self._place.now(self._clock), self._clock.monotonic())
        revision = await self._place.swap(kept.revision, sealed(plain, self._identity.name, self.keys[0]))
        return msgspec.structs.replace(kept, revision=revision)

    async def forget(self) -> bool:
        """Remove it, whatever key it was sealed with; whether there was one."""
        if await self._place.read() is None:
            return False
        async with self.alone():
            return await self._place.delete()
