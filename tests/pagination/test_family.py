"""Every kind as the file spells it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import Field, ValidationError

from syncline.model import Part, decode_json, encode_json, kinds
from syncline.pagination import Cursor, Link, Offset, PaginationField, Unpaged
from tests.pagination.walking import ListServer, answer, asked, rows, walk

FILES: list[dict[str, Any]] = [
    {"kind": "none"},
    {"kind": "offset", "limit": 50, "total": "meta.total", "start": 1, "in": "body"},
    {"kind": "page", "page_param": "p", "size": 20, "start": 0, "total_pages": "pages", "total_header": "X-Total"},
    {"kind": "cursor", "next": "meta.next_cursor", "param": "cursor", "limit_param": "limit", "limit": 250},
    {"kind": "next_url", "next": "links.next"},
    {"kind": "link", "limit_param": "per_page", "limit": 100},
    {"kind": "graphql", "connection": "data.orders", "variable": "cursor", "size_variable": "first"},
]


class Holder(Part):
    pagination: PaginationField = Field(default=Unpaged(), description="Any pagination")


@pytest.mark.parametrize("data", FILES, ids=lambda data: str(data["kind"]))
def test_every_kind_reads_back_what_it_writes(data: dict[str, Any]) -> None:
    pagination = Holder.model_validate({"pagination": data}).pagination
    assert json.loads(json.dumps(pagination.to_data())) == data
    assert type(pagination).model_validate(pagination.to_data()) == pagination
    position = pagination.start()
    assert decode_json(encode_json(position)) == position


def test_every_kind_is_known_and_every_field_is_described() -> None:
    assert set(kinds("pagination")) >= {str(data["kind"]) for data in FILES}
    for part in kinds("pagination").values():
        assert part.__doc__ and all(field.description for field in part.model_fields.values())
        assert set(part.model_json_schema()["properties"]) >= {"kind", "total"}


def test_a_kind_without_settings_is_written_by_its_name() -> None:
    assert Holder.model_validate({"pagination": "link"}).pagination == Link()
    assert Holder.model_validate({"pagination": "offset"}).pagination == Offset()
    assert Holder.model_validate({"pagination": None}) == Holder() == Holder.model_validate({})
    for wrong in ("lnik", "cursor", 7, {"kind": "offest"}, {"kind": "page", "sise": 3}):
        with pytest.raises(ValidationError):
            Holder.model_validate({"pagination": wrong})


@pytest.mark.parametrize(("found", "expected"), [
    (7, 7), ("12", 12), (" 12 ", 12), ("12.5", None), (None, None), (-1, None), (True, None), ([], None), (3.0, 3), (2.5, None),
])  # fmt: skip
def test_totals_are_read_as_apis_write_them(found: Any, expected: int | None) -> None:
    assert Offset.model_validate({"total": "total"}).total(answer({"total": found}, [])) == expected
    if isinstance(found, str):
        assert Link(total_header="x-total").total(answer([], [], {"X-Total": found})) == expected


def test_python_and_the_file_spell_the_same_value() -> None:
    assert Offset.model_validate({"kind": "offset", "total": "n", "start": 5}) == Offset(total="n", start=5)
    assert Cursor(next="n", param="c").to_data() == {"kind": "cursor", "next": "n", "param": "c"}


def test_the_stream_s_own_parameters_stay() -> None:
    seen: list[str] = []
    server = ListServer(rows(25))

    def serve(request: Any) -> Any:
        seen.append(asked(request, "status"))
        return server.by_offset(request)

    walk(Offset(limit=10), serve)
    assert seen == ["any"] * 3
