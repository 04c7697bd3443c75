"""From references to values, where a secrets manager may have to be asked over the network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from syncline.errors import RequestError
from syncline.http.layers import Retrying, retried
from syncline.http.resolver import AnyAddress
from syncline.http.send import Send
from syncline.http.transport import open_transport
from syncline.http.wire import Wire
from syncline.model import Clock, Request, SystemClock
from syncline.resilience import Retry, RetryBudget
from syncline.secrets import Missing, Step, resolving

PATIENCE = Wire(home_host="", connect=3.0, read=10.0, total=15.0, max_body=1_000_000, max_ratio=200.0, connections=4)

T = TypeVar("T")


async def resolved(part: T, environment: Mapping[str, str], folder: Path, clock: Clock | None = None) -> T:
    """The tree with values for its references; managers are asked, and nothing is opened where none has to be.

    Raises SpecError for references that cannot be meant, and AuthError naming everything that has no value.
    """
    steps = resolving(part, environment, folder)
    async with AsyncExitStack() as stack:
        send: Send | None = None
        try:
            step = next(steps)
            while True:
                if send is None and isinstance(step, Request):
                    send = await stack.enter_async_context(_way(clock or SystemClock()))
                try:
                    answer = await _taken(step, send)
                except (RequestError, Missing) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


async def _taken(step: Step, send: Send | None) -> Any:
    if not isinstance(step, Request):
        return await asyncio.to_thread(step)
    assert send is not None
    return await send(step)


@asynccontextmanager
async def _way(clock: Clock) -> AsyncIterator[Send]:
    """To secrets managers: tried three times, no redirects, no limits of the integration's own API."""
    retry = Retry(attempts=3, max_wait=10.0, base=0.5)
    async with open_transport(PATIENCE, clock, AnyAddress()) as end:
        yield retried(end, Retrying(retry=retry, budget=RetryBudget(retry), chance=random.random), clock)
