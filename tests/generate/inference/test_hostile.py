"""Documents of strangers: bounded, never followed elsewhere, never more than data (S23, S24)."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from syncline.errors import UsageError
from syncline.generate.inference import DocumentError, plain, read
from syncline.generate.inference.openapi import read_openapi

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in pairwise("abcdefghi")
)
BASE: dict[str, Any] = {"openapi": "3.0.0", "info": {"title": "x", "version": "1"}}


def listing(schema: Any) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}


def text(**changes: Any) -> str:
    return json.dumps({**BASE, **changes})


@pytest.mark.parametrize(
    "hostile",
    [
        BOMB,
        "openapi: 3.0.0\npaths: !!python/object/apply:os.system ['touch /tmp/owned']\n",
        "a: &a\n  b: *a\nopenapi: 3.0.0\n",
        "[" * 100_000,
        "{" * 100_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "- " * 50_000 + "x",
        "\x00\n",
        "%YAML 1.2\n---\n!<tag:evil> {openapi: 3.0.0}\n",
    ],
    ids=["bomb", "python tag", "circle", "deep list", "deep map", "deep json", "deep yaml", "null", "tag"],
)  # fmt: skip
def test_s23_hostile_texts_are_refused_quickly(hostile: str) -> None:
    began = time.process_time()
    with pytest.raises((DocumentError, UsageError)):
        read(hostile)
    assert time.process_time() - began < 10


def test_s23_a_circle_is_seen_by_its_depth() -> None:
    with pytest.raises(DocumentError, match="levels deep"):
        read("a: &a\n  b: *a\nopenapi: 3.0.0\n")


def test_s24_references_elsewhere_are_told_and_not_followed() -> None:
    paths = {
        "/orders": listing({"$ref": "http://127.0.0.1:9/evil.json#/x"}),
        "/files": listing({"type": "array", "items": {"$ref": "file:///etc/passwd"}}),
        "/more": listing({"type": "array", "items": {"$ref": "../../secret.yaml"}}),
    }
    api = read(text(paths=paths))
    assert sum("leads out of the document" in note for note in api.notes) == 3
    assert api.entity("files").fields == ()


def test_circles_end() -> None:
    again = {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
    schemas = {
        "Node": {"type": "object", "properties": {"id": {"type": "integer"}, "children": again}},
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/A"},
        "All": {"allOf": [{"$ref": "#/components/schemas/All"}]},
    }  # fmt: skip
    paths = {
        f"/{name}s": listing({"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}) for name in schemas
    }
    api = read(text(paths=paths, components={"schemas": schemas}))
    assert api.entity("nodes").primary_key.value == ("id",)


def test_a_document_that_multiplies_is_cut() -> None:
    wide = {f"p{n}": {"$ref": f"#/components/schemas/L{n % 3}"} for n in range(200)}
    schemas = {f"L{level}": {"type": "object", "properties": wide} for level in range(3)}
    paths = {f"/lists{n}": listing({"type": "array", "items": {"$ref": "#/components/schemas/L0"}}) for n in range(50)}
    began = time.process_time()
    api = read(text(paths=paths, components={"schemas": schemas}))
    assert time.process_time() - began < 20
    assert all(len(entity.fields) <= 300 for entity in api.entities)


NASTY = [
    "../../etc/passwd",
    "a\nb: c",
    "'; DROP TABLE x; --",
    "${SECRET}",
    "{{7*7}}",
    "__import__('os')",
    "\x1b[31mred",
    "\u202e",
    "",
]


@pytest.mark.parametrize("name", NASTY)
def test_s23_names_become_identifiers_by_allow_list(name: str) -> None:
    record = {"type": "object", "properties": {name: {"type": "string", "description": name}, "id": {"type": "string"}}}
    operation = listing({"type": "object", "properties": {name: {"type": "array", "items": record}}})
    operation["get"]["parameters"] = [{"name": name, "in": "query", "required": True}]
    scheme = {"type": "apiKey", "in": "header", "name": name}
    api = read(
        text(
            info={"title": name, "version": "1"},
            paths={f"/{name}": operation, f"/{{{name}}}/{name}s": operation},
            components={"securitySchemes": {name: scheme}},
            security=[{name: []}],
        )
    )
    assert re.fullmatch(r"[a-z0-9-]+", api.name)
    for entity in api.entities:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", entity.name)
    references = re.findall(r"\$\{([^}]*)\}", json.dumps([plain(guess.value) for guess in api.auth]))
    assert all(re.fullmatch(r"[A-Z_][A-Z0-9_]*", reference) for reference in references)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | st.sampled_from(["array", "object", "#/a", "query"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["$ref", "type", "properties", "items", "allOf", "oneOf", "get", "parameters", "name", "in", "schema", "responses",
             "200", "content", "application/json", "required", "example", "enum", "description", "security", "flows", "servers",
             "url", "variables", "default", "headers", "/orders", "id", "data", "next"]
        ),
        inner, max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    paths=st.dictionaries(st.sampled_from(["/orders", "/{x}/y", "odd", "/a{b}c"]), JSON, max_size=3),
    components=JSON,
    rest=st.dictionaries(st.sampled_from(["security", "servers", "info", "host", "definitions"]), JSON, max_size=3),
    version=st.sampled_from([{"openapi": "3.0.0"}, {"openapi": "3.1.0"}, {"swagger": "2.0"}]),
)
def test_any_document_of_the_right_name_can_be_read(paths: Any, components: Any, rest: Any, version: Any) -> None:
    plain(read(json.dumps({**version, "paths": paths, "components": components, **rest})))


@settings(max_examples=200, deadline=None)
@given(entries=JSON, item=JSON)
def test_any_recording_and_collection_can_be_read(entries: Any, item: Any) -> None:
    read(json.dumps({"log": {"entries": [entries]}}))
    read(
        json.dumps(
            {"info": {"_postman_id": "1"}, "item": [item, {"request": item, "response": [entries]}], "auth": entries}
        )
    )


def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncline.generate.inference.documents.MAX_BYTES", 1_000)
    path = tmp_path / "large.json"
    path.write_text(text(x="y" * 2_000))
    with pytest.raises(DocumentError, match="larger"):
        read(path)


def test_values_that_nobody_expects_in_an_openapi_document() -> None:
    known = read_openapi({"openapi": "3.0.0", "paths": {1: {"get": {"responses": {200: {"content": None}}}}}}, "x")
    assert known.operations[0].path == "/1"
