"""Other APIs as destinations: kind rest and kind graphql."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from syncline.databases import Address
from syncline.destinations.destination import Destination, Sink, Trial
from syncline.destinations.target import Deletes, Target
from syncline.errors import PlanError
from syncline.http import Client, Connection
from syncline.model import Batch, Clock, Row, register
from syncline.state import StateStore


class ApiDestination(Connection, Destination):
    """Common to all APIs: the connection, the state beside it, and requests in the dialect that the kind names."""

    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock, **keeping: Any
    ) -> AbstractAsyncContextManager[Sink]:
        """`keeping` says where tokens outlive the process and who hears of them (see `Connection.connect`)."""
        from syncline.destinations.api.sink import open_api  # late: needed by runs into APIs only

        def connect(state: StateStore) -> AbstractAsyncContextManager[Client]:
            lasting = {"circuit": state.circuit(f"{integration} destination"), **keeping}
            return self.connect(clock=clock, **lasting)

        return open_api(connect, self._speech(), default_state, clock, self.retry)

    def open_state(self, *, default_state: Path | Address) -> AbstractAsyncContextManager[StateStore]:
        from syncline.state.store import open_state  # late: as above

        return open_state(default_state, create=False)

    async def trial(
        self,
        stream: str,
        target: Target,
        batch: Batch,
        *,
        primary_key: tuple[str, ...] = (),
        deletes: Deletes | None = None,
        gone: Sequence[Row] = (),
        key: str = "",
        state: StateStore | None = None,
        clock: Clock | None = None,
        **keeping: Any,
    ) -> Trial:
        from syncline.destinations.api.trial import Wanted, try_api  # late: as above

        if misfit := self.misfit(target, deletes):
            raise PlanError(f"{stream}: {misfit}", hint="correct `into`", stream=stream)
        async with self.connect(clock=clock, **keeping) as client:
            wanted = Wanted(primary_key=primary_key, gone=gone, key=key, state=state)
            return await try_api(self._speech()(target, client), client, batch, wanted)

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        from syncline.destinations.api.fitting import fitting_of  # late: as above

        return fitting_of(self._speech()).misfit(target, deletes)

    def needs_id(self, target: Target) -> bool:
        """Whether a record can be changed or removed only by its id at the destination, which somebody has to know."""
        return target.match is None and self._speech()(target).needs_id

    def _speech(self) -> type[Any]:
        raise NotImplementedError


@register("destination")
class RestApi(ApiDestination):
    """A REST API: each row becomes a record there, by the requests that `into` describes."""

    kind: Literal["rest"] = Field(default="rest", description="A REST API")

    def _speech(self) -> type[Any]:
        from syncline.destinations.api.dialects import RestDialect  # late: as above

        return RestDialect


@register("destination")
class GraphQLApi(ApiDestination):
    """A GraphQL API: each row becomes a record there, by the mutations that `into` holds."""

    kind: Literal["graphql"] = Field(default="graphql", description="A GraphQL API")

    def _speech(self) -> type[Any]:
        from syncline.destinations.api.dialects import GraphQLDialect  # late: as above

        return GraphQLDialect
