"""What records look like, by files that show some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syncline.errors import UsageError
from syncline.model import MalformedBody, decode_json
from syncline.rehearsal.simulator.blueprint import Blueprint, blueprint_of
from syncline.rehearsal.simulator.likeness import likeness_of
from syncline.rehearsal.simulator.world import child_keys
from syncline.spec import Integration
from syncline.spec.yaml_text import read


def shown(integration: Integration, like: Sequence[str]) -> dict[str, Blueprint]:
    """How the records of those streams look of which the files (`FILE` or `STREAM=FILE`) say something. Raises UsageError."""
    names = [stream.name for stream in integration.streams]
    found: dict[str, Blueprint] = {}
    for text in like:
        name, equals, path = text.partition("=") if text.partition("=")[0] in names else ("", "", text)
        document = _document(Path(path))
        for stream in integration.streams:
            likeness = likeness_of(document, stream) if not equals or name == stream.name else {}
            if likeness:
                found[stream.name] = blueprint_of(stream, child_keys(integration.streams, stream.name), likeness)
    if like and not found:
        raise UsageError(
            "the files given with --like say nothing of these streams",
            hint=f"give a recorded answer as STREAM=FILE ({names[0]}={like[0]}), a JSON Schema, or an OpenAPI document",
        )
    return found


def _document(path: Path) -> Any:
    try:
        text = path.read_bytes()
        return read(text, str(path)).data if path.suffix in (".yaml", ".yml") else decode_json(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check its name") from None
    except MalformedBody as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="give JSON, or YAML in a file named so") from None
