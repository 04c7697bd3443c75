from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.errors import SpecError
from syncline.mapping import (
    Chain,
    ChainError,
    TransformError,
    compile_mapping,
    inverse_of,
    known_transforms,
    parse_chain,
    standard,
    transform as register_transform,
)
from syncline.mapping.chain import Call, parse_value
from syncline.mapping.reference import ARROW, examples, field_of, summary, transforms_page
from syncline.mapping.transform import STANDARD as STANDARD_MODULES, column_of
from tests.mapping.support import mapping, refusal, value

STANDARD = [found for found in known_transforms().values() if not found.foreign]


def test_every_module_of_standard_transforms_is_known() -> None:
    folder = Path(standard.__path__[0])
    assert sorted(STANDARD_MODULES) == sorted(
        f"{standard.__name__}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"
    )


@pytest.mark.parametrize("name", [found.name for found in STANDARD])
def test_the_examples_of_every_transform_are_true(name: str) -> None:
    found = known_transforms()[name]
    assert summary(found)
    assert examples(found), f"{name} has no example"
    for expression, result in examples(found):
        assert name in expression
        mapped = compile_mapping(field_of(expression)).map([{}])
        assert mapped.rejected == []
        ((made,),) = mapped.batch.rows
        expected = parse_value(result)
        assert made == expected, f"{expression}{ARROW}{made!r}"
        assert type(made) in (type(expected), float)


def test_the_reference_page_says_what_the_declarations_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "transforms.md"
    ours = {found.name for found in STANDARD}
    assert page.read_text() == transforms_page()
    assert all(f"### `{name}" in transforms_page() for name in ours)


PLAIN = {
    "cents": st.from_regex(r"-?[0-9]{1,4}\.[0-9]{2}", fullmatch=True),
    "int": st.from_regex(r"-?[0-9]{1,4}", fullmatch=True),
    "decimal": st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,3})?", fullmatch=True),
    "iso8601": st.datetimes(timezones=st.just(UTC)).map(lambda time: time.isoformat().replace("+00:00", "Z")),
}
ODD = st.one_of(
    st.none(), st.integers(), st.decimals(allow_nan=True), st.text("0123456789.-\n\0T:Z٣ ", max_size=8), st.booleans()
)


@pytest.mark.parametrize("name", PLAIN)
@given(data=st.data())
def test_a_column_at_once_is_what_its_values_are_one_by_one(name: str, data: st.DataObject) -> None:
    step = known_transforms()[name].bind(())
    column = column_of(step)
    assert column is not None
    values = data.draw(st.lists(PLAIN[name], max_size=4) | st.lists(PLAIN[name] | ODD, max_size=4))

    def outcome(make: Any) -> Any:
        try:
            return [(type(one), str(one)) for one in make()]
        except TransformError as problem:
            return str(problem)

    assert outcome(lambda: column(values)) == outcome(lambda: [None if v is None else step(v) for v in values])


@pytest.mark.parametrize("name", PLAIN)
@given(data=st.data())
def test_a_column_of_plain_values_takes_the_quick_way(name: str, data: st.DataObject) -> None:
    step: Any = known_transforms()[name].bind(())
    values = data.draw(st.lists(PLAIN[name], min_size=1, max_size=4))
    assert step.column(values) == list(map(step, values))


def test_transforms_that_know_columns_are_the_ones_tested() -> None:
    assert {one.name for one in STANDARD if one.name in PLAIN} == set(PLAIN)
    bare = [one for one in STANDARD if not any(each.required or each.repeated for each in one.parameters)]
    assert {one.name for one in bare if column_of(one.bind(())) is not None} == set(PLAIN)


@pytest.mark.parametrize("found", [found for found in STANDARD if found.inverse], ids=lambda found: found.name)
def test_every_inverse_is_a_transform(found: Any) -> None:
    assert found.inverse in known_transforms()


@pytest.mark.parametrize(
    ("chain", "back"),
    [
        ("cents", "from_cents"),
        ("cents(3)", "from_cents(3)"),
        ('remove_prefix("a") | multiply(100)', 'divide(100) | prefix("a")'),
        ("map({a: 1, b: 2})", 'map({1: "a", 2: "b"})'),
        ("map({a: 1, b: 1})", None),
        ("trim | cents", None),
        ('iso8601("Europe/Paris")', "format_iso8601"),
        ('date("%d/%m/%Y", "Europe/Paris")', 'format_date("%d/%m/%Y", "Europe/Paris")'),
    ],
)
def test_the_way_back(chain: str, back: str | None) -> None:
    found = inverse_of(parse_chain(chain))
    assert (str(found) if found else None) == back


ARGUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(
        st.builds(Call, st.sampled_from(["trim", "a_b", "pkg.mod:fun"]), st.lists(ARGUMENTS).map(tuple)), min_size=1
    )
)
def test_a_chain_reads_back_as_it_is_written(calls: list[Call]) -> None:
    chain = Chain(tuple(calls[:32]))
    assert parse_chain(str(chain)) == chain


@given(st.text(alphabet="trim |(),{}[]:\"'\\ab1.-", max_size=30))
def test_s12_any_text_is_a_chain_or_a_named_error(text: str) -> None:
    try:
        chain = parse_chain(text)
    except ChainError:
        return
    assert parse_chain(str(chain)) == chain


@pytest.mark.parametrize(
    ("chain", "where"),
    [
        ("trim |", "the end"),
        ("trim lower", "character 6"),
        ("replace('a'", "the end"),
        ("map({a 1})", "character 8"),
        ("map({a: 1, a: 2})", "twice"),
        ("multiply(1_000)", "character 10"),
        ("__import__('os').system('x')", "character 17"),
        ("os.system", "character 3"),
        ("f(" + "[" * 20, "deep"),
        (" | ".join(["trim"] * 33), "too long"),
        ("f('" + "a" * 10_000 + "')", "too long"),
        ("prefix('\\ud800')", "escape"),
    ],
)
def test_errors_of_the_grammar_say_where(chain: str, where: str) -> None:
    with pytest.raises(ChainError, match=where):
        parse_chain(chain)


@pytest.mark.parametrize(
    ("chain", "given", "expected"),
    [
        ("cents", "0.07", 7),
        ("cents", "-0.07", -7),
        ("cents", 12, 1200),
        ("cents", Decimal("19.9900"), 1999),
        ("cents", "1e2", 10000),
        ("cents", 0.1, 10),
        ("cents", "123456789012345678901234567890.12", 12345678901234567890123456789012),
        ("from_cents(3)", -1, Decimal("-0.001")),
        ("round(2)", Decimal("2.675"), Decimal("2.68")),
        ("round", Decimal("-2.5"), -3),
        ("divide(8)", 1, Decimal("0.125")),
        ("divide(3, 2)", -2, Decimal("-0.67")),
        ("divide(3, 2)", Decimal("0.015"), Decimal("0.01")),
        ("multiply(0.1)", 3, Decimal("0.3")),
        ("multiply(10)", 10**40, 10**41),
        ("add(0.1)", Decimal("0.2"), Decimal("0.3")),
        ("sum", [Decimal("0.1")] * 10, Decimal("1.0")),
        ("sum", [], 0),
        ("min", [], None),
        ("max", [1, None, Decimal("1.5")], Decimal("1.5")),
        ("unique", [1, True, Decimal("1.0"), {"a": 1}, {"a": 1}], [1, True, {"a": 1}]),
        ("first", [], None),
        ("split(',')", "", []),
        ("slug", "Ünï 東京 x", "uni-x"),
        ("boolean", "OFF", False),
        ("map({true: yes, false: no})", True, "yes"),
        ("map({1: one}, other)", "1", "other"),
        ("json", {"a": Decimal("1.10")}, '{"a":1.10}'),
    ],
)
def test_values(chain: str, given: Any, expected: Any) -> None:
    found = value(chain, given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("chain", "given", "reason"),
    [
        ("cents", "1,234.50", "is no number"),
        ("cents", True, "a number is expected"),
        ("cents(0)", "1.5", "fraction of a cent"),
        ("int", "1_000", "int: '1_000' is no whole number"),
        ("int", "٣", "is no whole number"),
        ("int", Decimal("1.5"), "int: 1.5 has a fraction"),
        ("int", Decimal("1E+999999"), "out of range"),
        ("decimal", "NaN", "is no number"),
        ("decimal", " 1", "is no number"),
        ("multiply(2)", "2", "a number is expected, not text '2'"),
        ("multiply(1e999)", Decimal("1E+4000"), "over 4300 digits"),
        ("divide(3)", 1, "does not come out even"),
        ("boolean", "maybe", "neither true nor false"),
        ("boolean", 2, "neither true nor false"),
        ("map({a: 1})", "b", "map: 'b' is none of 'a'"),
        ("sort", [1, "a"], "no common order"),
        ("sum", [1, "2"], "a number is expected"),
        ("email", "not an address", "no e-mail address"),
        ("parse_json", "{", "is no JSON"),
        ("from_base64", "***", "Base64"),
        ("text", [1], "text or a number is expected, not a list"),
        ("trim", 5, "text is expected"),
    ],
)
def test_refusals(chain: str, given: Any, reason: str) -> None:
    assert reason in refusal(chain, given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22t12:00:00z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22 12:00:00+00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22 13:00:00 +0100", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("20261122T120000Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00.123456789Z", datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_iso8601_reads_the_common_forms(text: str, expected: datetime) -> None:
    assert value("iso8601", text) == expected
    assert value("iso8601", text).tzinfo is UTC


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60)
)  # fmt: skip
def test_iso8601_keeps_the_instant(naive: datetime, offset: int) -> None:
    time = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert value("iso8601", time.isoformat()) == time
    assert value("iso8601 | format_iso8601 | iso8601", time.isoformat()) == time


@pytest.mark.parametrize(
    ("chain", "given", "reason"),
    [
        ("iso8601", "2026-11-22T12:00:00", 'has no offset; write iso8601("UTC")'),
        ("iso8601", "2026-11-22", "no ISO 8601 time"),
        ("iso8601", "2026-11-22x12:00:00Z", "no ISO 8601 time"),
        ("iso8601", "yesterday", "no ISO 8601 time"),
        ("iso8601", "9999-12-31T23:59:59-05:00", "beyond the calendar"),
        ("iso8601", 5, "text is expected"),
        ('iso8601("Europe/Paris")', "2026-03-29T02:30:00", "does not exist"),
        ('date("%d/%m/%Y")', "31/02/2026", "is not of the form"),
        ("epoch", 10**15, "beyond the calendar"),
        ("day", "2026-13-01", "no date"),
        ("to_epoch", "2026-01-01", "a time (made by iso8601, date or epoch) is expected"),
    ],
)
def test_times_that_are_none(chain: str, given: Any, reason: str) -> None:
    assert reason in refusal(chain, given)


def test_dates_and_zones() -> None:
    assert value('date("%d/%m/%Y")', "22/11/2026") == date(2026, 11, 22)
    autumn = value('date("%Y-%m-%d %H:%M", "Europe/Paris")', "2026-10-25 02:30")
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first of two such times"
    assert value("epoch | to_epoch", Decimal("1.5")) == Decimal("1.5")


@pytest.mark.parametrize(
    "chain",
    [
        'date("%d/%m/%Y %H:%M")', 'date("%d %d")', 'date("%Q")', 'date("plain")', 'date("%d", "Mars/Base")', "timezone(5)",
        "round(2, odd)", "replace('', x)", "divide(0)", "pad(100000)", "map({})", "trim(1)", "split", "multiply(true)",
        'timezone("../../etc/passwd")', "null_if", "get('a..b')", "cents(-1)",
    ],
)  # fmt: skip
def test_arguments_are_checked_with_the_file(chain: str) -> None:
    with pytest.raises(ValueError, match=f"{chain.partition('(')[0]}|no time zone '"):
        mapping({"a": {"source": "a", "transform": chain}})


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_cents_and_back(amount: Decimal) -> None:
    for spelled in (amount, str(amount), f"{amount:f}"):
        assert value("cents", spelled) == int(amount * 100)
    assert value("cents | from_cents", amount) == amount


@given(st.integers(-(10**9), 10**9), st.integers(1, 999), st.integers(0, 4))
def test_division_rounds_once_and_half_up(top: int, bottom: int, places: int) -> None:
    found = value(f"divide({bottom}, {places})", top)
    assert abs(found * bottom - top) * 2 <= bottom * Decimal(1).scaleb(-places)


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("own_shop_functions")
    code = """
import os
from datetime import datetime
from subprocess import run
def double(value, times=2): return value * times
def broken(value): raise RuntimeError("it broke")
def naive(value): return datetime(2026, 1, 1)
def strange(value): return {1, 2}
def huge(value): return "x" * 10_000_001
def _private(value): return value
"""
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_python_function_is_a_transform(own_module: ModuleType) -> None:
    assert value("own_shop_functions:double", "ab") == "abab"
    assert value("own_shop_functions:double(3) | upper", "a") == "AAA"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "RuntimeError: it broke"),
        ("naive", "has no time zone"),
        ("strange", "is a set, which no row can hold"),
        ("huge", "longer than 10,000,000"),
    ],
)
def test_what_a_function_does_wrong_costs_the_record(own_module: ModuleType, name: str, reason: str) -> None:
    assert refusal(f"own_shop_functions:{name}", "a").startswith(f"own_shop_functions:{name}: ")
    assert reason in refusal(f"own_shop_functions:{name}", "a")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_package_here:f", "cannot be imported"),
        ("own_shop_functions:doubel", "has no function doubel"),
        ("own_shop_functions:run", "Python's own library"),
        ("own_shop_functions:_private", "private"),
        ("os:system", "Python's own library"),
        ("builtins:eval", "Python's own library"),
    ],
)
def test_s12_functions_that_cannot_be_had_are_named_when_compiled(own_module: ModuleType, name: str, why: str) -> None:
    read = mapping({"a": {"source": "a", "each": {"b": {"source": "b", "transform": name}}}})
    with pytest.raises(SpecError, match=why) as caught:
        compile_mapping(read)
    assert caught.value.hint
    assert caught.value.where["path"] == "mapping.a.each.b.transform"


def test_a_registered_function_goes_by_its_name() -> None:
    @register_transform(name="test_vat", takes_null=True, inverse="test_vat")
    def vat(given: Any, country: str = "FR") -> str:
        if given == "bad":
            raise TransformError("'bad' is no VAT number")
        return f"{country}{given}"

    assert value("test_vat", 1) == "FR1"
    assert value("test_vat(DE)", None) == "DENone"
    assert refusal("test_vat", "bad") == "test_vat: 'bad' is no VAT number"
    with pytest.raises(ValueError, match="country is text, not 5"):
        mapping({"a": {"source": "a", "transform": "test_vat(5)"}})
    with pytest.raises(ValueError, match="is taken by"):
        register_transform(name="trim")(vat)
