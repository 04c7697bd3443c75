"""Integrations of every shape: a seed takes one part of each kind."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from syncline.spec import Integration, loads

Fields = dict[str, Any]
BASE: Fields = {"records": "data", "primary_key": "id"}
NAMED: Fields = {"mapping": {"id": {"source": "id", "required": True}, "name": {"template": "{id}-x"}}}
"""What goes to APIs that find a record by its name."""
BELOW = ("children", "grandchildren", "two-parents", "details")
POSTED = ("offset-body", "cursor-body")
RARE = {"since-body": 5, "since-variable": 5}
"""Parts that few others go with, and how much likelier they are drawn for it where they fit."""
KINDS = ("pagination", "destination", "changes", "deletes", "layout", "mapping", "auth", "limits")


class Shape(msgspec.Struct, frozen=True):
    """An integration, and the part of each kind that it was put together from."""

    parts: dict[str, str]
    text: str

    @property
    def integration(self) -> Integration:
        return loads(self.text)

    def __str__(self) -> str:
        return " · ".join(name for name in self.parts.values())


@cache
def parts() -> dict[str, dict[str, Fields]]:
    """All there are, by kind and name."""
    found: dict[str, dict[str, Fields]] = yaml.safe_load(Path(__file__).with_name("parts.yaml").read_text())
    return found


def drawn(seed: int) -> Shape:
    """The shape of this seed."""
    chance, chosen = random.Random(seed), dict[str, str]()
    for kind in KINDS:
        fitting = [name for name in parts()[kind] if _goes_with(kind, name, chosen)]
        chosen[kind] = chance.choices(fitting, [RARE.get(name, 1) for name in fitting])[0]
    return Shape(chosen, json.dumps(_made(chosen)))


def _goes_with(kind: str, name: str, chosen: dict[str, str]) -> bool:
    """Whether a file may have this part beside those that are chosen already."""
    pagination, destination = chosen.get("pagination", ""), chosen.get("destination", "")
    upserts = parts()["destination"].get(destination, {}).get("into", {}).get("write", "upsert") == "upsert"
    match kind, name:
        case "changes", "everything":
            return True
        case "changes", _ if destination.endswith("-replace"):
            return False
        case "changes", _ if pagination in ("page", "page-pages"):
            return (
                False  # deletions while paging push records past page numbers, and only reading all again brings them
            )
        case "changes", "since-variable":
            return pagination == "graphql"
        case "changes", "since-body":
            return pagination in POSTED
        case "changes", _:
            return pagination != "graphql"
        case "deletes", "kept":
            return True
        case "deletes", "tombstones" | "tombstones-hard" if chosen["changes"] == "since-id":
            return False  # an id that is deleted does not grow
        case "deletes", _:
            return upserts and destination not in ("api-batches", "api-put", "api-form", "api-graphql")
        case "layout", "partitions" | "partitions-path" if chosen["changes"] == "since-id":
            return False  # ids of one partition say nothing of another's
        case "layout", layout if layout != "flat":
            return pagination != "graphql"
        case "mapping", "named":
            return destination.startswith("api-")
        case "mapping", "rich":
            return not destination.startswith("api-")
        case "mapping", _:
            return not destination.startswith("api-") and destination != "sqlite-lists"
    return True


def _made(chosen: dict[str, str]) -> Fields:
    part = {kind: parts()[kind][name] or {} for kind, name in chosen.items()}
    destination = part["destination"]
    things = {"name": "things", "path": "/things", **BASE, **part["pagination"]}
    for fields in (part["changes"], part["deletes"], part["mapping"], part["layout"].get("things", {})):
        things |= fields
    streams = [things]
    named = chosen["mapping"] == "named"
    for name, fields in part["layout"].items():
        if name != "things":
            streams.append({"name": name, **BASE, **(NAMED if named else {}), **fields})
    for stream in streams:
        into = json.loads(json.dumps(destination.get("into", {})).replace("STREAM", stream["name"]))
        stream["into"] = into | (destination.get("things", {}) if stream is things else {})
    source: Fields = {"kind": "graphql" if "query" in things else "rest", "base_url": "https://api.things.example/v1"}
    if part["auth"]:
        source["auth"] = part["auth"]
    return {
        "name": "things",
        "source": source | part["limits"],
        "streams": streams,
        "destination": destination["destination"],
    }
