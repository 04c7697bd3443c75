"""What a store shared by processes or machines can do."""

from __future__ import annotations

from typing import Protocol

import msgspec

STORE_SECONDS = 1.0
"""The longest that a store is waited for before it counts as down."""


class Kept(msgspec.Struct, frozen=True):
    """What a store has under a key: its version (0: nothing yet), and the store's own time as an epoch, where it has one."""

    stored: bool
    version: int
    value: bytes | None
    now: float | None


class SharedStore(Protocol):
    """Compare and swap, and nothing else. Raises OSError, or whatever its library raises, when it is down."""

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        """Put `value` in the place of version `known`, or only look (None).

        What is there afterwards; its value may be left out where the version is still `known`.
        """
        ...

    async def close(self) -> None: ...
