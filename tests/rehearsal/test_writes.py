"""Integrations that write to another API: what is done twice is there twice, and what is lost is missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.rehearsal.simulator.faults import faults
from tests.rehearsal.acts import PLAIN, act

GRAPHQL = """{kind: graphql, base_url: https://crm.example/graphql}"""
REST = (
    """{kind: rest, base_url: https://crm.example/v3, auth: {kind: bearer, token: "${CRM_TOKEN}"}, rate_limit: 20/s}"""
)
ONE_BY_ONE = "create: POST /contacts, update: 'PATCH /contacts/{id}', delete: 'DELETE /contacts/{id}'"
MUTATIONS = (
    'create: "mutation($input: I!) { create(input: $input) { contact { id } } }", '
    'update: "mutation($id: ID!, $input: I!) { update(id: $id, input: $input) { contact { id } } }", '
    'answer: data.create.contact, match: name, lookup: "query($name: String!) { find(name: $name) { nodes { id name } } }", '
    "found: data.find.nodes"
)
INTO = {
    "keyed": (REST, f"{ONE_BY_ONE}, idempotency_header: Idempotency-Key, id: key"),
    "matched": (REST, f"{ONE_BY_ONE}, match: name, wrap: contact, answer: contact, found: hits, id: key"),
    "looked-up": (REST, f"{ONE_BY_ONE}, match: name, lookup: 'GET /search?q={{name}}', id: uid"),
    "batches": (
        REST,
        "create: POST /contacts, idempotency_header: X-Once, id: key, batch: 10, batch_create: POST /contacts/batch, "
        "batch_update: PATCH /contacts/batch, batch_records: inputs, results: results, id_as: key",
    ),
    "put": (REST, "create: 'PUT /contacts/{name}', id: slug"),
    "form": (
        REST,
        "create: POST /contacts, update: 'POST /contacts/{id}', encoding: form, idempotency_header: X-Once, id: key",
    ),
    "graphql": (GRAPHQL, MUTATIONS),
}
STRUCK = ["", "timeout-before", "timeout-after", "reset-before", "reset-after", "cut", "429", "503", "malformed"]


@pytest.mark.parametrize("struck", STRUCK)
@pytest.mark.parametrize("name", INTO)
def test_each_effect_happens_once(name: str, struck: str, tmp_path: Path) -> None:
    destination, into = INTO[name]
    text = PLAIN.replace('{kind: sql, url: "sqlite:///things.db"}', destination).replace(
        "    mapping:\n      id: {source: id, required: true}\n      name: {source: name, required: true}\n",
        f"    into: {{{into}}}\n    mapping:\n      id: {{source: id, required: true}}\n"
        '      name: {template: "{id}-x"}\n',
    )
    drawn = [faults()[struck](at=3, place="writes")] if struck else []
    report = act(text, tmp_path, *drawn, size=25)
    assert report.problems == []
    assert len(report.struck) == len(drawn)
    assert report.passes[-1].verdicts["things"].found >= 25


@pytest.mark.parametrize("struck", ["malformed", "html", "cut"])
@pytest.mark.parametrize("name", ["keyed", "matched", "looked-up"])
def test_r7_a_creation_whose_answer_says_nothing_is_looked_up_and_not_sent_again(
    name: str, struck: str, tmp_path: Path
) -> None:
    destination, into = INTO[name]
    text = PLAIN.replace('{kind: sql, url: "sqlite:///things.db"}', destination).replace(
        "    mapping:\n      id: {source: id, required: true}\n      name: {source: name, required: true}\n",
        f"    into: {{{into}}}\n    mapping:\n      id: {{source: id, required: true}}\n"
        '      name: {template: "{id}-x"}\n',
    )
    # the first are lookups, where there are any
    report = act(text, tmp_path, faults()[struck](at=2 if name == "keyed" else 12, place="writes"), size=10)
    assert report.problems == []
    assert [seen.method for seen in report.seen if seen.fault == struck] == ["POST"]
