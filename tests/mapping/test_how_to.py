from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tests.mapping.support import mapping, rows

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "mapping.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_the_first_example_does_what_the_page_says() -> None:
    record = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    expected = (7, "ada@example.com", 1234, noon, "Paris", [{"sku": "A-1", "quantity": 1}])
    assert rows(BLOCKS[0]["mapping"], [record]) == [expected]


def test_every_example_is_a_mapping() -> None:
    found = [block.get("mapping", block) for block in BLOCKS if "where" not in block]
    assert len(found) >= 4
    for block in found:
        assert mapping(mapping(block).to_data()) == mapping(block)
