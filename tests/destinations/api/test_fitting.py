"""What a file may say about another API: every misfit is told with its place and what to write."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import yaml

from syncline.destinations import GraphQLApi, RestApi, Target
from syncline.errors import SpecError
from syncline.spec import dump, loads

FILE = """\
name: crm
source: {{kind: rest, base_url: https://shop.example}}
streams:
  - name: people
    path: /people
    primary_key: id
    into:
{into}
destination: {{kind: {kind}, base_url: https://crm.example}}
"""


def text(into: dict[str, Any], kind: str = "rest") -> str:
    block = textwrap.indent(yaml.safe_dump(into, sort_keys=False), " " * 6)
    return FILE.format(into=block, kind=kind)


def mistakes(into: dict[str, Any], kind: str = "rest") -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as told:
        loads(text(into, kind))
    return [(mistake.path, mistake.what) for mistake in told.value.mistakes]


GOOD = {"create": "POST /contacts", "update": "PATCH /contacts/{id}"}
MUTATION = "mutation($input: I!) { make(input: $input) { id } }"


def test_the_contracts_own_example_loads_and_reads_back():
    into = {**GOOD, "match": "email", "idempotency_header": "Idempotency-Key", "batch": 100}
    integration = loads(text(into))
    assert loads(dump(integration)) == integration
    assert isinstance(integration.destination, RestApi)


@pytest.mark.parametrize(
    ("into", "field", "what"),
    [
        (
            {"update": "PATCH /contacts/{id}", "create": "/contacts"},
            "create",
            "write a method and a path: POST /contacts",
        ),
        ({**GOOD, "create": "GET /contacts"}, "create", "must change something"),
        ({**GOOD, "create": "POST /contacts/{id"}, "create", "lone brace"),
        ({"create": "POST /contacts"}, "update", "update: ignore"),
        ({"match": "email"}, "create", "create: POST /contacts"),
        ({**GOOD, "write": "replace"}, "write", "write: upsert, with delete"),
        ({**GOOD, "table": "contacts"}, "table", "for databases and files"),
        ({**GOOD, "children": "items"}, "children", "tables of a database"),
        ({**GOOD, "lookup": "GET /contacts?email={email}"}, "match", "such as match: email"),
        ({**GOOD, "lookup_body": {"q": "{email}"}}, "lookup", "POST /contacts/search"),
        ({**GOOD, "match": "email", "lookup": "DELETE /contacts"}, "lookup", "only reads"),
        ({**GOOD, "match": "email", "create": "POST /of/{company}/contacts"}, "lookup", "lookup is missing"),
        ({**GOOD, "batch_create": "POST /contacts/{email}/batch"}, "batch_create", "no {places}"),
        ({**GOOD, "body": {"a": "{x}"}, "omit": ["y"]}, "omit", "without body"),
        ({**GOOD, "encoding": "form", "batch_create": "POST /contacts/batch"}, "encoding", "single records"),
        ({"write": "append", "update": "PATCH /contacts/{id}"}, "create", "creates every row"),
    ],
)
def test_a_target_that_does_not_suit_a_rest_api(into: dict[str, Any], field: str, what: str):
    ((path, said),) = mistakes(into)
    assert path == f"streams[0].into.{field}"
    assert said.startswith(field)
    assert what in said


@pytest.mark.parametrize(
    ("into", "field", "what"),
    [
        ({"create": "POST /contacts", "update": MUTATION}, "create", "the text of a GraphQL mutation"),
        ({"create": MUTATION}, "update", "update: ignore"),
        ({"create": "mutation { make { id } }", "update": MUTATION}, "create", "declares no variables"),
        ({"create": MUTATION, "update": MUTATION, "match": "email"}, "lookup", "query($email"),
        ({"create": MUTATION, "update": MUTATION, "match": "email", "lookup": MUTATION}, "lookup", "GraphQL query"),
        ({"create": MUTATION, "update": MUTATION, "encoding": "form"}, "encoding", "kind: rest"),
    ],
)
def test_a_target_that_does_not_suit_a_graphql_api(into: dict[str, Any], field: str, what: str):
    ((path, said),) = mistakes(into, "graphql")
    assert path == f"streams[0].into.{field}"
    assert what in said


@pytest.mark.parametrize(
    ("into", "path", "what"),
    [
        ({**GOOD, "crate": "POST /x"}, "into.crate", "did you mean 'create'?"),
        ({**GOOD, "idempotency_header": "a b"}, "into.idempotency_header", ""),
        ({**GOOD, "id": "a..b"}, "into.id", "is no path"),
        ({**GOOD, "body": {"x": "{a"}}, "into.body", "lone brace"),
        ({**GOOD, "on_status": {200: "ignore"}}, "into.on_status", "not a status from 400 to 599"),
        ({**GOOD, "on_missing": "create"}, "into.on_missing", "'reject' or 'recreate'"),
        ({**GOOD, "repeatable": ["creat"]}, "into.repeatable", "'create', 'update' or 'delete'"),
        ({**GOOD, "batch": 0}, "into.batch", "at least 1"),
    ],
)
def test_a_mistake_of_one_field(into: dict[str, Any], path: str, what: str):
    ((found, said),) = mistakes(into)
    assert found.startswith(f"streams[0].{path}")
    assert what in said


def test_deletes_need_a_request():
    file = text(GOOD).replace("    into:", "    deletes: {when: deleted_at}\n    into:")
    with pytest.raises(SpecError, match="1 mistake") as told:
        loads(file)
    assert "delete: DELETE /contacts/{id}" in told.value.mistakes[0].what
    loads(file.replace("create: POST", "delete: DELETE /contacts/{id}\n      create: POST"))


@pytest.mark.parametrize("kind", ["sql, url: 'sqlite:///x.db'", "file, path: out"])
def test_requests_do_not_suit_databases_and_files(kind: str):
    file = FILE.format(into="      create: POST /contacts", kind="X").replace(
        "kind: X, base_url: https://crm.example", f"kind: {kind}"
    )
    with pytest.raises(SpecError) as told:
        loads(file)
    assert "create is for kind: rest and kind: graphql" in told.value.mistakes[0].what
    assert told.value.mistakes[0].path == "streams[0].into.create"


def test_graphql_takes_what_it_needs():
    into = {"create": MUTATION, "update": "ignore", "wrap": "input"}
    assert isinstance(loads(text(into, "graphql")).destination, GraphQLApi)
    assert GraphQLApi(base_url="https://crm.example").misfit(Target.model_validate(into)) is None
