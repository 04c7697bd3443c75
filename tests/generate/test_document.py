"""The integration's document: its form, its sameness, and that nothing in it means what it should not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt

from syncline.cli import main
from syncline.generate.document import document
from syncline.generate.document.markdown import code, prose, table
from syncline.spec import Integration, load, loads

SHOP = Path(__file__).parents[2] / "src/syncline/cli/verbs/shop-orders.yaml"
CANARY = "canary-9f2c71e0"
HEADINGS = [
    "# API Integration — Shop → SQLite",
    "## Overview",
    "## Authentication",
    "## Rate Limiting",
    "## Data Mapping",
    "## Pagination",
    "## Sync State & Recovery",
    "## Production Checklist",
]
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def rendered(text: str) -> str:
    return str(MARKDOWN.render(text)).replace("<!-- -->", "")


def test_it_has_the_form_that_operators_know() -> None:
    text = document(load(SHOP))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(("# ", "## "))] == HEADINGS
    for row in ("Direction", "Entities", "Authentication", "Rate limit", "Sync frequency"):
        assert f"| **{row}** |" in text
    assert "| Source | Target | Transform | Required |" in lines
    assert "| `customer.email` | `email` | `trim \\| lower` | yes |" in lines
    assert "| `line_items[*].sku` | `items[].sku` |  |  |" in lines
    assert "- [x] It runs on a schedule: every 15 minutes" in lines
    assert "- [ ] Somebody is told when it fails: alerts is empty" in lines
    start = lines.index("```mermaid")
    assert lines[start + 1] == "sequenceDiagram"
    assert "        S->>A: GET /orders since the last updated_since" in lines


def test_the_same_file_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doc", str(SHOP)]) == 0
    shown = capsys.readouterr().out
    assert main(["doc", str(SHOP), "-o", str(tmp_path / "shop.md")]) == 0
    assert (tmp_path / "shop.md").read_bytes() == shown.encode()
    assert document(loads(SHOP.read_text()), SHOP.name) == shown


WITH_LITERALS = f"""
name: x
source:
  kind: rest
  base_url: https://api.shop.example/v2
  headers: {{X-Thing: {CANARY}}}
  params: {{k: {CANARY}}}
  auth: {{kind: basic, username: {CANARY}, password: "${{PASSWORD}}"}}
streams:
  - name: orders
    path: /orders?key={CANARY}
    params: {{key: {CANARY}}}
    headers: {{X-Other: {CANARY}}}
    primary_key: id
destination: {{kind: sql, url: "postgresql://${{USER}}@db.example/shop?options={CANARY}"}}
state: "sqlite:///s.db?key={CANARY}"
"""


def test_s9_what_might_be_a_secret_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", CANARY)
    text = document(loads(WITH_LITERALS))
    assert CANARY not in text
    assert "`${PASSWORD}`" in text


HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "| a | b |\n|---|---|",
    "```\n# heading",
    "x` <img src=x onerror=alert(1)> `y",
    "end\n    A->>D: lies",
    "- item\n1. item",
    "www.evil.example and @everyone & &lt;b&gt; $$x$$",
    "\x1b[31mred\u202edlrow",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_s21_no_name_from_a_file_means_anything_in_the_document(name: str) -> None:
    data = load(SHOP).to_data()
    data["description"] = name
    data["streams"][0]["into"] = {"table": name, "write": "upsert"}
    data["streams"][0]["path"] = f"/{name}"
    data["streams"][0]["mapping"][name] = {"value": name}
    text = document(Integration.model_validate(data))
    plain = document(load(SHOP))
    shown = MARKDOWN.parse(text)
    before = MARKDOWN.parse(plain)
    kinds = [token.type for token in shown]
    assert kinds.count("heading_open") == [token.type for token in before].count("heading_open")
    assert kinds.count("fence") == 1
    inner = [child.type for token in shown for child in token.children or ()]
    html = [child.content for token in shown for child in token.children or () if child.type == "html_inline"]
    assert set(html) <= {"<!-- -->"}
    assert "link_open" not in inner
    assert "image" not in inner
    diagram = next(token.content for token in shown if token.type == "fence")
    expected = next(token.content for token in before if token.type == "fence")
    arrows = [line.split(":")[0] for line in diagram.splitlines()]
    assert arrows == [line.split(":")[0] for line in expected.splitlines()]
    assert all(character.isprintable() or character == "\n" for character in text)


@given(st.text(max_size=40))
def test_s21_prose_shows_the_text_and_nothing_else(text: str) -> None:
    html = rendered(f"x {prose(text)}")
    assert "<" not in html.replace("<p>", "").replace("</p>", "")
    assert html.count("<p>") == 1


@given(st.lists(st.text(alphabet="`|\\ ax<*\n", max_size=12), min_size=2, max_size=2))
def test_s21_a_cell_of_code_stays_one_cell_of_code(cells: list[str]) -> None:
    html = rendered("\n".join(table(["a", "b"], [[code(cell) for cell in cells]])))
    assert html.count("<td>") == html.count("<td><code>") == 2


def test_every_end_has_a_name() -> None:
    names = {
        "sqlite:///x.db": "SQLite",
        "postgresql://db/x": "PostgreSQL",
        "${DATABASE_URL}": "SQL database",
        "mssql+pyodbc://db/x": "SQL Server",
    }
    for url, name in names.items():
        data = {**load(SHOP).to_data(), "destination": {"kind": "sql", "url": url}}
        data["source"]["base_url"] = "https://api.shop.example/v2"
        assert document(Integration.model_validate(data)).startswith(f"# API Integration — api.shop.example → {name}\n")
