"""Every limit that the documents show is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from syncline.resilience import LimitsField

PAGE = Path(__file__).parents[2] / "docs/how-to/requests.md"
BLOCKS = [
    block
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    for block in re.split(r"(?m)^(?=rate_limit:)", text)
    if "rate_limit:" in block
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_limit_of_the_documents_is_understood(block):
    data = yaml.safe_load(block)
    limits = data.get("rate_limit") or data["source"]["rate_limit"]
    read = TypeAdapter(LimitsField).validate_python(limits)
    assert TypeAdapter(LimitsField).validate_python(read.to_data()) == read


def test_there_are_some():
    assert len(BLOCKS) >= 9
