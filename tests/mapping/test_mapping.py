from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from syncline.mapping import FieldMapping, Mapping, compile_mapping
from syncline.mapping.where import Where
from tests.mapping.support import mapping, mistakes, reject, rows, run

SPELLINGS: list[Any] = [
    {"id": "id", "email": "customer.email"},
    {"id": {"source": "id", "required": True}, "amount": {"source": "total", "transform": "cents"}},
    {"items": {"source": "lines", "each": {"sku": "sku", "tax": {"source": "tax", "default": 0}}}},
    {"name": {"template": "{first} {last}", "transform": "trim"}, "kind": {"value": None}},
    {"phone": {"coalesce": ["mobile", "home"], "default": "none"}, "rate": {"value": 1.5}},
    {"state": {"source": "s", "transform": 'map({"a b": 1, c: [true, null]}) | list'}},
    {"fields": "a", "target": "b", "kind": "c"},
    {"fields": "only"},
]


@pytest.mark.parametrize("data", SPELLINGS)
def test_a_mapping_reads_back_what_it_writes(data: Any) -> None:
    read = mapping(data)
    written = read.to_data()
    assert list(written) == list(data)
    assert mapping(written) == read
    assert mapping(written).to_data() == written


def test_the_short_spelling_stays_short() -> None:
    assert mapping({"email": {"source": "customer.email"}}).to_data() == {"email": "customer.email"}


def test_a_list_and_a_block_are_the_same_value() -> None:
    block = mapping({"id": {"source": "id", "required": True}, "price": {"source": "p", "transform": "cents"}})
    assert block == mapping(
        [{"source": "id", "target": "id", "required": True}, {"target": "price", "source": "p", "transform": ["cents"]}]
    )
    assert block == Mapping(fields=block.fields)
    assert block == mapping([FieldMapping(target="id", source="id", required=True), block.fields[1]])
    assert block.targets == ("id", "price")


def test_a_transform_may_be_a_list_of_steps() -> None:
    read = mapping(
        {"a": {"source": "a", "transform": ["trim", {"map": {"x": 1}}, {"multiply": 1.5}, {"divide": [3, 2]}]}}
    )
    assert read.to_data()["a"]["transform"] == 'trim | map({"x": 1}) | multiply(1.5) | divide(3, 2)'


def test_every_mistake_is_reported_at_its_own_place() -> None:
    found = mistakes(
        {
            "a": {"souce": "x"},
            "b": {"source": "a..b"},
            "c": "[",
            "d": {"source": "a", "transform": "trim | lowr"},
            "e": {"source": "x", "each": {"q": {"value": 1, "source": "a"}}},
            "f": 5,
            "g": {"source": "x", "transform": "replace(1, 2)"},
            "h": {"template": "{a} {"},
            "i": {"coalesce": ["a", "b..c"]},
            "j": {"required": True},
            "k": {"value": [1], "each": {"a": "a"}},
            "l": "fine",
            "m": {"source": "x", "target": "n"},
        }
    )
    assert "did you mean 'source'" in found.pop(("a", "souce"))
    assert "did you mean 'lower'" in found.pop(("d", "transform"))
    assert "old is text, not 1" in found.pop(("g", "transform"))
    assert "{value: 5}" in found.pop(("f",))
    assert "one of source, value, template, coalesce" in found.pop(("j",))
    assert ("l",) not in found
    assert set(found) == {
        ("b", "source"), ("c",), ("e", "each", "q", "value"), ("h", "template"), ("i", "coalesce", 1), ("k", "each"),
        ("m", "target"),
    }  # fmt: skip


def test_places_hold_within_a_larger_model_and_in_the_list_spelling() -> None:
    class Stream(BaseModel):
        mapping: Mapping

    with pytest.raises(ValueError) as caught:
        Stream.model_validate({"mapping": [{"source": "a"}, {"target": "b", "source": "x", "transform": "trin"}]})
    found = [each["loc"] for each in caught.value.errors()]  # type: ignore[attr-defined]
    assert found == [("mapping", 0, "target"), ("mapping", 1, "transform")]


@pytest.mark.parametrize("data", [{}, [], 5, None, "path", {1: "a"}, [5], {"a": None}])
def test_what_is_no_mapping_is_refused(data: Any) -> None:
    assert mistakes(data)


def test_a_target_stands_once() -> None:
    assert ((1, "target")) in mistakes([{"target": "a", "source": "x"}, {"target": "a", "source": "y"}])


def test_each_nests_only_so_deep() -> None:
    data: Any = {"a": "a"}
    for _ in range(8):
        data = {"a": {"source": "a", "each": data}}
    assert any("deep" in what for what in mistakes(data).values())


def test_the_json_schema_describes_both_spellings() -> None:
    class Stream(BaseModel):
        mapping: Mapping | None = None

    schema = Stream.model_json_schema()
    for good in ({"a": "x", "b": {"source": "y", "each": {"q": "z"}}}, [{"target": "a", "source": "x"}]):
        jsonschema.validate({"mapping": good}, schema)
    for bad in ({"a": 5}, [{"source": "x"}], {"a": {"souce": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"mapping": bad}, schema)


RECORD = {
    "id": 7,
    "none": None,
    "customer": {"email": "a@b.c", "address": {"city": "Paris"}},
    "lines": [{"sku": "x", "n": 1}, {"sku": "y"}],
    "tags": [{"name": "red"}, {"other": 1}, {"name": None}],
    "dotted.key": {"in side": 1},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id", 7),
        ("none", None),
        ("absent", None),
        ("customer.email", "a@b.c"),
        ("customer.address.city", "Paris"),
        ("customer.nothing.city", None),
        ("id.upper", None),
        ("lines[0].sku", "x"),
        ("lines[-1].sku", "y"),
        ("lines[5].sku", None),
        ("lines[-3]", None),
        ("lines[*].sku", ["x", "y"]),
        ("lines.sku", None),
        ("tags[*].name", ["red", None]),
        ("id[*]", None),
        ('"dotted.key"."in side"', 1),
        (".", RECORD),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    assert rows({"it": path}, [RECORD]) == [(expected,)]


def test_origins_and_what_stands_in_for_nothing() -> None:
    found = rows(
        {
            "constant": {"value": "eu"},
            "name": {"template": "{customer.email} / {{{id}}}"},
            "no_name": {"template": "{id} {none}"},
            "first": {"coalesce": ["none", "absent", "id"]},
            "fallback": {"source": "none", "default": "x"},
            "no_default": {"source": "none", "default": None},
            "skipped": {"source": "none", "transform": "cents"},
            "taken": {"source": "none", "transform": "default_if_empty(3) | multiply(2)"},
            "late": {"source": "id", "transform": "null_if(7)", "default": 0},
            "items": {"source": "lines", "each": {"sku": "sku", "n": {"source": "n", "default": 0}}},
            "no_items": {"source": "absent", "each": {"sku": "sku"}},
            "names": {"source": "lines[*].sku", "each": {"it": "."}},
        },
        [RECORD],
    )
    assert found == [
        (
            "eu", "a@b.c / {7}", None, 7, "x", None, None, 6, 0,
            [{"sku": "x", "n": 1}, {"sku": "y", "n": 0}], None, [{"it": "x"}, {"it": "y"}],
        )
    ]  # fmt: skip


def test_list_defaults_are_not_shared_between_rows() -> None:
    (one,), (other,) = rows({"a": {"source": "a", "default": []}}, [{}, {}])
    one.append(1)
    assert other == []


@pytest.mark.parametrize(
    ("spec", "record", "path", "reason"),
    [
        ({"source": "a.b", "required": True}, {}, "it", "required, but a.b is absent"),
        ({"source": "a.b", "required": True}, {"a": {"b": None}}, "it", "required, but a.b is null"),
        ({"source": "a", "transform": "null_if(1)", "required": True}, {"a": 1}, "it", "null after its transforms"),
        ({"coalesce": ["a", "b"], "required": True}, {}, "it", "a and b is null or absent"),
        ({"source": "a", "transform": "cents"}, {"a": "12.345"}, "it", "cents: '12.345' has a fraction of a cent"),
        ({"source": "a", "transform": "trim"}, {"a": 5}, "it", "trim: text is expected, not a number 5"),
        ({"template": "{a}"}, {"a": [1]}, "it", "template: text or a number is expected, not a list"),
        ({"source": "a", "each": {"q": {"source": "q", "transform": "int"}}}, {"a": [{}, {}, {"q": "x"}]}, "it[2].q",
         "int: 'x' is no whole number"),
        ({"source": "a", "each": {"q": "q"}}, {"a": [{}, 5]}, "it[1]", "an object is expected, not a number"),
        ({"source": "a", "each": {"q": "q"}}, {"a": {}}, "it", "each: a list is expected, not an object"),
        ({"source": "a"}, [1], ".", "an object is expected, not a list"),
        ({"source": "a"}, None, ".", "an object is expected, not null"),
    ],
)  # fmt: skip
def test_rejects_name_path_and_reason(spec: Any, record: Any, path: str, reason: str) -> None:
    found, why = reject({"it": spec}, record)
    assert found == path
    assert reason in why


def test_r28_one_bad_record_in_ten_thousand_costs_that_record_only() -> None:
    records = [{"id": number, "price": "1.00"} for number in range(10_000)]
    records[4_321]["price"] = "one euro"
    mapped = run({"id": "id", "cents": {"source": "price", "transform": "cents"}}, records)
    assert len(mapped.batch.rows) == 9_999
    (rejected,) = mapped.rejected
    assert rejected.record is records[4_321]
    assert (rejected.path, rejected.reason) == ("cents", "cents: 'one euro' is no number")


def test_records_pass_as_they_are_without_a_mapping() -> None:
    mapped = run(None, [{"a": 1, "b": {"c": 2}}, {"d": None, "a": 3}, "text", [1]])
    assert mapped.batch.columns == ("a", "b", "d")
    assert mapped.batch.rows == [(1, {"c": 2}, None), (3, None, None)]
    assert [each.reason for each in mapped.rejected] == [
        "an object is expected, not text", "an object is expected, not a list",
    ]  # fmt: skip
    assert compile_mapping(None).columns is None


def test_same_keys_in_another_order_are_not_mixed_up() -> None:
    mapped = run(None, [{"a": 1, "b": 2}, {"b": 4, "a": 3}])
    assert (mapped.batch.columns, mapped.batch.rows) == (("a", "b"), [(1, 2), (3, 4)])


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"s": "paid"}, [0]),
        ({"s": ["paid", "open"]}, [0, 1]),
        ({"s": None}, [3, 4]),
        ({"n": 1}, [0, 4]),
        ({"n": True}, [1]),
        ({"n": "1"}, [2]),
        ({"n": 1.0, "s": "paid"}, [0]),
        ({"t[*]": "vip"}, [2]),
    ],
)
@pytest.mark.parametrize("data", [None, {"i": "i"}])
def test_where_keeps_the_wanted_and_counts_the_others(where: Any, kept: list[int], data: Any) -> None:
    records: list[Any] = [
        {"i": 0, "s": "paid", "n": 1},
        {"i": 1, "s": "open", "n": True},
        {"i": 2, "s": "x", "n": "1", "t": ["new", "vip"]},
        {"i": 3, "s": None, "n": 2},
        {"i": 4, "n": Decimal("1.0")},
        5,
    ]
    mapped = run(data, records, where)
    assert [row[0] for row in mapped.batch.rows] == kept
    assert mapped.filtered == 5 - len(kept)
    assert [each.record for each in mapped.rejected] == [5]


def test_a_filtered_record_is_not_asked_for_more() -> None:
    mapped = run({"a": {"source": "a", "required": True}}, [{"s": "x"}, {"s": "y"}], {"s": "y"})
    assert mapped.filtered == 1
    assert len(mapped.rejected) == 1


def test_mistakes_in_a_filter_stand_at_their_path() -> None:
    class Stream(BaseModel):
        where: Where

    with pytest.raises(ValueError) as caught:
        Stream.model_validate({"where": {"a..b": 1, "c": {"d": 1}, "e": 1}})
    assert [each["loc"] for each in caught.value.errors()] == [("where", "a..b"), ("where", "c")]  # type: ignore[attr-defined]


def test_an_unusual_kind_of_dictionary_is_filtered_as_well() -> None:
    class Special(dict[str, Any]):
        pass

    mapped = run({"a": "a"}, [Special(a=1, s="x"), Special(a=2, s="y")], {"s": "y"})
    assert (mapped.batch.rows, mapped.filtered) == ([(2,)], 1)


@pytest.mark.parametrize("data", [None, {"i": "i", "n": {"source": "n", "transform": "int"}}])
def test_every_row_knows_its_record(data: Any) -> None:
    records = [
        {"i": 0, "n": "1", "s": "x"},
        {"i": 1, "n": "one", "s": "x"},
        {"i": 2, "n": "2", "s": "y"},
        7,
        {"i": "\ud800", "n": "2", "s": "x"},
        {"i": 3, "n": "3", "s": "x"},
    ]
    mapped = run(data, records, {"s": "x"})
    assert [record["i"] for record in mapped.sources] == [row[0] for row in mapped.batch.rows]
    assert len(mapped.batch.rows) + len(mapped.rejected) + mapped.filtered == len(records)
