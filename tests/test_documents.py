"""What the documents show works: every whole integration on every page can be loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncline.model.part import kind_of, kinds
from syncline.spec import loads

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
WHOLE = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text()))
    if re.search(r"^name:", block, re.MULTILINE) and re.search(r"^source:(?! …)", block, re.MULTILINE)
]
LINK = re.compile(r"\]\(((?!https?:|#)[^)#]+)(?:#[^)]*)?\)")


def test_there_are_examples() -> None:
    assert len(WHOLE) > 20


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_integration_in_a_document_loads(text: str) -> None:
    assert loads(text).streams


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    gone = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert gone == []


def test_every_kind_of_auth_has_a_page_with_a_whole_integration() -> None:
    pages = "docs/how-to/authentication/"
    shown = {
        kind_of(type(auth))
        for block in WHOLE
        if block.id is not None and block.id.startswith(pages) and (auth := loads(block.values[0]).source.auth)
    }
    ours = {
        name for name, kind in kinds("auth").items() if kind.__module__.startswith("syncline.")
    }  # not those of tests
    assert shown >= ours
    assert len(ours) > 10
