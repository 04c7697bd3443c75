"""Whether a target says all that an API has to be told, and nothing that makes no sense there."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.destinations.api.dialects import Dialect, GraphQLDialect, operation_of, variables_of
from syncline.destinations.api.forms import parse_form
from syncline.destinations.target import Deletes, Target
from syncline.model import PathError

CALLS = ("create", "update", "delete", "batch_create", "batch_update", "batch_delete")
APPEND_OR_IGNORE = "or update: ignore leaves them as they are; or write: append creates every row anew"


class Fitting:
    """What holds for every API. A sentence begins with the field that it is about."""

    def misfit(self, target: Target, deletes: Deletes | None) -> str | None:
        return next(self._misfits(target, deletes), None)

    def _misfits(self, target: Target, deletes: Deletes | None) -> Iterator[str]:
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
            yield f"create is missing: say what makes a record, {self.example('create')}"
        if target.write == "append" and target.create is None and target.batch_create is None:
            yield f"create is missing: write: append creates every row, {self.example('create')}"
        for name in (*CALLS, "lookup"):
            text = getattr(target, name)
            if text is not None and not (name == "update" and text == "ignore"):
                yield from self.faults(name, text)
        yield from self._of_pairs(target)
        if deletes is not None:
            yield from self._of_deletes(target, deletes)

    def _of_pairs(self, target: Target) -> Iterator[str]:
        if target.write == "upsert":
            yield from self.of_upserts(target)
        if target.body is not None and target.omit:
            yield "omit goes without body: what body does not mention is not sent anyway"
        if target.encoding == "form" and any(name.startswith("batch_") for name in target.call_fields):
            yield "encoding: form is for single records; batches are sent as JSON"
        if target.match is None and target.lookup is not None:
            yield "match is missing: name the field of the row by which the lookup finds its record, such as match: email"
        if target.lookup_body is not None and target.lookup is None:
            yield "lookup is missing: lookup_body belongs to one that is posted, such as POST /contacts/search"

    def _of_deletes(self, target: Target, deletes: Deletes) -> Iterator[str]:
        if target.delete is None and target.batch_delete is None:
            yield f"delete is missing: say what removes a record, {self.example('delete')}"
        if "how" in deletes.model_fields_set and deletes.how == "soft":
            yield "delete says how records go: PATCH to archive them, DELETE for good; how: soft is for databases"

    def of_upserts(self, target: Target) -> Iterator[str]:
        raise NotImplementedError

    def faults(self, name: str, text: str) -> Iterator[str]:
        """What is wrong with one request."""
        raise NotImplementedError

    def example(self, name: str) -> str:
        raise NotImplementedError


class RestFitting(Fitting):
    def faults(self, name: str, text: str) -> Iterator[str]:
        try:
            form = parse_form(text)
        except PathError as error:
            yield f"{name} {error}"
            return
        if name == "lookup" and form.method not in ("GET", "POST"):
            yield f"lookup only reads: GET, or POST with lookup_body; not {form.method}"
        if name != "lookup" and form.method == "GET":
            yield f"{name} must change something; a GET does not: {self.example(name)}"
        if name.startswith("batch_") and form.places:
            yield f"{name} has no {{places}}: one request is for many records, which stand in its body"

    def of_upserts(self, target: Target) -> Iterator[str]:
        create = target.create
        updates = target.update or target.batch_update
        if updates is None and create is not None and not create.upper().startswith("PUT"):
            yield (
                "update is missing: write: upsert changes records that are there already (update: PATCH …/{id}); "
                + APPEND_OR_IGNORE
            )
        if target.match is not None and target.lookup is None and (create is None or "{" in create):
            yield "lookup is missing: say how a record is found by its match: GET /contacts?email={email}"

    def example(self, name: str) -> str:
        known = {"update": "update: PATCH /contacts/{id}", "delete": "delete: DELETE /contacts/{id}"}
        return known.get(name, f"{name}: POST /contacts")


class GraphQLFitting(Fitting):
    def faults(self, name: str, text: str) -> Iterator[str]:
        wanted = "query" if name == "lookup" else "mutation"
        if operation_of(text) != wanted:
            yield f"{name} must be the text of a GraphQL {wanted}: {self.example(name)}"
        elif not variables_of(text):
            yield f"{name} declares no variables, so that no row can go into it: {self.example(name)}"

    def of_upserts(self, target: Target) -> Iterator[str]:
        if target.encoding != "json" or target.lookup_body is not None:
            yield f"{'encoding' if target.encoding != 'json' else 'lookup_body'} is for kind: rest"
        if target.update is None and target.batch_update is None:
            yield f"update is missing: write: upsert changes records that are there already; {APPEND_OR_IGNORE}"
        if target.match is not None and target.lookup is None:
            yield f"lookup is missing: the text of a query that finds a record by its match: {self.example('lookup')}"

    def example(self, name: str) -> str:
        if name == "lookup":
            return "query($email: String!) { contacts(email: $email) { id email } }"
        return (
            "mutation($input: ContactInput!) { contactCreate(input: $input) { contact { id } userErrors { message } } }"
        )


def fitting_of(speech: type[Dialect]) -> Fitting:
    return GraphQLFitting() if speech is GraphQLDialect else RestFitting()
