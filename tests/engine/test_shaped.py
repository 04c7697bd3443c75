"""Decoding into a shape is a quicker way to the same rows, rejects and checkpoints; never to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings, strategies as st

from syncline.engine import arun
from syncline.mapping import Mapping, compile_mapping
from syncline.model import Page, Response, Shape, decode_json, encode_json, parse_path, shape_of
from syncline.sources import Reader
from syncline.sources.shaped import ShapedPage, shaped_decoder
from syncline.spec import Stream
from tests.engine.shelf import CURSOR, books, integration, rows
from tests.support.serving import serving

AT = "2026-01-02T03:04:05Z"
MAPPING = {
    "id": {"source": "id", "required": True},
    "email": {"source": "customer.email", "transform": "lower"},
    "city": "customer.address.city",
    "sku": "lines[0].sku",
    "tags": "tags[*].name",
    "items": {"source": "lines", "each": {"sku": "sku", "n": {"source": "n", "transform": "int"}}},
    "name": {"template": "{first} {customer.last}"},
    "either": {"coalesce": ["a.b", "c"], "default": "none"},
    "cents": {"source": "price", "transform": "cents"},
    "at": {"source": "customer.address.at", "transform": "iso8601 | format_iso8601"},
    "number": {"source": "number", "transform": "int", "default": 0},
}
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("9.90"), st.just("x.y"))
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: st.one_of(inner, ANYTHING) for name, inner in members.items()})


RECORDS = objects(
    id=st.integers(),
    customer=objects(
        email=st.just("A@B"), last=st.text(max_size=3), address=objects(city=st.just("Paris"), at=st.just(AT))
    ),
    lines=st.lists(objects(sku=st.just("x"), n=st.integers()), max_size=2),
    tags=st.lists(objects(name=st.just("red")), max_size=2),
    first=st.just("Ann"),
    a=objects(b=st.just(1)),
    c=LEAVES,
    price=st.just("9.90"),
    number=st.sampled_from(["7", "-7", 7, None]),
    unread=ANYTHING,
)


def stream(**changes: Any) -> Stream:
    return Stream.model_validate(
        {"name": "s", "path": "/s", "records": "data.list", "primary_key": "id", "pagination": CURSOR, **changes}
    )


def answer(document: Any) -> Response:
    return Response(status=200, headers=Response.headers_of({}), body=encode_json(document), url="http://x")


@given(st.lists(st.one_of(RECORDS, RECORDS, ANYTHING), max_size=6))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rows_are_the_same_either_way(records: list[Any]) -> None:
    mapper = compile_mapping(Mapping.model_validate(MAPPING))
    shape = mapper.shape([("id",)])
    assert shape is not None
    decoder = shaped_decoder(stream(), shape)
    assert decoder is not None
    body = answer({"data": {"list": records}, "meta": {"next": "c2"}, "more": [1]})
    for number in range(2):
        found = decoder.decode(body)
        plain = decode_json(body.body)
        if not isinstance(found, ShapedPage):
            assert found == plain
            continue
        if number:
            assert found.document["meta"] == {"next": "c2"}
            assert "more" not in found.document
        batch = mapper.map_shaped(found.records, shape)
        careful = mapper.map(plain["data"]["list"])
        if batch is None:
            continue
        assert careful.rejected == []
        assert (batch.columns, batch.rows) == (careful.batch.columns, careful.batch.rows)


def test_good_records_do_take_the_quick_way() -> None:
    mapper = compile_mapping(Mapping.model_validate(MAPPING))
    shape = mapper.shape([("id",)])
    assert shape is not None
    decoder = shaped_decoder(stream(), shape)
    assert decoder is not None
    record = {
        "id": 1,
        "customer": {"email": "A", "address": None},
        "lines": [{"sku": "x", "n": 2}],
        "price": "1.50",
        "number": "7",
    }
    found = decoder.decode(answer({"data": {"list": [record]}}))
    assert isinstance(found, ShapedPage)
    batch = mapper.map_shaped(found.records, shape)
    assert batch is not None
    assert batch.rows == [(1, "a", None, "x", None, [{"sku": "x", "n": 2}], None, "none", 150, None, 7)]


def test_a_shape_reads_and_opens_what_it_was_made_for() -> None:
    shape = shape_of([parse_path("a.b"), parse_path("a.c.d"), parse_path("e[0].f"), parse_path('"odd key".x')])
    assert shape is not None
    struct = msgspec.json.decode(
        b'{"a": {"b": 1, "c": null, "z": 9}, "e": [{"f": 2}], "odd key": {"x": "y"}}', type=shape.type
    )
    assert shape.read(parse_path("a.b"), struct) == 1
    assert not shape.read(parse_path("a.c.d"), struct)
    assert shape.read(parse_path("e[0].f"), struct) == 2
    assert shape.open(struct) == {"a": {"b": 1}, "e": [{"f": 2}], "odd key": {"x": "y"}}
    assert shape_of([parse_path(".")]) is None
    assert shape_of([parse_path("[0]")]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"primary_key": []},
        {"format": "ndjson"},
        {"pagination": {"kind": "cursor", "last_record": "id", "param": "after"}},
        {"pagination": {"kind": "offset", "limit": 10}},
        {"partitions": {"param": "r", "values": ["a"]}},
        {"records": "data[*].inner"},
        {"records": None},
    ],
)
def test_streams_of_which_more_is_looked_at_are_decoded_whole(changes: dict[str, Any]) -> None:
    shape = shape_of([("id",)])
    assert shape is not None
    assert shaped_decoder(stream(**{"into": {"write": "append"}, **changes}), shape) is None


async def test_a_whole_run_is_the_same_either_way_with_dirty_pages_among_clean_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Any] = [
        {
            "id": n,
            "price": f"{n}.50",
            "customer": {"email": f"u{n}@x"},
            "updated_at": f"2026-01-01T00:00:{n:02}Z",
            "junk": [n],
        }
        for n in range(40)
    ]
    records[11]["customer"] = "a text where an object belongs"
    records[22]["price"] = "much"
    records[33] = ["not an object"]

    async def api(request: web.Request) -> web.Response:
        begin = int(request.query.get("cursor", "0"))
        following = str(begin + 4) if begin + 4 < len(records) else None
        return web.json_response({"data": records[begin : begin + 4], "meta": {"next": following}})

    shaped: list[bool] = []
    original = Reader.pages

    def seen(self: Reader, *args: Any, shape: Shape | None, **kwargs: Any) -> Any:
        pages = original(self, *args, shape=shape if as_shapes else None, **kwargs)

        async def watched() -> Any:
            async for page in pages:
                assert isinstance(page, Page)
                shaped.append(page.shape is not None)
                yield page

        return watched()

    monkeypatch.setattr(Reader, "pages", seen)
    mapping = {"id": "id", "email": "customer.email", "price": {"source": "price", "transform": "cents"}}
    results = []
    for as_shapes in (True, False):
        folder = tmp_path / str(as_shapes)
        folder.mkdir()
        shaped.clear()
        async with serving(api) as url:
            report = await arun(integration(url, folder, books(mapping=mapping)))
        # one page of ten has a text for an object, one a list for a record: these two are decoded whole
        assert sum(shaped) == (8 if as_shapes else 0)
        letters = rows(folder, "SELECT path, reason, record FROM syncline_rejects ORDER BY id")
        assert [json.loads(record) for _, _, record in letters] == [records[22], records[33]]
        results.append(
            (report.account, report.streams[0].cursor, letters, rows(folder, "SELECT * FROM books ORDER BY id"))
        )
    assert results[0] == results[1]
    assert results[0][0].adds_up and results[0][0].rejected == 2
