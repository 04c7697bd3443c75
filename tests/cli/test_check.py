"""The production checklist at the command line: what is asked for, what is shown, what is written, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncline.cli import main

FILE = """
name: things
source:
  kind: rest
  base_url: https://api.things.example/v1
  rate_limit: 10/s
streams:
  - name: things
    path: /things
    records: data
    primary_key: id
    pagination: {kind: cursor, next: meta.next, param: cursor, limit_param: limit, limit: 20}
destination: {kind: sql, url: "sqlite:///things.db"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "things.yaml"
    path.write_text(FILE)
    return path


def test_lines_that_hold_are_shown_with_their_evidence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file), "--only", "limits,tokens", "--only", "alerts"]) == 0
    out = capsys.readouterr().out
    assert "✓ limits" in out
    assert "at most 10 requests in any second of 10 allowed" in out
    assert "not applicable: the API asks for no credentials" in out
    assert "3 of 3 lines hold" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_a_line_that_does_not_hold_is_exit_code_1_with_its_fix(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{FILE}schedule: every 15 minutes\n")
    assert main(["check", str(file), "--only", "alerts"]) == 1
    out = capsys.readouterr().out
    assert "✗ alerts" in out
    assert "it runs every 15 minutes, and nobody is told when it fails" in out
    assert 'fix   alerts: [{to: "${SLACK_WEBHOOK}", on: [failed]}]' in out
    assert f"again  syncline check {file} --only alerts" in out


def test_less_than_production_is_not_tried(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{FILE}volume: 300 records/day\n")
    assert main(["check", str(file), "--only", "volume"]) == 0
    assert "each as it must be; the file says 300 records/day" in " ".join(capsys.readouterr().out.split())
    assert main(["check", str(file), "--only", "volume", "--records", "100", "--json"]) == 1
    (line,) = json.loads(capsys.readouterr().out)["checklist"]["lines"]
    assert line["status"] == "not tried"
    assert line["fix"].endswith("--only volume --records 300")


def test_the_result_is_one_object(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file), "--only", "limits", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["files"][0]["integration"] == "things"
    checklist = found["checklist"]
    assert checklist["version"] == 1
    assert checklist["holds"] is True
    assert [(line["name"], line["status"]) for line in checklist["lines"]] == [("limits", "held")]
    assert checklist["acts"][0]["seen"][0]["kind"] == "page"


def test_the_report_is_written(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file), "--only", "limits", "--report", str(tmp_path / "report")]) == 0
    assert "rehearsal.html" in capsys.readouterr().out
    assert "ready for production" in (tmp_path / "report/rehearsal.html").read_text()
    assert json.loads((tmp_path / "report/rehearsal.json").read_text())["lines"][0]["name"] == "limits"


@pytest.mark.parametrize("words", [["--lint"], ["more.yaml"]])
def test_mistakes_only_where_that_is_asked_or_there_are_several(
    words: list[str], file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    (file.parent / "more.yaml").write_text(FILE)
    assert main(["check", "things.yaml", *words]) == 0
    out = capsys.readouterr().out
    assert "✓ things.yaml: things (things)" in out
    assert "lines hold" not in out


def test_mistakes_come_before_the_checklist(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(FILE.replace("records: data", "record: data"))
    assert main(["check", str(file)]) == 2
    assert "did you mean 'records'?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "limit"], "did you mean 'limits'?"),
        (["--only", "clock"], "the line 'clock' is the real API's to show"),
    ],
)
def test_lines_that_are_not_there(words: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_test_alert_that_does_not_arrive_fails_the_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(f'{FILE}alerts: [{{to: "${{NOBODY_THERE}}", on: [failed]}}]\n')
    assert main(["check", str(file), "--only", "alerts"]) == 0
    monkeypatch.setenv("NOBODY_THERE", "http://127.0.0.1:9/hook")
    assert main(["check", str(file), "--only", "alerts", "--test-alerts"]) == 1
    assert "no connection to '127.0.0.1'" in capsys.readouterr().out


def test_u11_off_a_terminal_it_says_how_far_it_is(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.cli.progress.EVERY", 0.001)
    assert main(["check", str(file), "--only", "pages"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert all("event=progress integration=things stage=" in line for line in lines)
    assert any('stage="pages: ' in line for line in lines)


def test_u11_a_rehearsal_says_how_far_it_is(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.cli.progress.EVERY", 0.001)
    monkeypatch.chdir(file.parent)
    assert main(["rehearse", str(file), "--faults", "503", "--records", "200", "--json"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {"volume", "503"} & {json.loads(line)["stage"] for line in said}


def test_records_look_like_those_that_are_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = file.parent / "answer.json"
    shown.write_text(json.dumps({"data": [{"id": 7, "colour": "teal"}]}))
    assert main(["check", str(file), "--only", "pages", "--like", f"things={shown}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert main(["check", str(file), "--only", "pages", "--like", str(file.parent / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err
