"""Records look like what somebody shows of them: a recorded answer, a JSON Schema, an OpenAPI document."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import UsageError
from syncline.rehearsal.plan import mixture
from syncline.rehearsal.rehearsal import rehearse, shown
from syncline.rehearsal.simulator.world import World
from syncline.spec import loads
from tests.rehearsal.acts import PLAIN

SAMPLE = {
    "data": [
        {
            "id": 7,
            "name": "Ada",
            "price": "12.50",
            "seen_at": "2026-01-02T03:04:05Z",
            "address": {"city": "Oslo"},
            "lines": [],
        },
        {
            "id": 8,
            "name": "Bo",
            "price": "0.99",
            "seen_at": "2025-01-02T03:04:05Z",
            "address": {"city": None},
            "lines": [{"sku": "S1"}],
        },
    ],
    "meta": {"next": "x"},
}
RECORD = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "enum": ["Ada", "Bo"]},
        "price": {"$ref": "#/components/schemas/Price"},
        "seen_at": {"type": "string", "format": "date-time"},
        "address": {"type": ["object", "null"], "properties": {"city": {"type": "string"}}},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}
PRICE = {"schemas": {"Price": {"allOf": [{"type": "number"}]}}}
OPENAPI = {
    "openapi": "3.1.0",
    "components": {"schemas": {**PRICE["schemas"], "Thing": RECORD}},
    "paths": {
        "/other": {"get": {}},
        "/v1/things": {
            "get": {
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "data": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                                    },
                                }
                            }
                        }
                    }
                }
            }
        },
    },
}
DOCUMENTS: dict[str, Any] = {"sample": SAMPLE, "records": SAMPLE["data"], "openapi": OPENAPI}


def _write(folder: Path, document: Any) -> str:
    path = folder / "like.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_records_are_made_like_what_is_shown(name: str, tmp_path: Path) -> None:
    integration = loads(PLAIN)
    known = shown(integration, [_write(tmp_path, DOCUMENTS[name])])
    world = World(integration, 5, {"things": 30}, datetime.now(UTC), known)
    records = [world.record("things", number) for number in world.numbers("things")]
    assert {record["name"] for record in records} == {"Ada", "Bo"}
    assert all("city" in record["address"] for record in records)
    assert [record["id"] for record in records] == list(range(1, 31))
    assert all(isinstance(record["updated_at"], str) for record in records)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_they_are_rehearsed(name: str, tmp_path: Path) -> None:
    integration = loads(PLAIN)
    like = [_write(tmp_path, DOCUMENTS[name])]
    rehearsal = asyncio.run(rehearse(integration, like=like, acts=[mixture(integration, seed) for seed in (1, 2)]))
    assert [act.problems for act in rehearsal.acts] == [[], []]


def test_a_schema_is_for_the_stream_that_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, {**RECORD, "components": PRICE})
    assert list(shown(loads(PLAIN), [f"things={path}"])) == ["things"]


def test_a_document_that_says_nothing_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, {"openapi": "3.1.0", "paths": {"/others": {}}})
    with pytest.raises(UsageError, match="say nothing of these streams"):
        shown(loads(PLAIN), [path])
    with pytest.raises(UsageError, match="cannot be read"):
        shown(loads(PLAIN), [str(tmp_path / "none.json")])
