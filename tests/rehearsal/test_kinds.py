"""The simulator speaks every kind of pagination, filter, list and mapping that a file can name; faults cost none a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.rehearsal.simulator.faults import faults
from tests.rehearsal.acts import act

FILE = """
name: things
source:
  kind: {source}
  base_url: https://api.things.example/v1
streams:
{streams}
destination: {destination}
"""
SQL = '{kind: sql, url: "sqlite:///things.db"}'
STREAM = "  - {name: things, path: /things, primary_key: id, %s}"
QUERY = (
    "query ($first: Int, $after: String) "
    "{ shop { things(first: $first, after: $after) { %s pageInfo { hasNextPage endCursor } } } }"
)

REST = {
    "none": "records: data",
    "offset": "records: data, pagination: {kind: offset, limit: 7}",
    "offset-total": "records: a.data, pagination: {kind: offset, limit: 7, total: meta.total, start: 1, offset_param: from}",
    "offset-body": "records: data, method: POST, repeatable: true, body: {q: {}}, "
    "pagination: {kind: offset, in: body, offset_param: page.from, limit_param: page.size, limit: 7}",
    "page": "records: data, pagination: {kind: page, size: 7}",
    "page-total": "records: data, pagination: {kind: page, size: 7, start: 0, total_header: X-Total}",
    "page-pages": "records: data, pagination: {kind: page, size: 7, total_pages: meta.pages}",
    "cursor": "records: data, pagination: {kind: cursor, next: meta.next, param: after}",
    "cursor-more": "records: data, pagination: {kind: cursor, next: next, has_more: more, param: after, total: total}",
    "cursor-header": "pagination: {kind: cursor, next_header: X-Next, param: after, limit_param: n, limit: 7}",
    "cursor-last": "records: data, pagination: {kind: cursor, last_record: id, param: since_id, limit_param: n, limit: 7}",
    "cursor-body": "records: hits, method: POST, repeatable: true, pagination: {kind: cursor, next: scroll, body_param: scroll.id}",
    "next_url": "records: data, pagination: {kind: next_url, next: links.next}",
    "link": "pagination: {kind: link, limit_param: per_page, limit: 7}",
    "ndjson": "format: ndjson, pagination: {kind: link, limit_param: per_page, limit: 7}",
    "partitions": "records: data, partitions: {param: region, values: [eu, us, 3]}, pagination: {kind: offset, limit: 5}",
    "partitions-in-path": "path: '/{region}/things', partitions: {as: region, values: [eu, us]}, pagination: {kind: page, size: 5}",
    "since": "records: data, incremental: {cursor: updated_at, param: since}, pagination: {kind: cursor, next: next, param: c}",
    "since-start": "records: data, incremental: {cursor: changed, param: since, start: '2024-05-01T00:00:00Z', lookback: 1h}, "
    "pagination: {kind: offset, limit: 7}",
    "since-template": "records: data, incremental: {cursor: updated_at, param: q, template: \"updated:>='{cursor}'\"}, "
    "pagination: {kind: page, size: 7, total: total}",
    "since-epoch": "records: data, incremental: {cursor: ts, param: since, lookback_steps: 5}, "
    "pagination: {kind: offset, limit: 7}",
    "since-body": "records: data, method: POST, repeatable: true, incremental: {cursor: updated_at, body_param: filter.since}, "
    "pagination: {kind: cursor, next: next, body_param: cursor}",
    "since-id": "records: data, incremental: {cursor: id, param: since_id}, pagination: {kind: offset, limit: 7}",
    "where": "records: data, where: {status: [open, paid]}, pagination: {kind: offset, limit: 7}",
    "tombstones": "records: data, deletes: {when: deleted_at}, incremental: {cursor: updated_at, param: since}, "
    "pagination: {kind: cursor, next: next, param: c, limit_param: n, limit: 7}",
    "tombstones-hard": "records: data, deletes: {when: {status: [gone]}, how: hard}, pagination: {kind: cursor, next: n, param: c}",
    "missing": "records: data, deletes: {missing: true}, pagination: {kind: cursor, next: next, param: c}",
    "append": "records: data, into: {write: append}, incremental: {cursor: updated_at, param: since}, "
    "pagination: {kind: cursor, next: next, param: c}",
    "replace": "records: data, into: {write: replace}, pagination: {kind: offset, limit: 7}",
    "mapping": "records: data, pagination: {kind: link}, into: {children: lines}, "
    "mapping: {id: {source: id, required: true, transform: int}, "
    'first: "lines[0].sku", total: {source: amounts.total, transform: cents}, tags: {source: "tags[*].name"}, '
    'label: {template: "{name} ({customer.country})"}, status: {source: state, transform: "map({active: 1, gone: 0})"}, '
    "day: {source: day, transform: 'date(\"%Y-%m-%d\")'}, "
    "lines: {source: lines, each: {sku: sku, amount: {source: price, transform: decimal}}}, "
    "phone: {coalesce: [mobile, phone]}, kind: {value: thing}}",
    "compound-key": "records: data, primary_key: [shop, number], pagination: {kind: offset, limit: 7, total: total}",
}
GRAPHQL = {
    "nodes": QUERY % "nodes { id name price { amount currency } }",
    "edges": QUERY % "totalCount edges { cursor node { id title: name } }",
}
STRUCK = [
    (),
    ("503", "timeout-after", "cut"),
    ("inserted", "changed"),
    ("deleted",),
    ("same-page",),
    ("missing-field", "new-field"),
]


def _stream(fields: str) -> str:
    base = {"name": "things", "path": "/things", "primary_key": "id"}
    given = [
        f"{name}: {value}"
        for name, value in base.items()
        if f"{name}:" not in fields.split(", partitions", maxsplit=1)[0].split(" mapping", maxsplit=1)[0]
    ]
    return f"  - {{{', '.join([*given, fields])}}}"


@pytest.mark.parametrize("struck", STRUCK, ids=lambda names: "+".join(names) or "nothing")
@pytest.mark.parametrize("name", REST)
def test_rest(name: str, struck: tuple[str, ...], tmp_path: Path) -> None:
    text = FILE.format(source="rest", streams=_stream(REST[name]), destination=SQL)
    report = act(text, tmp_path, *(faults()[kind](at=2 + 2 * place) for place, kind in enumerate(struck)), size=40)
    assert report.problems == []
    assert report.passes[-1].verdicts["things"].found > 0


@pytest.mark.parametrize("struck", STRUCK, ids=lambda names: "+".join(names) or "nothing")
@pytest.mark.parametrize("name", GRAPHQL)
def test_graphql(name: str, struck: tuple[str, ...], tmp_path: Path) -> None:
    stream = (
        f"  - name: things\n    path: /graphql\n    primary_key: id\n    query: |\n      {GRAPHQL[name]}\n"
        "    pagination: {kind: graphql, connection: data.shop.things, size_variable: first, size: 7}"
    )
    text = FILE.format(source="graphql", streams=stream, destination=SQL)
    report = act(text, tmp_path, *(faults()[kind](at=2 + 2 * place) for place, kind in enumerate(struck)), size=40)
    assert report.problems == []
    assert report.passes[-1].verdicts["things"].expected >= 38


def test_children_of_children_and_of_two_parents(tmp_path: Path) -> None:
    streams = """
  - {name: shops, path: /shops, records: data, primary_key: id, pagination: {kind: page, size: 3}}
  - {name: orders, path: "/shops/{shop}/orders", records: data, primary_key: id, parent: {stream: shops, key: id, as: shop}}
  - {name: lines, path: "/shops/{shop}/orders/{order}/lines", records: data, primary_key: [id],
     parent: {stream: orders, key: id, as: order}, mapping: {id: id, order: order, shop: shop, sku: sku}}
  - {name: tags, path: /tags, records: data, primary_key: key}
  - {name: tagged, path: "/shops/{shop}/tags/{tag}", records: data, primary_key: id,
     parent: [{stream: shops, key: id, as: shop}, {stream: tags, key: key, as: tag}]}
  - {name: details, path: "/shops/{shop}/detail", single: true, primary_key: shop, on_status: {404: ignore},
     parent: {stream: shops, key: id, as: shop}}"""
    text = FILE.format(source="rest", streams=streams, destination=SQL)
    report = act(text, tmp_path, faults()["503"](at=4), faults()["cut"](at=9), size=6)
    assert report.problems == []
    assert all(verdict.found for verdict in report.passes[-1].verdicts.values())
