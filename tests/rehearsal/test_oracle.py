"""The oracle sees what a run did wrong: each way of being wrong is done to a destination, and found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncline.engine import Report, arun
from syncline.rehearsal.simulator.faults import CredentialRefused, Deleted, Fault, faults
from tests.rehearsal.acts import PLAIN, act

WAYS = {
    "lost": "DELETE FROM things WHERE id = 7",
    "wrong": "UPDATE things SET name = 'another' WHERE id = 7",
    "unknown": "INSERT OR IGNORE INTO things (id, name) VALUES (4711, 'nobody')",
}


@pytest.mark.parametrize("what", WAYS)
def test_what_a_run_did_wrong_is_found(what: str, tmp_path: Path) -> None:
    async def run_and_spoil(*words: Any, **options: Any) -> Report:
        report = await arun(*words, **options)
        with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
            database.execute(WAYS[what])
            database.commit()
        return report

    report = act(PLAIN, tmp_path, runner=run_and_spoil)
    verdict = report.passes[0].verdicts["things"]
    assert (getattr(verdict, what), verdict.exact, report.holds) == (1, False, False)
    assert what in report.problems[0]


def test_a_row_that_was_never_brought_up_to_date_is_found(tmp_path: Path) -> None:
    before: list[tuple[Any, ...]] = []

    async def run_and_go_back(*words: Any, **options: Any) -> Report:
        report = await arun(*words, **options)
        with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
            row = database.execute("SELECT name, amount, seen_at, updated_at FROM things WHERE id = 1").fetchone()
            before.append(row)
            database.execute(
                "UPDATE things SET name = ?, amount = ?, seen_at = ?, updated_at = ? WHERE id = 1", before[0]
            )
            database.commit()
        return report

    report = act(PLAIN, tmp_path, runner=run_and_go_back)
    assert [one.verdicts["things"].stale for one in report.passes[:2]] == [0, 1]


def test_rows_that_stand_there_twice_are_found(tmp_path: Path) -> None:
    async def run_and_double(*words: Any, **options: Any) -> Report:
        report = await arun(*words, **options)
        with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
            columns = "id, name, amount, seen_at, updated_at"
            database.executescript(
                f"CREATE TABLE copy AS SELECT {columns} FROM things; DROP TABLE things;"
                f"ALTER TABLE copy RENAME TO things; INSERT INTO things SELECT {columns} FROM things WHERE id < 4;"
            )
        return report

    report = act(PLAIN, tmp_path, runner=run_and_double)
    assert report.passes[0].verdicts["things"].twice == 3


@pytest.mark.parametrize("asked", ["incremental: {cursor: updated_at, param: since}", "into: {write: append}"])
def test_rows_that_were_appended_more_often_than_there_were_passes_are_found(asked: str, tmp_path: Path) -> None:
    async def run_and_double(*words: Any, **options: Any) -> Report:
        report = await arun(*words, **options)
        with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
            database.execute("INSERT INTO things SELECT * FROM things WHERE id = 4 OR id = 5")
            database.commit()
        return report

    incremental = "incremental: {cursor: updated_at, param: since}"
    assert incremental in PLAIN
    appended = PLAIN.replace(
        incremental, asked if asked == "into: {write: append}" else f"{asked}\n    into: {{write: append}}"
    )
    assert act(appended, tmp_path / "right").holds
    report = act(appended, tmp_path, runner=run_and_double)
    assert report.passes[0].verdicts["things"].twice == 2


@pytest.mark.parametrize("tells", [True, False])
def test_a_pass_that_was_cut_short_and_goes_on_in_a_longer_list_may_append_twice_what_it_says(
    tells: bool, tmp_path: Path
) -> None:
    async def run(*words: Any, **options: Any) -> Report:
        report = await arun(*words, **options)
        for stream in report.streams:
            stream.notices = stream.notices if tells else []
        return report

    cursor = "{kind: cursor, next: meta.next, param: cursor, limit_param: limit, limit: 10}"
    since = "incremental: {cursor: updated_at, param: since}"
    assert cursor in PLAIN and since in PLAIN
    counted = PLAIN.replace(cursor, "{kind: offset, limit: 10, total: meta.total}")
    appended = counted.replace(since, "into: {write: append}")
    report = act(appended, tmp_path, faults()["inserted"](at=2), faults()["503"](at=2, times=5), runner=run)
    short, on = report.passes[:2]
    assert short.exit_code and on.report and on.report["streams"][0]["resumed"]
    assert report.holds == tells
    assert on.verdicts["things"].twice == (0 if tells else 1)


CHILDREN = """
name: things
source: {kind: rest, base_url: "https://api.things.example/v1", auth: {kind: bearer, token: "${T}"}}
streams:
  - {name: things, path: /things, records: data, primary_key: id}
  - name: parts
    path: /things/{thing}/parts
    records: data
    primary_key: id
    parent: {stream: things, key: id, as: thing}
    parallel: 1
    into: {write: append}
destination: {kind: sql, url: "sqlite:///things.db"}
"""


def test_children_may_be_appended_again_where_the_parent_at_which_the_pass_stood_is_gone(tmp_path: Path) -> None:
    cut, gone = CredentialRefused(at=8), Deleted(at=9)

    def most(folder: Path, *struck: Fault) -> int:
        """How often a child stands there at most, after an act that holds."""
        report = act(CHILDREN, folder, *struck, size=8)
        assert report.problems == [] and report.passes[0].exit_code == 4
        with closing(sqlite3.connect(folder / "rows.sqlite")) as database:
            counts = database.execute("SELECT count(*) FROM parts GROUP BY id, name").fetchall()
        return int(max(counts)[0])

    assert most(tmp_path / "there", cut) == 2, "once by the pass that was cut short and gone on with, once by the next"
    assert most(tmp_path / "gone", cut, gone) == 3


def test_a_run_that_says_nothing_of_what_it_missed_is_found(tmp_path: Path) -> None:
    """A silent zero: the runner reads one page and says that it is done."""

    async def run_a_little(*words: Any, **options: Any) -> Report:
        return await arun(*words, **options, limit=10)

    report = act(PLAIN, tmp_path, runner=run_a_little)
    assert report.passes[0].verdicts["things"].lost == 50
