"""Getting ready: the file loaded, its secrets resolved, both ends opened."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from syncline.databases import Address, parse_address, sqlite_file
from syncline.destinations import Destination, Sink
from syncline.engine.fetching import resolved
from syncline.engine.tokens import End, keeping
from syncline.errors import PlanError, UsageError
from syncline.http import Send, TokenStore
from syncline.http.pools import Pools
from syncline.model import Clock, reveal
from syncline.model.names import did_you_mean
from syncline.secrets import redactor
from syncline.sources import HttpSource, Reader
from syncline.spec import Integration, Stream, check_value, load
from syncline.state import StateStore

DEFAULT_STATE = Path(".syncline/state.db")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """An integration whose references are resolved, and the streams asked for, in the file's order.

    `again` resolves the references anew.
    """

    integration: Integration
    streams: tuple[Stream, ...]
    again: Callable[[], Awaitable[Integration]]


class Opened(msgspec.Struct, kw_only=True):
    """Both ends of an integration, open. `renew` gives the source today's credentials, if they are others than it has."""

    integration: Integration
    reader: Reader
    sink: Sink
    renew: Callable[[], Awaitable[bool]]


async def prepared(
    integration: Integration | str | Path, environment: Mapping[str, str] | None, streams: Sequence[str] | None
) -> Prepared:
    """Load, check and resolve. Raises SpecError, AuthError for missing credentials, UsageError for an unknown stream."""
    folder = Path.cwd()
    if isinstance(integration, Integration):
        integration = check_value(integration)
    else:
        folder = Path(integration).resolve().parent
        integration = load(integration)
    names = [stream.name for stream in integration.streams]
    for name in streams or ():
        if name not in names:
            raise UsageError(
                f"there is no stream {name!r}", hint=did_you_mean(name, names), integration=integration.name
            )
    written = integration.model_copy(update={"alerts": ()})  # an address without a value is no reason not to sync

    async def again() -> Integration:
        return await resolved(written, os.environ if environment is None else environment, folder)

    complete = await again()
    chosen = tuple(stream for stream in complete.streams if not streams or stream.name in streams)
    return Prepared(integration=complete, streams=chosen, again=again)


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the outside world's place in a rehearsal, by end: the network, and where tokens are kept.

    `chance` gives numbers from 0 to 1 for the jitter. `batch_rows` are written together at most, where that is fewer than the
    destination would like.
    """

    networks: Mapping[End, Send]
    tokens: Mapping[End, TokenStore] = {}
    chance: Callable[[], float]
    batch_rows: int | None = None

    def keeping(self, end: End) -> dict[str, Any]:
        """As `tokens.keeping`, of an end that is an API; nothing for any other."""
        if end not in self.networks:
            return {}
        return {
            "transport": self.networks[end],
            "tokens": self.tokens.get(end),
            "chance": self.chance,
            "on_secret": redactor.add_passing,
            "circuit": None,  # the outages of a rehearsal are no real ones
        }


@asynccontextmanager
async def opened(
    ready: Prepared, clock: Clock, stage: Stage | None = None, pools: Pools | None = None
) -> AsyncIterator[Opened]:
    """Open the destination, then the source; close both, whatever happens."""

    async def renew() -> bool:
        fresh = await ready.again()
        if fresh.source == parts.integration.source and fresh.streams == parts.integration.streams:
            return False
        await source.aclose()
        parts.reader = await source.enter_async_context(opened_reader(fresh, clock, stage, sink.state, pools))
        parts.integration = fresh
        return True

    async with opened_sink(ready.integration, clock, stage) as sink, AsyncExitStack() as source:
        reader = await source.enter_async_context(opened_reader(ready.integration, clock, stage, sink.state, pools))
        parts = Opened(integration=ready.integration, reader=reader, sink=sink, renew=renew)
        yield parts


@asynccontextmanager
async def opened_reader(
    integration: Integration,
    clock: Clock,
    stage: Stage | None = None,
    state: StateStore | None = None,
    pools: Pools | None = None,
) -> AsyncIterator[Reader]:
    """The source's reader; a circuit that stays open is left to the next process in `state`, connections come from `pools`."""
    source = integration.source
    assert isinstance(source, HttpSource)
    streams = {stream.name: stream for stream in integration.streams}
    around = {**keeping(integration, clock), "pools": pools} if stage is None else stage.keeping("source")
    if state is not None:
        around = {"circuit": state.circuit(f"{integration.name} source"), **around}
    async with source.open(streams, clock=clock, **around) as reader:
        yield reader


@asynccontextmanager
async def opened_sink(integration: Integration, clock: Clock, stage: Stage | None = None) -> AsyncIterator[Sink]:
    destination = destination_of(integration)
    around = keeping(integration, clock, "destination") if stage is None else stage.keeping("destination")
    async with destination.open(
        integration=integration.name,
        default_state=default_state(integration),
        clock=clock,
        **around,
    ) as sink:
        if stage is not None and stage.batch_rows is not None:
            sink.batch_rows = min(sink.batch_rows, stage.batch_rows)
        yield sink


@asynccontextmanager
async def opened_state(integration: Integration) -> AsyncIterator[StateStore]:
    """The state alone, for looking and for repairs; creates nothing where nothing is."""
    async with destination_of(integration).open_state(default_state=default_state(integration)) as state:
        yield state


@asynccontextmanager
async def opened_file_state(path: Path) -> AsyncIterator[tuple[Integration, StateStore]]:
    """An integration and its state; asks for no credentials but those of the place where the state is kept."""
    integration = load(path)
    async with opened_state(await _with_places(integration, path)) as state:
        yield integration, state


async def _with_places(integration: Integration, path: Path) -> Integration:
    """The integration with the references resolved that say where its rows and its state are."""
    folder = path.resolve().parent
    places = {"destination": integration.destination, "state": integration.state}
    if "base_url" in type(integration.destination).model_fields:
        del places["destination"]  # an API: the state is beside it, and nobody is asked there
    known = {name: await resolved(place, os.environ, folder) for name, place in places.items()}
    return integration.model_copy(update=known)


def destination_of(integration: Integration) -> Destination:
    destination = integration.destination
    assert isinstance(destination, Destination)
    return destination


def default_state(integration: Integration) -> Address:
    """Where the state is, for destinations that are no database of their own. Raises PlanError."""
    if integration.state is None:
        return sqlite_file(DEFAULT_STATE)
    try:
        return parse_address(reveal(integration.state))
    except PlanError as error:
        raise error.at(integration=integration.name, path="state") from None
