"""Airbyte's CDK: a low-code source, read through its own entry point to its message stream."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

MANIFEST = Path(__file__).with_name("airbyte_orders.yaml")
CATALOG = {
    "streams": [
        {
            "stream": {"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
    ]
}


def main(url: str, mapping: str) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    if mapping == "raw":
        del manifest["streams"][0]["transformations"]
    config = {"api_url": url}
    files = {"config": config, "catalog": CATALOG}
    for name, content in files.items():
        Path(f"{name}.json").write_text(json.dumps(content))
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(CATALOG), config=config, state=[], source_config=manifest
    )
    launch(source, ["read", "--config", "config.json", "--catalog", "catalog.json"])


main(*sys.argv[1:])
