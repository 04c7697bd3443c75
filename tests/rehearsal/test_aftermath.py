"""What became of each fault: of the record that was touched, or of the run that was struck."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncline.rehearsal.simulator.faults import faults
from tests.rehearsal.acts import PLAIN, act

DEAD = r"kept as a dead letter by run 1 \(\w+: .+\)"
WRITTEN = r"(written by run 1|written by run 2, from the cursor on|written by run 2, in a newer version)"
BECAME = {
    "missing-field": rf"record \d+ \(without \w+\): {DEAD}",
    "null-field": rf"record \d+ \(\w+ is null\): {DEAD}",
    "changed-type": rf"record \d+ \(\w+ is .+\): ({DEAD}|{WRITTEN})",
    "poison": rf"record \d+ \(\w+ is .+\): ({DEAD}|{WRITTEN})",
    "new-field": rf"record \d+ \(with rehearsed_field\): {WRITTEN}",
    "inserted": rf"3 records: \d {WRITTEN}(; \d {WRITTEN})*",
    "changed": rf"3 records: \d {WRITTEN}(; \d {WRITTEN})*",
    "deleted": r"2 records: (\d (without a row after run 1|still with a row, as the file does not look for deletions)(; )?)+",
    "destination-away": r"run 1 waited until it was free, and went on",
    "cursor-loop": r"run 1 ended with exit code 1 and said why, run 3 brought everything",
    "credential-refused": r"run 1 ended with exit code 4 and said why, run 3 brought everything",
    "overlap": r"run 1 went on, and nothing came twice or was left out",
    "clock-ahead": r"run 1 went on, and nothing came twice or was left out",
    "503": r"asked again after \d+\.\d s: 200",
}


@pytest.mark.parametrize("name", BECAME)
def test_the_words_say_what_became_of_it(name: str, tmp_path: Path) -> None:
    report = act(PLAIN, tmp_path, faults()[name](at=3))
    (struck,) = report.struck
    assert re.fullmatch(BECAME[name], struck.became), struck.became
    assert bool(struck.records) == faults()[name].of_records
    assert all(one.became for one in struck.records)


def test_rows_of_deleted_records_are_told_as_the_file_wants_them(tmp_path: Path) -> None:
    incremental = "    incremental: {cursor: updated_at, param: since}\n"
    text = PLAIN.replace(incremental, "    deletes: {missing: true}\n")
    struck = act(text, tmp_path, faults()["deleted"](at=3)).struck[0]
    assert re.fullmatch(r"2 records: (\d (without a row|marked as deleted) after run \d(; )?)+", struck.became)


def test_a_list_that_is_asked_for_by_key_never_shows_changes(tmp_path: Path) -> None:
    text = PLAIN.replace("{cursor: updated_at, param: since}", "{cursor: id, param: since_id}")
    struck = act(text, tmp_path, faults()["changed"](at=3)).struck[0]
    assert struck.became == "no record was concerned: changes of these are never asked for"
