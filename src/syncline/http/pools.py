"""Connections that several clients of one process share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from syncline.http.send import Send
from syncline.http.transport import Pool
from syncline.http.wire import Wire
from syncline.model import Clock, reveal

IDLE = 60.0
"""Seconds after which a pool is closed that nobody uses."""
OLDEST = 900.0
"""Seconds after which a pool takes no more clients: what was found out of names and authorities is found out anew."""


class _Shared(msgspec.Struct):
    """A pool, since when it is open, by how many clients it is used, and when the last of them left."""

    pool: Pool
    opened_at: float
    users: int = 0
    left_at: float = 0.0


class Pools:
    """One pool of connections for each API that is reached in the same way; all are closed with this.

    Clients that show the same certificate share too: to the API they are one and the same. A certificate, key or authority whose
    file has changed is another.
    """

    def __init__(self) -> None:
        self._open: dict[Any, _Shared] = {}
        self._leaving: list[_Shared] = []

    async def __aenter__(self) -> Pools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for shared in (*self._open.values(), *self._leaving):
            await shared.pool.close()
        self._open.clear()
        self._leaving.clear()

    def __len__(self) -> int:
        """Pools that are open."""
        return len(self._open) + len(self._leaving)

    @asynccontextmanager
    async def transport(self, wire: Wire, clock: Clock) -> AsyncIterator[Send]:
        """The way to an API. Raises as `open_transport`."""
        await self._tidy(clock.monotonic())
        key = _in_common(wire)
        shared = self._open.get(key) or _Shared(Pool(wire), clock.monotonic())
        self._open[key] = shared
        shared.users += 1
        try:
            yield shared.pool.way(wire, clock)
        finally:
            shared.users -= 1
            shared.left_at = clock.monotonic()

    async def _tidy(self, now: float) -> None:
        """Close what has served its time, once its last client has left."""
        for key, shared in list(self._open.items()):
            if now - shared.opened_at > OLDEST or (not shared.users and now - shared.left_at > IDLE):
                self._leaving.append(self._open.pop(key))
        done = [shared for shared in self._leaving if not shared.users]
        self._leaving = [shared for shared in self._leaving if shared.users]
        for shared in done:
            await shared.pool.close()


def _in_common(wire: Wire) -> Any:
    """What clients must have in common to share connections: the whole wire, and the versions of the files that it names.

    Where a certificate may be shown is no part of it: each client has connections with and without it, and says for itself.
    """
    ca = wire.tls.ca if wire.tls is not None else None
    shown = (wire.certificate.chain, wire.certificate.key) if wire.certificate is not None else ()
    files = tuple(_version(reveal(text)) for text in (ca, *shown) if text is not None)
    return msgspec.structs.replace(wire, certified=bool), files


def _version(text: str) -> tuple[int, int, int] | None:
    """Of the file at this path; None where it is no path, or leads nowhere."""
    try:
        status = Path(text).stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
