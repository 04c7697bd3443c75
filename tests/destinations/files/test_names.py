"""Names and places: what a pattern means, and what hostile values cannot do to it (S16)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings, strategies as st
from pydantic import ValidationError

from syncline.destinations import File
from syncline.destinations.file.layout import Layout, Mistaken, Names, layout, named, read_pattern
from syncline.destinations.file.names import EMPTY, MAX_COMPONENT_BYTES, NULL, checked_name, component, escaped
from syncline.destinations.file.placing import Placer
from syncline.errors import PlanError, SpecError, WriteError
from syncline.spec import check_value, loads
from tests.destinations.files.support import current, files_bench, land, names

DAY = date(2026, 11, 22)
NAMED = Names("orders", "r1", DAY)
HOSTILE = ["../x", "a/b", "a\\b", "..", ".", ".hidden", "_hidden", "", "a\0b", "C:x", "a\nb", "x" * 300, "*", "%2e%2e", "~",
           "-rf", "NUL", "con.txt", " ", "a ", "a.", "\u202egnp.exe", "\ufeff", "é" * 200, "null", NULL, "%", "a%", "\u2028",
           "{run}", "?versionId=1", "#x", "é", "ｅ", "\u0000", "..\\..", "a=b", "[1]"]  # fmt: skip


def laid(pattern: str, write: str = "append", *, rolling: bool = False) -> Layout:
    return layout(pattern, write=write, ending=".jsonl", rolling=rolling)


def places(pattern: str, columns: tuple[str, ...], *rows: tuple[Any, ...]) -> tuple[list[str], list[str]]:
    """The path of each row, and why others have none."""
    found = laid(pattern)
    groups, refused = Placer(found.columns, 1_000).place(columns, rows, range(len(rows)))
    by_row = {number: found.path(NAMED, values) for values, numbers in groups.items() for number in numbers}
    return [by_row[number] for number in sorted(by_row)], [one.reason for one in refused]


@pytest.mark.parametrize(
    ("pattern", "write", "root", "path"),
    [
        ("out", "replace", "out", "orders.jsonl"),
        ("out/", "append", "out", "orders-r1.jsonl"),
        ("/", "append", "/", "orders-r1.jsonl"),
        ("out/{stream}/{run}.jsonl", "append", "out", "orders/r1.jsonl"),
        ("{stream}.jsonl", "replace", ".", "orders.jsonl"),
        ("/data/all-{stream}.jsonl", "replace", "/data", "all-orders.jsonl"),
        ("/{stream}.jsonl", "replace", "/", "orders.jsonl"),
        ("out/{stream}/", "append", "out", "orders/r1.jsonl"),
        ("out/{stream}/{date}/{run}.jsonl", "append", "out", "orders/2026-11-22/r1.jsonl"),
        ("out/{stream}/{date:%Y/%m}/{run}.jsonl", "append", "out", "orders/2026/11/r1.jsonl"),
        ("out/{stream}/{run}-{part}.jsonl", "append", "out", "orders/r1-0007.jsonl"),
        ("s3://bucket/a/{stream}/{run}", "append", "s3://bucket/a", "orders/r1"),
        ("s3://bucket", "append", "s3://bucket", "orders-r1.jsonl"),
    ],
)
def test_paths_are_folders_or_patterns(pattern: str, write: str, root: str, path: str):
    found = laid(pattern, write)
    assert (found.root, found.path(NAMED, part=7)) == (root, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("out", "orders-r1-0002.jsonl"),
        ("out/{stream}/{run}.jsonl.gz", "orders/r1-0002.jsonl.gz"),
        ("out/{stream}.{run}", "orders.r1-0002"),
        ("out/{stream}/part{part}-{run}.x", "orders/part0002-r1.x"),
    ],
)
def test_parts_are_told_apart_where_there_may_be_several(pattern: str, path: str):
    assert laid(pattern, rolling=True).path(NAMED, part=2) == path


@pytest.mark.parametrize(
    ("pattern", "write", "match"),
    [
        ("out/{stream}.jsonl", "append", "no {run}"),
        ("out/{run}.jsonl", "append", "no {stream}"),
        ("out/{stream}/{country}.jsonl", "replace", "no {run}"),
        ("out/{stream}-{part}.jsonl", "replace", "no {run}"),
        ("out/orders.jsonl", "append", "one file for all streams"),
        ("out/orders.csv.gz", "replace", r"\{stream\}-orders.csv.gz"),
        ("s3://{stream}/{run}", "append", "bucket"),
        ("{stream}/../{run}", "append", r"cannot hold '\.\.'"),
        ("out/{stream}//{run}", "append", "two slashes"),
        ("out/{}/{run}", "append", "empty placeholder"),
        ("out/{stream:%Y}/{run}", "append", "takes no format"),
        ("out/{stream}/{at:Y}/{run}", "append", "not a format of a time"),
        ("out/{stream", "append", "not a pattern"),
        ("out/stream}", "append", "not a pattern"),
        ("", "append", "not a pattern"),
        ("a\0b", "append", "not a pattern"),
        ("{stream}/_manifest/{run}", "append", None),
        ("{stream}/{run}/_manifest", "append", None),
        ("x/_manifest{stream}/{run}", "append", None),
        ("_manifest-{stream}/{run}", "append", None),
    ],
)
def test_what_cannot_be_written_is_said(pattern: str, write: str, match: str | None):
    if match is None:
        laid(pattern, write)
        return
    with pytest.raises(Mistaken, match=match):
        laid(pattern, write)


@pytest.mark.parametrize("pattern", ["out/{}", "out/{a:x}/{stream}", "s3://{stream}", "out/{stream"])
def test_a_pattern_that_is_none_is_a_mistake_of_the_file(pattern: str):
    with pytest.raises(ValidationError) as caught:
        File.model_validate({"kind": "file", "path": pattern})
    assert caught.value.errors()[0]["loc"] == ("path",)


def test_a_path_that_does_not_suit_the_stream_is_said_by_check():
    text = """
name: shop
source: {kind: rest, base_url: https://api.shop.example}
streams: [{name: orders, path: /orders, into: {write: WRITE}}]
destination: {kind: file, path: "PATH"}
"""
    for write, path, match in (
        ("upsert", "out", "cannot be updated"),
        ("append", "out/{stream}.csv", "no {run}"),
    ):
        with pytest.raises(SpecError) as caught:
            loads(text.replace("WRITE", write).replace("PATH", path))
        assert any(match in mistake.what for mistake in caught.value.mistakes)
    assert check_value(loads(text.replace("WRITE", "append").replace("PATH", "out")))


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", ".hidden", "", "a\0b", "C:x", "\ud800", "x" * 200, "*", "[a]", "a{run}"]
)
def test_s16_names_of_streams_and_runs_cannot_leave_the_root(name: str):
    for table, run in ((name, "r1"), ("orders", name)):
        with pytest.raises(PlanError, match="cannot be a file's name"):
            named(table, run, DAY)


def test_s16_names_that_are_taken_are_refused():
    with pytest.raises(PlanError, match="is taken"):
        named("_manifest", "r1", DAY)


ANY_TEXT = st.text(max_size=400) | st.sampled_from(HOSTILE)


@pytest.mark.parametrize(
    "pattern", ["out/{stream}/{x}/{run}", "out/{stream}/x={x}/{run}", "{stream}/{x}{y}-{run}", "{stream}-{run}/{y}/{x}"]
)
@given(x=ANY_TEXT | st.none(), y=ANY_TEXT)
@settings(max_examples=200)
@example(x="..", y=".")
@example(x="", y="")
def test_s16_values_cannot_leave_the_root_nor_hide(pattern: str, x: str | None, y: str):
    found = laid(pattern)
    paths, refused = places(pattern, ("x", "y"), (x, y))
    if refused:
        assert "surrogate" in refused[0]
        return
    (path,) = paths
    pure = PurePosixPath(path)
    assert len(pure.parts) == len(found.components), "a value makes no folders"
    assert not pure.is_absolute() and ".." not in pure.parts and "//" not in path
    for part in path.split("/"):
        assert part and len(part.encode()) <= MAX_COMPONENT_BYTES
        assert part[0] not in "._ " and part[-1] not in ". "
        assert not any(ord(letter) < 32 or letter in '\\:*?"<>|[]{}\x7f\u202e\u2028' for letter in part)
        assert part.casefold() not in ("nul", "con", "con.txt")


@given(ANY_TEXT, ANY_TEXT)
def test_s16_different_values_are_different_folders(one: str, other: str):
    for pattern in ("{stream}/{run}/{x}", "{stream}/{run}/x={x}"):
        paths, refused = places(pattern, ("x",), (one,), (other,), (None,))
        if not refused:
            assert (paths[0] == paths[1]) == (one == other)
            assert paths[2] not in paths[:2]


@given(st.text(max_size=8))
def test_values_are_read_back_as_hive_partitions(value: str):
    try:
        found = escaped(value)
    except UnicodeEncodeError:
        return
    assert unquote(found) == value


def test_components_that_are_nothing_have_a_name():
    assert component("", from_data=True) == EMPTY
    assert places("{stream}/{run}/x={x}", ("x",), (None,), ("",))[0] == [f"orders/r1/x={NULL}", "orders/r1/x="]
    assert places("{stream}/{run}/{x}", ("x",), (None,), ("",), ("null",))[0] == [
        "orders/r1/null",
        "orders/r1/%",
        "orders/r1/%6Eull",
    ]


def test_columns_in_the_path_are_spelled_by_their_type():
    late = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    row = ("DE", 7, True, Decimal("1.10"), late, DAY, None)
    columns = ("country", "n", "flag", "price", "at", "day", "nothing")
    pattern = "{stream}/{country}/{n}/{flag}/{price}/{at:%Y-%m-%d}/{at:%H}/{day}/{day:%Y}/{nothing}/{run}"
    paths, _ = places(pattern, columns, row)
    assert paths == ["orders/DE/7/true/1.10/2026-11-23/04/2026-11-22/2026/null/r1"]


def test_times_that_are_text_are_read_for_their_format():
    texts = ("2026-11-22T23:30:00-05:00", "2026-11-22", "2026-11-22 10:00:00", "2026-11-22T10:00:00Z")
    paths, _ = places("{stream}/{run}/{at:%d}", ("at",), *[(text,) for text in texts])
    assert [path[-2:] for path in paths] == ["23", "22", "22", "22"]


@pytest.mark.parametrize(
    ("value", "match"),
    [("soon", "ISO 8601"), (5, "neither a time"), ([1], "a list or an object"), (True, "neither a time")],
)
def test_a_value_that_no_format_fits_costs_its_row(value: Any, match: str):
    paths, refused = places("{stream}/{run}/{at:%d}", ("at",), (value,), (DAY,))
    assert (len(paths), len(refused)) == (1, 1)
    assert match in refused[0]


def test_a_column_named_like_a_placeholder_is_asked_for_as_the_row_s():
    paths, _ = places("{stream}/{run}/{date}/{row.date}", ("date",), ("yesterday",))
    assert paths == ["orders/r1/2026-11-22/yesterday"]
    assert [str(field) for field in read_pattern("x/{row.date:%Y}")[1][0]] == ["{date:%Y}"]


def test_a_column_that_no_row_has_is_an_error_with_the_near_miss():
    placer = Placer(laid("{stream}/{run}/{contry}").columns, 10)
    with pytest.raises(WriteError, match="no column 'contry'") as caught:
        placer.place(("id", "country"), [(1, "DE")], [0])
    assert "did you mean 'country'?" in (caught.value.hint or "")
    placer.place(("contry",), [("DE",)], [0])
    groups, _ = placer.place(("id",), [(1,)], [0])
    assert groups == {(None,): [0]}, "a field that only some records have is nothing in the others"


async def test_more_partitions_than_allowed_is_an_error_before_anything_is_written(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{id}/{run}.jsonl", max_partitions=3)
    await land(bench, ("id",), [(1,), (2,), (3,)], end=False)
    with pytest.raises(WriteError, match=r"more than 3 files, by \{id\}") as caught:
        await land(bench, ("id",), [(4,)], run="r2")
    assert "max_partitions" in (caught.value.hint or "")
    await land(bench, ("id",), [(3,)], run="r3")
    assert names(tmp_path / "out") == [f"orders/{n}/r1.jsonl" for n in (1, 2, 3)]
    assert len(current(tmp_path / "out")) == 3


def test_names_that_would_be_too_long_together_are_said():
    with pytest.raises(WriteError, match="longer than"):
        places("{stream}-{run}{x}{y}{z}", ("x", "y", "z"), ("x" * 99, "y" * 99, "z" * 99))


def test_names_as_they_are_stay_as_they_are():
    for name in ("orders", "Bestellungen 2026", "注文", "a.b-c_d", "_x"):
        assert checked_name(name) == name
