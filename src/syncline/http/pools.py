"""Connections that several clients of one process share."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

import msgspec

from syncline.http.send import Send
from syncline.http.transport import open_transport
from syncline.http.wire import Wire
from syncline.model import Clock


class Pools:
    """One pool of connections for each API that is reached in the same way; open as long as this is.

    An API that is shown a client's certificate gets a pool for each client: a connection belongs to whom it was made for.
    """

    def __init__(self) -> None:
        self._open: dict[Any, Send] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Pools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        await self._stack.aclose()

    async def transport(self, wire: Wire, clock: Clock) -> Send:
        """The way to an API. Raises as `open_transport`."""
        same = {name: value for name, value in msgspec.structs.asdict(wire).items() if name != "certified"}
        key = object() if wire.certificate is not None else (repr(same), wire.proxy)
        if key not in self._open:
            self._open[key] = await self._stack.enter_async_context(open_transport(wire, clock))
        return self._open[key]
