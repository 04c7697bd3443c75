"""The one callable that every layer takes and gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.model import Request, Response

Send = Callable[[Request], Awaitable[Response]]
"""Sends a request and gives its answer, of any status. Raises the RequestError family where no whole answer came."""
