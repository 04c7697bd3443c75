"""Bodies whose connection closed before their last chunk: told to the reader at once."""

from __future__ import annotations

import asyncio
from typing import Any

from multidict import istr

TRANSFER_ENCODING = istr("Transfer-Encoding")


def notice_cut(answer: Any) -> None:
    """Let the body of this answer fail when its connection closes before its end.

    aiohttp (3.14) forgets to tell the body when its parser meets a broken chunk after the headers, and ends the timer for
    silence as well: the reader would wait until the total timeout.
    """
    if "chunked" not in answer.headers.get(TRANSFER_ENCODING, "").lower():
        return
    connection = answer.connection
    protocol = connection.protocol if connection is not None else None
    if protocol is None:
        return
    body = answer.content

    def fail(closed: asyncio.Future[None] | None = None) -> None:
        import aiohttp  # late: it takes a tenth of a second, and most verbs send nothing

        if not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("a chunk is broken"))

    closed = protocol.closed
    if closed is None:
        fail()
        return
    # a connection serves many answers: one _heard stays on it, the callback of an answer goes with the answer
    closed.remove_done_callback(_heard)
    closed.add_done_callback(_heard)
    closed.add_done_callback(fail)
    body.on_eof(lambda: closed.remove_done_callback(fail))


def _heard(closed: asyncio.Future[None]) -> None:
    """Take note of how the connection ended, or the event loop complains that nobody did."""
    if not closed.cancelled():
        closed.exception()
