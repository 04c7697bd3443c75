"""Reading and writing YAML: nothing guessed, nothing lost, every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from syncline.errors import Mistake, SpecError
from syncline.spec.yaml_text import MAX_DEPTH, read
from syncline.spec.yaml_write import write
from tests.support.cost import assert_costs_at_most

FILE = """\
name: shop-orders
source:
  kind: rest
  base_url: https://api.shop.example/v2
streams:
  - name: orders
    params: {status: any}
    mapping:
      email: {source: customer.email, required: true}
  - name: customers
"""


def mistakes(text: str | bytes) -> list[Mistake]:
    with pytest.raises(SpecError) as caught:
        read(text, "shop.yaml")
    assert caught.value.exit_code == 2
    return list(caught.value.mistakes)


def mistake(text: str | bytes) -> tuple[int, int, str]:
    (only,) = mistakes(text)
    return only.line, only.column, only.what


TEXTS = ["NO", "no", "yes", "on", "off", "y", "12:30", "007", "1_000", "0o7", "0x1F", "+33612345678", ".5", "5.", ".inf", "nan",
         "2024-01-01", "1.2.3", "10/s", "=", "1,000"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_what_only_looks_like_something_else_stays_text(text: str) -> None:
    assert read(f"value: {text}", "x").data == {"value": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-7", -7), ("0", 0), ("18446744073709551617", 2**64 + 1), ("true", True), ("False", False), ("null", None),
     ("~", None), ("", None), ("0.5", 0.5), ("1e3", 1000.0), ("19.99", 19.99), ("'1'", "1"), ('"true"', "true"),
     ("0.1234567890123456789", Decimal("0.1234567890123456789")), ("1e400", Decimal("1e400"))],
)  # fmt: skip
def test_plain_scalars_mean_what_json_means(text: str, value: Any) -> None:
    found = read(f"value: {text}", "x").data["value"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_always_text() -> None:
    assert read("404: ignore\nno: way\nnull: x\n", "x").data == {"404": "ignore", "no": "way", "null": "x"}


def test_positions_point_to_values_and_keys() -> None:
    document = read(FILE, "shop.yaml")
    assert document.position(("streams", 0, "name")) == (6, 11)
    assert document.position(("streams", 0, "name"), key=True) == (6, 5)
    assert document.position(("streams", 0, "mapping", "email", "required")) == (9, 49)
    assert document.position(("streams", 1)) == (10, 5)
    assert document.position(()) == (1, 1)


def test_what_is_missing_is_looked_for_where_it_should_stand() -> None:
    document = read(FILE, "shop.yaml")
    assert document.position(("source", "auth", "token")) == (2, 1)
    assert document.position(("streams", 1, "path")) == (10, 5)
    assert document.position(("destination",)) == (1, 1)
    shown = document.mistake(("streams", 0, "mapping", "a b", "x"), "is missing")
    assert str(shown) == 'shop.yaml:8:5: streams[0].mapping."a b".x: is missing'


def test_aliases_stand_for_their_values_and_keep_their_place() -> None:
    document = read("a: &one {kind: x}\nb: *one\n", "x")
    assert document.data == {"a": {"kind": "x"}, "b": {"kind": "x"}}
    assert document.position(("b", "kind")) == (2, 1)


def test_s11_hostile_yaml_is_refused() -> None:
    nine = ",".join(["*{0}"] * 9)
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{nine.format(old)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "aliases" in mistake(bomb)[2]
    assert "itself" in mistake("a: &a [*a]")[2]
    assert "python/object" in mistake("run: !!python/object/apply:os.system [ls]")[2]
    assert "tag" in mistake("a: !secret x")[2]
    assert "merge" in mistake("a: &a {x: 1}\nb: {<<: *a}")[2]
    assert mistake("a: 1\nb: 2\na: 3\n") == (3, 1, "'a' stands here twice; the first is on line 1")
    assert "bytes" in mistake("a: " + "x" * 1_000_000)[2]
    assert f"{MAX_DEPTH} levels" in mistake("[" * 100_000)[2]
    assert f"{MAX_DEPTH} levels" in mistake("- " * 100_000)[2]
    assert "key is text" in mistake("{a: 1}: 2")[2]
    assert "second document" in mistake("a: 1\n---\nb: 2\n")[2]
    assert mistake("a: 1\nb: \x00")[:2] == (2, 4)
    assert mistake(b"a: 1\nb: \xff\n") == (2, 4, "this is not UTF-8; save the file as UTF-8")


@pytest.mark.parametrize("hostile", ["[" * 999_000, "{a: " * 249_000, "- " * 499_000, "? " * 499_000, "[a," * 330_000,
                                     "&a " * 330_000, "'" * 999_001, "a: 1\n" * 190_000, "[a]: " * 190_000])  # fmt: skip
def test_s11_hostile_yaml_is_refused_quickly(hostile: str) -> None:
    assert_costs_at_most(1.0, lambda: mistakes(hostile))
    assert mistakes(hostile)


def test_every_mistake_is_reported_at_once() -> None:
    found = mistakes("a: 1\na: 2\nb: !x 1\nc: {<<: {}, <<: {}}\n")
    assert [(one.line, one.column) for one in found] == [(2, 1), (3, 4), (4, 5), (4, 13), (4, 13)]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a:\n\tb: 1\n", 2, 1, "a tab"),
        ("a: @x\n", 1, 4, "quotes"),
        ("a: b: c\n", 1, 5, "':'"),
        ("a: 1\n  b: 2\n", 2, 4, "':'"),
        ("a: 'x\n", 2, 1, "quote is not closed"),
        ("a: [1, 2\nb: 3\n", 2, 2, "missing"),
        ("a: {b: 1\n", 2, 1, "missing"),
        ("a:\n  - x\n b: 1\n", 3, 2, "indentation"),
        ('a: "\\q"\n', 1, 5, "escape"),
        ("a: *nowhere\n", 1, 4, "no anchor"),
        ("", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "empty"),
    ],
)
def test_syntax_errors_speak_plainly(text: str, line: int, column: int, words: str) -> None:
    found = mistake(text)
    assert found[:2] == (line, column)
    assert words in found[2]


def test_u8_one_file_is_read_quickly() -> None:
    text = FILE + "".join(f"  - name: stream{n}\n    params: {{status: any}}\n    path: /x/{n}\n" for n in range(20))
    assert len(text.splitlines()) == 70
    assert_costs_at_most(0.003, lambda: read(text, "x"))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from([*TEXTS, "${A}", "#", "a #b", "a: b", "- x", "null", "~", "True", "", " ", "<<", "---", "...", "? x", "|",
                       "a\nb", "a\n\nb\n", "\n", "x\n ", " a\nb", "\x85", "\u2028", "\ufeff", "\U0001f600", "1e5", "1.0e+5"])
)  # fmt: skip
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.sampled_from(TEXTS), inner, max_size=5)
)  # fmt: skip


@given(documents)
def test_what_is_written_reads_back_equal(data: Any) -> None:
    again = read(write(data), "x").data
    assert again == data
    assert repr(again) == repr(data)


@given(documents)
def test_readers_of_yaml_1_1_read_the_same(data: Any) -> None:
    assert yaml.safe_load(write(data)) == data


CORE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
                  r"|\.(nan|NaN|NAN)|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|")  # fmt: skip


@given(st.from_regex(CORE, fullmatch=True))
def test_text_that_the_core_schema_would_resolve_is_quoted(text: str) -> None:
    assert write({"value": text}).startswith('value: "')


def test_written_files_look_as_people_write_them() -> None:
    data = {
        "name": "shop-orders",
        "source": {"kind": "rest", "headers": {"Accept": "application/json"}, "auth": {"kind": "bearer", "token": "${SHOP_TOKEN}"}},
        "streams": [
            {
                "name": "orders",
                "query": "query {\n  orders { id }\n}\n",
                "mapping": {"id": {"source": "id", "required": True}, "items": {"source": "x", "each": {"s": "s", "t": "t"}}},
                "scopes": ["orders.read", "NO"],
                "on_status": {404: "ignore"},
            }
        ],
        "destination": {"kind": "sql", "url": "sqlite:///shop.db"},
    }  # fmt: skip
    assert write(data) == (
        """\
name: shop-orders
source:
  kind: rest
  headers: {Accept: application/json}
  auth: {kind: bearer, token: "${SHOP_TOKEN}"}
streams:
  - name: orders
    query: |
      query {
        orders { id }
      }
    mapping:
      id: {source: id, required: true}
      items:
        source: x
        each: {s: s, t: t}
    scopes: [orders.read, "NO"]
    on_status: {404: ignore}
destination:
  kind: sql
  url: sqlite:///shop.db
"""
    )


@pytest.mark.parametrize("data", [{"a": float("nan")}, {"a": "\ud800"}, {None: 1}, {"a": object()}])
def test_what_yaml_cannot_hold_is_not_written(data: Any) -> None:
    with pytest.raises(ValueError, match=r"a key is text|cannot be written"):
        write(data)


HOSTILE_NOTES = st.text(max_size=30) | st.sampled_from(["x\nname: evil", "a\u2028b", "\x85- b", "\r- c", "#", "--- x"])


@given(documents, st.data())
def test_s23_notes_are_comments_whatever_they_say(data: Any, draw: st.DataObject) -> None:
    places = list(_places(data, ()))
    chosen = draw.draw(st.lists(st.sampled_from(places), max_size=5)) if places else []
    notes = {place: [draw.draw(HOSTILE_NOTES)] for place in chosen}
    above = {("root", *place): lines for place, lines in notes.items()}
    beside = {place: lines[0] for place, lines in above.items()}
    assert read(write({"root": data}, above, beside), "x").data == read(write({"root": data}), "x").data


def _places(data: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from _places(value, (*at, key))
