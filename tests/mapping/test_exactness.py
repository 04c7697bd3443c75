from __future__ import annotations

import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from syncline.mapping import Mapping, compile_mapping
from syncline.mapping.careful import FieldError, interpret
from syncline.mapping.plan import make_plan
from syncline.model import decode_json
from tests.mapping.support import mapping, reject, rows, run, value

KEYS = st.sampled_from(["a", "b", "c", "d.e", 'q"uote', "__class__", "get"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "1.25", "1_000", "007", "NO", " x ", "2026-11-22T12:00:00Z", "{a}", "${A}", "\x00"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=6) | VALUES
PATHS = st.sampled_from(
    ["a", "b", "c", "a.b", "a.b.c", "a.c", "b[0]", "b[0].a", "b[-1]", "b[1].b", "c[*]", "c[*].a", "a[*].b.c", '"d.e".a', ".",
     "__class__", "a.__class__", "a.get", "[0]", "[0].a", "a.b.c.a.b.c.a.b.c.a.b"]
)  # fmt: skip
CHAINS = st.sampled_from(
    ["cents", "iso8601", "trim", "text", "null_if(1, '')", "default_if_empty(0)", "int", "list | count", "first", "json",
     "trim | int | multiply(1.5)", "unique", "sum", "boolean"]
)  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {}, optional={"transform": CHAINS, "required": st.booleans(), "default": st.sampled_from([0, None, [], {"x": 1}])}
)
ORIGINS = st.one_of(
    st.fixed_dictionaries({"source": PATHS}),
    st.fixed_dictionaries({"coalesce": st.lists(PATHS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"value": LEAVES}),
    st.fixed_dictionaries({"template": st.sampled_from(["{a}", "x {a} {b[0]} {{y}}", "{a.b}{a.b}", "{.}"])}),
)
PLAIN = st.builds(lambda origin, options: {**origin, **options}, ORIGINS, OPTIONS)


def _nested(inner: Any) -> Any:
    fields = st.dictionaries(KEYS, inner, min_size=1, max_size=4)
    return st.builds(lambda path, each, more: {"source": path, "each": each, **more}, PATHS, fields, OPTIONS)


FIELDS = st.dictionaries(KEYS, st.recursive(PLAIN, _nested, max_leaves=4), min_size=1, max_size=6)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(FIELDS, st.lists(RECORDS, max_size=5))
def test_the_compiled_and_the_careful_way_agree(fields: dict[str, Any], records: list[Any]) -> None:
    read = mapping(fields)
    plan = make_plan(read)
    expected_rows, expected_rejects = [], []
    for record in records:
        try:
            expected_rows.append(interpret(plan, record))
        except FieldError as error:
            expected_rejects.append((error.path, error.reason, record))
    mapped = compile_mapping(read).map(records)
    assert repr(mapped.batch.rows) == repr(expected_rows)
    assert [(each.path, each.reason, each.record) for each in mapped.rejected] == expected_rejects


@pytest.mark.slow
@given(st.lists(RECORDS, max_size=6))
def test_no_mapping_loses_nothing(records: list[Any]) -> None:
    mapped = run(None, records)
    objects = [record for record in records if isinstance(record, dict)]
    assert len(mapped.rejected) == len(records) - len(objects)
    for record, row in zip(objects, mapped.batch.rows, strict=True):
        found = dict(zip(mapped.batch.columns, row, strict=True))
        assert repr({key: found[key] for key in record}) == repr(record)
        assert all(found[key] is None for key in found if key not in record)


@pytest.mark.parametrize("data", [None, {"n": "n", "m": "m", "o": {"source": "l", "each": {"p": "p"}}}])
def test_r34_numbers_of_any_size_arrive_exactly(data: Any) -> None:
    big = 2**200 + 1
    text = f'{{"n": {big}, "m": 0.1234567890123456789012345678901234567890, "l": [{{"p": 1.10}}]}}'
    ((n, m, nested),) = rows(data, [decode_json(text)])
    assert (n, type(n)) == (big, int)
    assert str(m) == "0.1234567890123456789012345678901234567890"
    assert str(nested[0]["p"]) == "1.10"


def test_r34_money_is_exact_or_rejected_with_its_path() -> None:
    data = {"amount": {"source": "p", "transform": "cents"}}
    assert rows(data, [decode_json('{"p": 90071992547409.93}')]) == [(9007199254740993,)]
    assert rows(data, [decode_json('{"p": "0.29"}')]) == [(29,)]
    path, reason = reject(data, decode_json('{"p": 0.295}'))
    assert (path, reason) == ("amount", "cents: 0.295 has a fraction of a cent")


def test_r34_a_number_with_thousands_of_digits_is_kept() -> None:
    big = 10**4_500 + 1
    assert rows({"n": "n"}, [{"n": big}]) == [(big,)]


@pytest.mark.parametrize(
    ("data", "text", "path"),
    [
        ({"b": "a"}, '{"a": "x\\ud800"}', "b"),
        ({"b": "a"}, '{"a": {"in": ["ok", "\\udfff"]}}', "b.in[1]"),
        ({"b": "a"}, '{"a": {"\\ud800": 1}}', 'b.\\ud800'),
        ({"b": {"source": "a", "transform": "parse_json"}}, '{"a": "[\\"\\\\ud800\\"]"}', "b[0]"),
        ({"b": {"source": "l", "each": {"s": "s"}}}, '{"l": [{"s": "\\ud800"}]}', "b[0].s"),
        (None, '{"a": "\\ud800"}', "a"),
        (None, '{"\\ud800": 1}', "[0]"),
    ],
)  # fmt: skip
def test_r35_a_lone_surrogate_costs_its_record_only(data: Any, text: str, path: str) -> None:
    good = decode_json('{"a": "[\\"\\u00e9\\ud83d\\ude00\\"]", "l": []}')
    bad = decode_json(text)
    mapped = run(data, [good, bad, good])
    assert len(mapped.batch.rows) == 2
    (rejected,) = mapped.rejected
    assert rejected.record is bad
    assert rejected.path == path
    assert "lone surrogate U+D" in rejected.reason
    (rejected.path + rejected.reason).encode()


def test_r35_text_that_is_not_mapped_does_not_matter_and_nul_is_text() -> None:
    assert rows({"a": "a"}, [{"a": "x\x00y", "b": "\ud800"}]) == [("x\x00y",)]


@given(st.text(st.characters(), max_size=20))
@example("\ud83d\ude00")
def test_r35_every_other_text_arrives_unchanged(text: str) -> None:
    is_fine = not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
    mapped = run({"a": "a"}, [{"a": text}])
    assert mapped.batch.rows == ([(text,)] if is_fine else [])
    assert len(mapped.rejected) == (not is_fine)


def test_s12_no_attribute_is_ever_looked_up() -> None:
    class Trap:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    data = {
        "a": "a.__class__.__mro__",
        "b": {"template": "{a.__class__} {b.real}"},
        "c": "b.denominator",
        "d": {"source": "t", "transform": 'get("secret")'},
        "e": "t.secret",
    }
    assert rows(data, [{"a": "x", "b": 1, "t": Trap()}]) == [(None,) * 5]


HOSTILE = ['"); import os #', "'''", '\\"', "{0.__class__}", "k1", "record", "\n    raise SystemExit", "é", "%s{}"]


@pytest.mark.parametrize("key", HOSTILE)
def test_s12_keys_and_constants_never_become_source(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    data = {
        key: f'"{escaped}"',
        "constant": {"value": key},
        "default": {"source": "none", "default": key},
        "nested": {"source": "l", "each": {key: f'"{escaped}"'}},
    }
    assert rows(data, [{key: 1, "l": [{key: 2}]}]) == [(1, key, key, [{key: 2}])]


@pytest.mark.parametrize(
    ("chain", "given"),
    [
        ('replace("a", "' + "b" * 5_000 + '")', "a" * 10_000_000),
        (f'join("{"x" * 5_000}")', ["a"] * 100_000),
        ('split(",")', "," * 1_000_001),
        ("flatten", [["a"] * 600_000, ["b"] * 600_000]),
        ('prefix("x")', "a" * 10_000_000),
    ],
    ids=["replace", "join", "split", "flatten", "prefix"],
)
def test_s13_results_are_bounded_before_they_are_made(chain: str, given: Any) -> None:
    tracemalloc.start()
    path, reason = reject({"it": {"source": "it", "transform": chain}}, {"it": given})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path == "it"
    assert "result would" in reason
    assert peak < 64_000_000


def test_s13_numbers_are_bounded() -> None:
    chain = " | ".join(["multiply(1e999)"] * 32)
    assert "digits" in reject({"it": {"source": "it", "transform": chain}}, {"it": 1})[1]
    assert "out of range" in reject({"it": {"source": "it", "transform": "floor"}}, {"it": Decimal("1E+999999999")})[1]


@pytest.mark.parametrize("text", ["{a}", "${A}", "{{a}}", "{0}", "%(a)s", "${env:HOME}", "{a.__class__}"])
def test_s14_values_are_never_read_as_templates(text: str) -> None:
    data = {"plain": "a", "made": {"template": "<{a}>"}, "constant": {"value": text}}
    assert rows(data, [{"a": text}]) == [(text, f"<{text}>", text)]


@pytest.mark.parametrize("text", ["1_000", "007", "NO", "12:30", "true", "null", "1e3", "2026-11-22", "", " 1"])
def test_s14_types_are_never_guessed(text: str) -> None:
    assert rows({"a": "a"}, [{"a": text}]) == [(text,)]
    assert run(None, [{"a": text}]).batch.rows == [(text,)]
    assert value("text", text) == text
    assert run({"a": "a"}, [{"a": 1}], {"a": "1"}).filtered == 1


def test_s14_int_reads_whole_numbers_and_nothing_else() -> None:
    assert value("int", "007") == 7
    for text in ("1_000", "1,000", "1e3", " 1", "0x10", "NO", ""):
        assert "no whole number" in reject({"a": {"source": "a", "transform": "int"}}, {"a": text})[1]


def test_a_large_mapping_compiles() -> None:
    fields = {f"f{number}": f"a.b{number % 7}.c{number}" for number in range(1_500)}
    ((*row,),) = rows(fields, [{"a": {"b0": {"c0": 1}}}])
    assert row[0] == 1
    assert len(row) == 1_500
    assert isinstance(mapping(fields), Mapping)
