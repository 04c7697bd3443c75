"""The integration file: one value in two spellings, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import Field

from syncline.auth import Auth, Bearer
from syncline.destinations import Sql, Target
from syncline.errors import SpecError
from syncline.mapping import Mapping
from syncline.model import Part, Reference, Request, SecretText, register
from syncline.pagination import Cursor
from syncline.sources import Incremental, Rest
from syncline.spec import Integration, Stream, dump, json_schema, load, loads
from syncline.spec.yaml_text import read
from tests.auth.test_family import FILES as AUTH_FILES
from tests.pagination.test_family import FILES as PAGINATION_FILES

WHOLE = """\
name: shop-orders
direction: one-way
schedule: every 15 minutes
volume: 50000 records/day
source:
  kind: rest
  base_url: https://api.shop.example/v2
  headers: {Accept: application/json}
  auth: {kind: bearer, token: "${SHOP_TOKEN}"}
  rate_limit: 10/s
  retry: {attempts: 5, max_wait: 15m}
  circuit_breaker: {failures: 5, open_for: 30s}
streams:
  - name: orders
    path: /orders
    params: {status: any}
    records: data
    primary_key: id
    pagination: {kind: cursor, next: meta.next_cursor, param: cursor, limit_param: limit, limit: 250}
    incremental: {cursor: updated_at, param: updated_since, lookback: 5m}
    mapping:
      external_id: {source: id, required: true}
      amount: {source: total_price, transform: cents}
      items:
        source: line_items
        each: {sku: sku, quantity: quantity}
    into: {table: orders, write: upsert}
destination:
  kind: sql
  url: sqlite:///shop.db
alerts:
  - {to: "${SLACK_WEBHOOK}", on: [failed, stale]}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        loads(text, "shop.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_file_and_python_are_two_spellings_of_one_value(tmp_path: Path) -> None:
    in_python = Integration(
        name="shop-orders",
        schedule="every 15 minutes",
        volume="50000 records/day",
        source=Rest(
            base_url="https://api.shop.example/v2",
            headers={"Accept": "application/json"},
            auth=Bearer(token="${SHOP_TOKEN}"),
            rate_limit="10/s",
            retry={"attempts": 5, "max_wait": "15m"},
            circuit_breaker={"failures": 5, "open_for": "30s"},
        ),
        streams=[
            Stream(
                name="orders",
                path="/orders",
                params={"status": "any"},
                records="data",
                primary_key="id",
                pagination=Cursor(next="meta.next_cursor", param="cursor", limit_param="limit", limit=250),
                incremental=Incremental(cursor="updated_at", param="updated_since", lookback=300.0),
                mapping=Mapping.model_validate(
                    {
                        "external_id": {"source": "id", "required": True},
                        "amount": {"source": "total_price", "transform": "cents"},
                        "items": {"source": "line_items", "each": {"sku": "sku", "quantity": "quantity"}},
                    }
                ),
                into=Target(table="orders", write="upsert"),
            )
        ],
        destination=Sql(url="sqlite:///shop.db"),
        alerts=[{"to": "${SLACK_WEBHOOK}", "on": ["failed", "stale"]}],
    )
    file = tmp_path / "shop.yaml"
    file.write_text(WHOLE)
    assert load(file) == in_python
    assert loads(dump(in_python)) == in_python


def test_a_python_file_is_an_integration_file(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(f"from syncline import loads\n\nintegration = loads({WHOLE!r})\n")
    assert load(file) == loads(WHOLE)
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(SpecError, match="holds 0 integrations"):
        load(tmp_path / "empty.py")


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
REFERENCES = NAMES.map(lambda name: f"${{{name.upper()}}}")
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20).filter(
        lambda text: "${" not in text
    ),
    st.sampled_from(["NO", "12:30", "007", "1_000", "null", "~", "on", "0x1F"]),
)
AUTHS = st.one_of(
    st.none(),
    REFERENCES.map(lambda ref: {"kind": "bearer", "token": ref}),
    REFERENCES.map(lambda ref: {"kind": "api_key", "key": ref, "in": "query", "name": "k"}),
    st.lists(REFERENCES.map(lambda ref: {"kind": "bearer", "token": ref}), min_size=2, max_size=2),
    st.sampled_from(AUTH_FILES),
)
PAGINATIONS = st.one_of(
    st.just({"kind": "none"}),
    st.builds(lambda n: {"kind": "offset", "limit": n}, st.integers(1, 500)),
    st.builds(lambda n: {"kind": "page", "size": n}, st.integers(1, 500)),
    st.builds(lambda path: {"kind": "cursor", "next": path, "param": "cursor"}, PATHS),
    st.just({"kind": "link"}),
    st.sampled_from(PAGINATION_FILES),
)
CONDUCT = st.fixed_dictionaries(
    {},
    optional={
        "retry": st.builds(lambda n, m: {"attempts": n, "max_wait": f"{m}m"}, st.integers(1, 9), st.integers(1, 90)),
        "circuit_breaker": st.builds(lambda n: {"failures": n, "open_for": "30s"}, st.integers(1, 9)),
        "timeout": st.just({"connect": "5s", "total": "1m"}),
        "max_body": st.sampled_from(["64MB", "1GB"]),
        "allow_hosts": st.just(["files.example"]),
        "caps": st.just({"pages": 10}),
    },
)
PARENTS = st.sampled_from([
    None,
    {"stream": "above", "key": "id", "as": "above_id"},
    [{"stream": "above", "key": "id", "as": "a"}, {"stream": "beside", "key": "code", "as": "b"}],
])  # fmt: skip
PARTITIONS = st.sampled_from([None, {"param": "region", "values": ["eu", "NO", "007"]}, {"as": "n", "values": [1, 2]}])
DESTINATIONS = st.sampled_from(
    [{"kind": "sql", "url": "sqlite:///x.db"}, {"kind": "sql", "url": "${DB}"}, {"kind": "file", "path": "out"}]
)
LIMITS = st.one_of(
    st.none(),
    st.builds(lambda n: f"{n}/s", st.integers(1, 99)),
    st.just(["10/s", "1000/h"]),
    st.just({"limits": ["5/s"], "concurrency": 4}),
)
MAPPINGS = st.one_of(
    st.none(),
    st.dictionaries(
        NAMES,
        st.one_of(
            PATHS,
            st.builds(lambda p, r: {"source": p, "required": r}, PATHS, st.booleans()),
            st.builds(lambda p: {"source": p, "transform": "trim | lower"}, PATHS),
            st.builds(lambda v: {"value": v}, st.one_of(TEXTS, st.integers(), st.booleans())),
        ),
        min_size=1,
        max_size=4,
    ),
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["rest", "graphql"]))
    streams: list[dict[str, Any]] = [
        {
            "name": name,
            "path": f"/{name}",
            **({"query": "query { x { id } }"} if kind == "graphql" else {}),
            "parent": draw(PARENTS),
            "partitions": draw(PARTITIONS),
            "pagination": draw(PAGINATIONS),
            "params": draw(st.dictionaries(NAMES, TEXTS, max_size=2)),
            "mapping": draw(MAPPINGS),
            "on_status": draw(st.sampled_from([{}, {404: "ignore"}])),
            "into": {"write": draw(st.sampled_from(["append", "replace"]))},
            "incremental": draw(
                st.one_of(
                    st.none(),
                    st.builds(
                        lambda path, seconds: {"cursor": path, "param": "since", "lookback": f"{seconds}s"},
                        PATHS,
                        st.integers(0, 100_000),
                    ),
                )
            ),
        }
        for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    ]
    above = [{"name": name, "path": f"/{name}", "into": {"write": "append"}} for name in ("above", "beside")]
    streams = [*above, *(stream for stream in streams if stream["name"] not in ("above", "beside"))]
    if kind == "graphql":
        for stream in above:
            stream["query"] = "query { x { id } }"
    source: dict[str, Any] = {
        "kind": kind,
        **draw(CONDUCT),
        "base_url": draw(st.sampled_from(["https://api.example", "${BASE}/v1"])),
        "headers": draw(st.dictionaries(NAMES, TEXTS, max_size=2)),
    }
    for key, strategy in (("auth", AUTHS), ("rate_limit", LIMITS)):
        if (value := draw(strategy)) is not None:
            source[key] = value
    for stream in streams:
        for key in ("mapping", "incremental", "parent", "partitions"):
            if key in stream and stream[key] is None:
                del stream[key]
        if "incremental" in stream:
            stream["into"] = {"write": "append"}
    return {
        "name": draw(NAMES),
        "source": source,
        "streams": streams,
        "destination": draw(DESTINATIONS),
    }


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json_schema())


@pytest.mark.slow
@given(data=files())
@settings(max_examples=150, deadline=None)
def test_loading_and_dumping_are_inverse(validator: jsonschema.Draft7Validator, data: dict[str, Any]) -> None:
    """Every kind of every family among them, and what is written is what editors are told to accept."""
    value = Integration.model_validate(data)
    text = dump(value)
    assert loads(text) == value
    assert dump(loads(text)) == text
    written = read(text, "x").data
    assert Integration.model_validate(written) == value
    validator.validate(written)


def test_all_mistakes_are_reported_at_once_with_their_places() -> None:
    text = (
        WHOLE.replace("path: /orders", "pat: /orders")
        .replace("limit: 250", "limt: 250")
        .replace("10/s", "ten per second")
    )
    text = text.replace("transform: cents", "transform: sents").replace("kind: sql", "kind: sqll")
    found = mistakes(text)
    assert len(found) == 5
    assert found[0].startswith("shop.yaml:10:3: source.rate_limit")
    assert any(line.startswith("shop.yaml:15:5: streams[0].pat: unknown key; did you mean 'path'?") for line in found)
    assert any("pagination.limt: unknown key; did you mean 'limit" in line for line in found)
    assert any("'sents'" in line and "cents" in line for line in found)
    assert any("destination.kind" in line and "did you mean 'sql'?" in line for line in found)


def test_a_literal_secret_is_refused_with_the_way_out() -> None:
    found = mistakes(WHOLE.replace('"${SHOP_TOKEN}"', "abc123secret"))
    assert len(found) == 1
    assert "${NAME}" in found[0]
    assert "abc123secret" not in found[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("primary_key: id", "primary_key: number"), "'number' is not among the mapped fields"),
        (("primary_key: id\n", "\n"), "upsert needs the stream's primary_key"),
        (("write: upsert", "write: replace"), "an incremental pass brings only what is new"),
        (("path: /orders", "path: /orders/{shop}"), "{shop} is given by no parent"),
        (("path: /orders", "parent: {stream: oders, key: id, as: x}\n    path: /orders"), "there is no stream 'oders'"),
        (("path: /orders", "parent: {stream: orders, key: id, as: x}\n    path: /orders"), "is its own parent"),
        (("direction: one-way", "direction: two-way"), "not in this version"),
        (("every 15 minutes", "every quarter hour"), "not a schedule"),
        (
            ("path: /orders", "path: /orders\n    method: POST\n    body: {a: [{key: '${SHOP_KEY}'}]}"),
            "streams[0].body.a[0].key: ${SHOP_KEY} is no reference here",
        ),
        (
            ("path: /orders", "path: /orders\n    variables: {key: 'x${vault:kv/shop#key}'}"),
            "streams[0].variables.key: ${vault:kv/shop#key} is no reference here",
        ),
        (("path: /orders", "path: /orders\n    where: {shop: '${SHOP}'}"), "streams[0].where.shop: ${SHOP} is no"),
        (("lookback: 5m", "lookback: 5"), "a duration needs its unit"),
        (("lookback: 5m", "lookback: 30.5"), "a duration needs its unit: 30.5; write 30.5s"),
        (("max_wait: 15m", "max_wait: 30.5"), "a duration needs its unit: 30.5; write 30.5s"),
    ],
)
def test_misfits_between_parts_are_found(change: tuple[str, str], expected: str) -> None:
    assert any(expected in line for line in mistakes(WHOLE.replace(*change)))


def test_other_dollars_and_braces_in_a_body_are_text() -> None:
    body = "path: /orders\n    method: POST\n    body: {a: '${x.y}', b: '$SHOP', c: '${}', d: '{SHOP}'}"
    assert loads(WHOLE.replace("path: /orders", body)).streams[0].body["a"] == "${x.y}"


def test_seconds_are_plain_numbers_in_python_alone() -> None:
    assert Incremental(cursor="at", param="since", lookback=30.5).lookback == 30.5


def test_the_schema_accepts_the_whole_file_and_refuses_a_typo() -> None:
    validator = jsonschema.Draft7Validator(json_schema())
    jsonschema.Draft7Validator.check_schema(json_schema())
    validator.validate(read(WHOLE, "x").data)
    assert list(validator.iter_errors(read(WHOLE.replace("pagination:", "paginaton:"), "x").data))


def test_every_key_of_the_schema_is_described() -> None:
    missing = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, field in value.get("properties", {}).items():
                if isinstance(field, dict) and not field.get("description") and "$ref" not in field:
                    missing.append(f"{path}.{name}")
            for name, inner in value.items():
                walk(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, f"{path}[{index}]")

    walk(json_schema(), "")
    assert missing == []


def test_a_kind_registered_later_takes_part_everywhere() -> None:
    @register("auth")
    class House(Auth):
        """Signs with the house's own header."""

        kind: Literal["house_of_tests"] = "house_of_tests"
        word: SecretText = Field(description="The word")

        def sign(self, request: Request, token: Any, now: Any) -> Request:
            return request.with_headers({"X-House": "1"})

    text = WHOLE.replace('{kind: bearer, token: "${SHOP_TOKEN}"}', '{kind: house_of_tests, word: "${WORD}"}')
    value = loads(text)
    assert value.source.auth == House(word=Reference("${WORD}"))
    assert loads(dump(value)) == value
    assert "auth.house_of_tests" in json_schema()["definitions"]
    assert isinstance(value.source.auth, Part)


def test_a_missing_file_and_a_folder_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(WHOLE)
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "shp.yaml")
    assert "did you mean" in str(caught.value.hint)
    with pytest.raises(SpecError, match="is a folder"):
        load(tmp_path)
