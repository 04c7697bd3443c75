"""Other APIs as destinations: kind rest and kind graphql."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from syncline.databases import Address
from syncline.destinations.api.dialects import Dialect, GraphQLDialect, RestDialect, operation_of, variables_of
from syncline.destinations.api.forms import parse_form
from syncline.destinations.destination import Destination, Sink, Trial
from syncline.destinations.target import Deletes, Target
from syncline.errors import PlanError
from syncline.http import Connection
from syncline.model import Batch, Clock, PathError, Row, register
from syncline.secrets import redactor
from syncline.state import StateStore

CALLS = ("create", "update", "delete", "batch_create", "batch_update", "batch_delete")


class ApiDestination(Connection, Destination):
    """Common to all APIs: the connection, the state beside it, and what no target may ask of any."""

    dialect: ClassVar[type[Dialect]]

    def open(
        self, *, integration: str, default_state: Path | Address, clock: Clock
    ) -> AbstractAsyncContextManager[Sink]:
        from syncline.destinations.api.sink import open_api  # late: sqlite3 is needed by runs only

        connecting = self.connect(clock=clock, on_secret=redactor.add)
        return open_api(connecting, self.dialect, default_state, clock, self.retry)

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
    ) -> Trial:
        from syncline.destinations.api.trial import Wanted, try_api  # late: as above

        if misfit := self.misfit(target, deletes):
            raise PlanError(f"{stream}: {misfit}", hint="correct `into`", stream=stream)
        async with self.connect(on_secret=redactor.add) as client:
            wanted = Wanted(primary_key=primary_key, gone=gone, key=key, state=state)
            return await try_api(self.dialect(target, client), client, batch, wanted)

    def needs_id(self, target: Target) -> bool:
        """Whether a record can be changed or removed only by its id at the destination, which somebody has to know."""
        return target.match is None and self.dialect(target).needs_id

    def misfit(self, target: Target, deletes: Deletes | None = None) -> str | None:
        if (found := next(self._misfits(target), None)) is not None:
            return found
        if deletes is None:
            return None
        if target.delete is None and target.batch_delete is None:
            return f"delete is missing: say what removes a record, {self._example('delete')}"
        if "how" in deletes.model_fields_set and deletes.how == "soft":
            return "delete says how records go: PATCH to archive them, DELETE for good; how: soft is for databases"
        return None

    def _misfits(self, target: Target) -> Iterator[str]:
        if target.children:
            yield "children are tables of a database; here lists travel in the body"
        if target.table is not None:
            yield "table is for databases and files; an API is told by create, update and delete where its records are"
        if target.write == "replace":
            yield (
                "write: replace cannot be done by an API: its records would be gone for everybody until all are there again;"
                " write: upsert, with delete for what is gone at the source"
            )
        if not any(getattr(target, name) for name in CALLS):
            yield f"create is missing: say what makes a record, {self._example('create')}"
        if target.write == "append" and target.create is None and target.batch_create is None:
            yield f"create is missing: write: append creates every row, {self._example('create')}"
        for name in (*CALLS, "lookup"):
            text = getattr(target, name)
            if text is not None and not (name == "update" and text == "ignore"):
                yield from self._faults(name, text)
        if target.write == "upsert":
            yield from self._upserts(target)
        if target.body is not None and target.omit:
            yield "omit goes without body: what body does not mention is not sent anyway"
        if target.match is None and target.lookup is not None:
            yield "match is missing: name the field of the row by which the lookup finds its record, such as match: email"

    def _upserts(self, target: Target) -> Iterator[str]:
        raise NotImplementedError

    def _faults(self, name: str, text: str) -> Iterator[str]:
        raise NotImplementedError

    def _example(self, name: str) -> str:
        raise NotImplementedError


@register("destination")
class RestApi(ApiDestination):
    """A REST API: each row becomes a record there, by the requests that `into` describes."""

    kind: Literal["rest"] = Field(default="rest", description="A REST API")
    dialect = RestDialect

    def _faults(self, name: str, text: str) -> Iterator[str]:
        try:
            form = parse_form(text)
        except PathError as error:
            yield f"{name} {error}"
            return
        if name == "lookup" and form.method not in ("GET", "POST"):
            yield f"lookup only reads: GET, or POST with lookup_body; not {form.method}"
        if name != "lookup" and form.method == "GET":
            yield f"{name} must change something; a GET does not: {self._example(name)}"
        if name.startswith("batch_") and form.places:
            yield f"{name} has no {{places}}: one request is for many records, which stand in its body"

    def _upserts(self, target: Target) -> Iterator[str]:
        update = target.update or target.batch_update
        create = target.create
        if update is None and create is not None and not create.upper().startswith("PUT"):
            yield (
                "update is missing: write: upsert changes records that are there already (update: PATCH …/{id}); or"
                " update: ignore leaves them as they are; or write: append creates every row anew"
            )
        if target.match is not None and target.lookup is None and (create is None or "{" in create):
            yield "lookup is missing: say how a record is found by its match: GET /contacts?email={email}"

    def _example(self, name: str) -> str:
        return {"update": "update: PATCH /contacts/{id}", "delete": "delete: DELETE /contacts/{id}"}.get(
            name, f"{name}: POST /contacts"
        )


@register("destination")
class GraphQLApi(ApiDestination):
    """A GraphQL API: each row becomes a record there, by the mutations that `into` holds."""

    kind: Literal["graphql"] = Field(default="graphql", description="A GraphQL API")
    dialect = GraphQLDialect

    def _faults(self, name: str, text: str) -> Iterator[str]:
        wanted = "query" if name == "lookup" else "mutation"
        if operation_of(text) != wanted:
            yield f"{name} must be the text of a GraphQL {wanted}: {self._example(name)}"
        elif name != "lookup" and not variables_of(text):
            yield f"{name} declares no variables, so that no row can go into it: {self._example(name)}"

    def _upserts(self, target: Target) -> Iterator[str]:
        if target.update is None and target.batch_update is None:
            yield (
                "update is missing: write: upsert changes records that are there already; or update: ignore leaves them as"
                " they are; or write: append creates every row anew"
            )
        if target.match is not None and target.lookup is None:
            yield "lookup is missing: the text of a query that finds a record by its match"

    def _example(self, name: str) -> str:
        if name == "lookup":
            return "query($email: String!) { contacts(email: $email) { id email } }"
        return "mutation($input: ContactInput!) { contactCreate(input: $input) { contact { id } userErrors { field message } } }"
