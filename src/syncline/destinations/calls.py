"""How rows become requests to another API: the part of a target that destinations of kind rest and graphql understand."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from syncline.mapping.template import parse_template
from syncline.model import Duration, Part, PathError, RecordPath, Several

Operation = Literal["create", "update", "delete"]
ItsAnswer = Literal["reject", "ignore", "retry", "fail"]


Names = Annotated[tuple[str, ...], Several({"type": "string"})]
Operations = Annotated[tuple[Operation, ...], Several({"enum": ["create", "update", "delete"]})]


class Calls(Part):
    """What is sent to another API for each row, and how its answers are read."""

    create: str | None = Field(
        default=None, description="What makes a record: POST /contacts; for GraphQL the text of a mutation"
    )
    update: str | None = Field(
        default=None,
        description="What changes one: PATCH /contacts/{id}, where {id} is the record's id there; ignore leaves records that are "
        "there as they are",
    )
    delete: str | None = Field(default=None, description="What removes one: DELETE /contacts/{id}")
    match: str | None = Field(
        default=None, description="The field of a row by which its record is found at the destination: email"
    )
    lookup: str | None = Field(
        default=None,
        description="How it is found: GET /contacts?email={email}. Default: the path of create, with the match as parameter",
    )
    lookup_body: Any = Field(
        default=None,
        description="JSON body of a lookup that is posted, with {fields} of the row; such a lookup only reads",
    )
    found: RecordPath | None = Field(
        default=None,
        description="Path to the records in the lookup's answer; omitted: the answer is the record, or a list",
    )
    id: RecordPath = Field(default="id", description="Path to a record's id at the destination, within the record")
    answer: RecordPath | None = Field(
        default=None, description="Path to the record in the answer to create; omitted: the answer is the record"
    )
    id_as: RecordPath | None = Field(
        default=None,
        description="Path in the body that carries the id in updates and deletes, besides or instead of {id}",
    )
    wrap: RecordPath | None = Field(
        default=None,
        description="Path in the body under which the record stands: contact. For GraphQL the variable: input",
    )
    body: Any = Field(
        default=None, description="The record as it is sent, with {fields} of the row; omitted: the row as it is"
    )
    encoding: Literal["json", "form"] = Field(
        default="json", description="How bodies are written; form: as an HTML form, nested[names] in brackets"
    )
    omit: Names = Field(default=(), description="Fields of the row that are not sent, but used in paths or as key")
    idempotency_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        description="Header by which the API recognises a request that it has acted upon already: Idempotency-Key",
    )
    idempotency_for: Duration = Field(
        default=86_400.0,
        description="How long the API remembers a key; after that, what became of a request is looked up, or in doubt",
    )
    repeatable: Operations = Field(
        default=(), description="Operations that do no harm twice, besides PUT and DELETE: update"
    )
    batch: int = Field(
        default=100, ge=1, le=10_000, description="Records that are worked on together, and at most sent in one request"
    )
    batch_create: str | None = Field(default=None, description="The same for many records: POST /contacts/batch")
    batch_update: str | None = Field(default=None, description="The same for many records: PATCH /contacts/batch")
    batch_delete: str | None = Field(default=None, description="The same for many records: POST /contacts/batch/delete")
    batch_records: RecordPath | None = Field(
        default=None, description="Path to the list of records in the request of a batch; omitted: the body is the list"
    )
    results: RecordPath | None = Field(
        default=None,
        description="Path to the list of results in the answer to a batch; omitted: the answer is the list",
    )
    reference: RecordPath | None = Field(
        default=None,
        description="Path, in the records sent and in the results, of what names a record; omitted: results come in order",
    )
    result_status: RecordPath | None = Field(default=None, description="Path to a status within a result")
    result_error: RecordPath | None = Field(
        default=None,
        description="Path within a result (or an answer) at which something stands where the record was refused",
    )
    on_missing: Literal["reject", "recreate"] = Field(
        default="reject", description="What to do if a record to be updated is gone from the destination (404, 410)"
    )
    on_status: dict[int, ItsAnswer] = Field(
        default={},
        description="What to make of a status: reject (of the record), ignore (as if done), retry, or fail (the run ends)",
    )
    lookup_delay: Duration = Field(
        default=2.0, description="How long after a lost answer to look for what became of the request"
    )

    @field_validator("body", "lookup_body")
    @classmethod
    def _templates(cls, value: Any) -> Any:
        check_template(value)
        return value

    @field_validator("on_status")
    @classmethod
    def _statuses(cls, value: dict[int, ItsAnswer]) -> dict[int, ItsAnswer]:
        for status in value:
            if not 400 <= status <= 599:
                raise PydanticCustomError("status", "{status} is not a status from 400 to 599", {"status": status})
        return value

    @property
    def call_fields(self) -> tuple[str, ...]:
        """Those fields of this block that somebody wrote."""
        return tuple(name for name in Calls.model_fields if name in self.model_fields_set)

    def only_for_apis(self, kind: str) -> str | None:
        """Why this target does not suit a destination that is no API, or None."""
        names = self.call_fields
        if not names:
            return None
        return f"{names[0]} is for kind: rest and kind: graphql; kind: {kind} takes table and write"


def check_template(value: Any) -> None:
    """Raises PydanticCustomError for text in a body that is no template."""
    if isinstance(value, str) and ("{" in value or "}" in value):
        try:
            parse_template(value)
        except PathError as error:
            raise PydanticCustomError("template", "{what}", {"what": str(error)}) from None
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_template(inner)
